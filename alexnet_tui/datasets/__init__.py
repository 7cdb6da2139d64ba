"""The images.

`catalog` says which data sets there are; `prepare` opens, adds and removes them by name; `build` decodes what `sources`
reads from a folder or an archive into a `cache` of pixels.
"""
