"""In and out: archives of runs and studies, CSV, JSON, TensorBoard, and the histories of other programs (`foreign`)."""
