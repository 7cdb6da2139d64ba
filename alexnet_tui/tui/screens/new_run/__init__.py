"""The New run screen: a form of hyperparameters, and starting the run.

`draft` holds the texts in the fields, `field_info` says how each field is edited, `summary` what the run will take;
`step_timer` times steps of it, `launch` prepares the data set and starts the runs.
"""
