"""The Run screen: one run's curves, numbers, settings and log.

`facts` has its words and numbers, `header` the lines above the pages, `side` the results and small charts beside the
curves, `pages` the pages of text.
"""
