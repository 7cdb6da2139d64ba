"""The report on runs.

`build` makes it as data, with `table` for ours beside the study's; `wording` has its numbers in words, `charts` and
`interval_text` its drawings. `formats` renders it: `markdown` and `html` fill a `template`, `latex` writes tables.
`pictures` shows what networks learned.
"""
