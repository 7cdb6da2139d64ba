"""The Run screen: one run's curves, numbers, settings and log.

`facts` has its words and numbers, `header` the lines above the pages, `side` the results and small charts beside the
curves; the pages of text, in `pages`, read by themselves what they show.
"""
