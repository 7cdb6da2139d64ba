"""The report on runs.

`content` says what it holds, as data, with the `table` of ours beside the study's; `build` makes it of runs. `wording`
has its numbers in words, `trace` what is behind each. `charts` draws curves and, like `interval_text`, the place of an
effect on its axis (`interval_plot`). `formats` renders it all: `markdown` and `html` fill a `template`, `latex` writes
tables. `pictures` shows what networks learned.
"""
