"""Images on the device: the data set as tensors, batches, random changes, and the download."""
