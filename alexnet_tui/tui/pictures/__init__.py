"""Pictures of what networks learned.

`panel` is the widget whose keys choose the `view`; a `column` shows it of one run, with `captions`. `source` reads the
files of a run, `painter` turns pixels into cells of a terminal. `kernel_tiles`, `confusion` and `gallery` lay out the
three pictures: the first layer's kernels, the confusion matrix, and test images with the answers.
"""
