"""Makes a running command of a prepared run.

`registry` lists the launchers, which fit `engine`; `stopping` ends what they started; `probe` asks the trainer's side
what a run would get here.
"""
