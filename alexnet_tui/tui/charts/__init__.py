"""Charts of training curves, drawn with characters.

`model` has what a chart is given: curves, what it is about and the view a person chose. `series` prepares the numbers,
`axis` chooses limits and ticks, `raster` turns curves into dots. `render` puts a chart together from `canvas` (the plot
area), `legend` (the line above it) and `curve_styles`; `widget` paints that and answers the mouse, `screen` has the
keys for all charts of a screen. `run_curves` makes curves of a run's history.
"""
