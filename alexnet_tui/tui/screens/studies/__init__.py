"""The Studies screen: plans of many runs and their queue.

`source` reads a study and its queue, `queue_view` makes what is shown of it. `planner` asks for a new study and writes
its plan: `study_form` is the dialog, `request` what it asks for.
"""
