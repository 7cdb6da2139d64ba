"""The images: the catalogue of data sets, reading them from folders and archives, and the cache of decoded pixels."""
