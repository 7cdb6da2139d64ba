"""Reading the runs folder again and again, in a thread.

`watcher` keeps the history, state and notes of every run, and knows which to look at when; `watch_loop` calls it and
hands what changed to the app.
"""
