"""The Report screen: our table beside the published one, claims and curves.

`source` reads and judges the runs in a thread; `text`, `interval` and `curves` make what the pages show.
"""
