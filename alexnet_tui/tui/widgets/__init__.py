"""Widgets that more than one screen uses; none of them knows a run.

`bars` has the first and the last line of a screen and the strip of pages, `table` a table that draws only the lines on
screen, with its `columns` as data. `form` lays out the editors in `fields`, `line_input` is the line of text in both
forms and dialogs. `dialogs` are questions over a screen, `help` and `palette` list what the keys do, `text` is a page
of text, `pressable` text that presses a key when it is clicked.
"""
