"""Reading the runs folder again and again, in a thread.

`watcher` keeps the history, state and notes of every run, and knows which to look at when; it has a `follower` read
each. What they find comes in a `batch`. `watch_loop` calls the watcher, and hands what changed to the app.
"""
