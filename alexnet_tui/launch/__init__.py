"""Makes a running command of a prepared run: `registry` lists the launchers; `probe` asks what a run would get here."""
