"""The Runs screen: the table of all runs, its columns, filter and preview.

`rows` makes a row of a run or of a group of runs, `columns` has what a cell shows and how rows are sorted, `table` is
the widget. `filter` reads the words of the filter line in `filter_line`; `preview` shows the run under the cursor,
`welcome` what to do where there is no run.
"""
