"""What the home screen says to someone who has no runs."""

from textual.content import Content

NO_RUNS = Content.assemble(
    ("No runs here yet.\n\n", "bold"),
    ("  n ", "bold $accent"),
    " starts one: choose a variant, then press ctrl+r\n",
    ("  ? ", "bold $accent"),
    " shows every key\n",
    ("  q ", "bold $accent"),
    " leaves; runs go on without the console",
)
ONLY_REFERENCES = Content.assemble(
    ("No runs of your own yet.\n\n", "bold"),
    ("  n     ", "bold $accent"),
    " starts one\n\n",
    ("The runs below came with the program:\n\n", "bold"),
    ("  enter ", "bold $accent"),
    " opens one\n",
    ("  p     ", "bold $accent"),
    " pins it as the baseline of yours\n",
    ("  d     ", "bold $accent"),
    " starts one like it",
)
