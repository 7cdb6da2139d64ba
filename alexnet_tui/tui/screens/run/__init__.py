"""The Run screen: one run's curves, numbers, settings and log.

`facts` has its words and numbers, `header` the lines above the pages, `side` the results and small charts beside the
curves, which are drawn at the `pace` that leaves time for keys; the pages of text, in `pages`, read by themselves what
they show.
"""
