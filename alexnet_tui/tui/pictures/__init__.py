"""Pictures of what networks learned.

`panel` is the widget and its keys, `source` reads the files of a run, `painter` turns pixels into cells of a terminal.
`kernel_tiles`, `confusion` and `gallery` lay out the three pictures: the first layer's kernels, the confusion matrix,
and test images with the answers.
"""
