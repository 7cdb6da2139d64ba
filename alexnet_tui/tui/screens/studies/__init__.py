"""The Studies screen: plans of many runs and their queue.

`queue_view` reads a study and its queue and draws them; `plans` asks for a new study, with the form in `plan_dialog`,
and writes its plan.
"""
