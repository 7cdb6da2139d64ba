"""Charts of training curves: data series, axes, rasters and the widget that draws them."""
