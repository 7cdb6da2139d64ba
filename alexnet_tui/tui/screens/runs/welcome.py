"""The start page: what the Runs screen shows where a person has no runs yet."""

from textual.content import Content


def _keys(**acts: str) -> list[Content]:
    return [Content.assemble((key, "bold $accent"), f" {act}   ") for key, act in acts.items()]


NO_RUNS = Content.assemble(
    ("Train the study's AlexNet variants, compare them, judge its claims.\n\n", "bold"),
    "No runs here yet.\n\n",
    ("  f ", "bold $accent"),
    " trains a first, small network: about two minutes, no download\n",
    ("  n ", "bold $accent"),
    " starts a run with settings of your own\n",
    ("  5 ", "bold $accent"),
    " reproduces the study: every variant with five seeds\n",
    ("  6 ", "bold $accent"),
    " shows what the study published and claims\n\n",
    ("  ? ", "bold $accent"),
    " shows every key\n",
    ("  q ", "bold $accent"),
    " leaves; runs continue without the console",
)
ONLY_REFERENCES = Content.assemble(
    ("No runs of your own yet:  ", "bold"),
    *_keys(f="trains a small one", n="any other", **{"5": "the study"}),
    ("\nThese came with the program:  ", "bold"),
    *_keys(enter="opens one", d="starts one like it"),
)
