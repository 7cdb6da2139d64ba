"""The command line: one module a group of commands; the only place of typer."""
