"""Starts what trains a prepared run: `local` on this machine; `probe` asks the trainer what a run would get there."""
