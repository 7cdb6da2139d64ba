"""What is trained, all as data.

`hyperparameters` has every setting of a run once, `steps` the next number of each in a form, and `architecture` the
network that settings and `front_ends` make. `variants`, `protocols` and `first_run` are settings with a name; `claims`
are read from files such as those in `claim_sets`.
"""
