"""The record of a run.

A trainer writes `events` into an `event_log` in the run's directory, which `store` made; they fold into a `history`,
which `follow` keeps in step with the disk, and with the lock they decide the run's `state`.
"""
