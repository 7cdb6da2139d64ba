"""The README says what the program does: hyperparameters, the report on the reference runs, commands, pictures.

``python tests/test_readme.py`` rewrites the table of hyperparameters, the report, and the table of readings.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from alexnet_tui.cli.app import console
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.config.hyperparameters import SPECS, default_of, format_value, option_name, range_text

README = Path(__file__).resolve().parent.parent / "README.md"
TABLE = "<!-- hyperparameters -->\n", "<!-- end of hyperparameters -->"
REPORT = "<!-- reference report -->\n", "<!-- end of reference report -->"
READINGS = "<!-- readings -->\n", "<!-- end of readings -->"


def table() -> str:
    rows = ["| option | default | values | |", "|---|---|---|---|"]
    for name, spec in SPECS.items():
        values = range_text(name).replace("|", r"\|")
        option = "VARIANT" if name == "variant" else option_name(name)
        rows.append(f"| `{option}` | {format_value(default_of(name))} | {values} | {spec.help} |")
    return "\n".join(rows) + "\n"


def reference_report() -> str:
    """Table and verdicts as ``alexnet-tui report`` prints them in a fresh clone, up to where they come from."""
    with tempfile.TemporaryDirectory() as folder:  # A developer's own runs/ holds other runs too.
        shutil.copytree(README.parent / "runs" / "reference", Path(folder, "reference"))
        text = printed(folder, "report")
    return f"```text\n{text[: text.index('Provenance')].rstrip()}\n```\n"


def readings() -> str:
    """The finished readings beside the published figures, as the README's commands print them."""
    with tempfile.TemporaryDirectory() as folder:
        for archive in ("runs/readings.tar.gz", "runs/readings-gpu.tar.xz"):
            printed(folder, "import", archive)
        return f"```text\n{printed(folder, 'study', 'readings').rstrip()}\n```\n"


def printed(runs: str, *words: str) -> str:
    """What a command prints, run in the clone on a folder of runs."""
    environment = {**os.environ, "ALEXNET_TUI_RUNS": runs, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "alexnet_tui", *words]
    return subprocess.run(command, cwd=README.parent, env=environment, capture_output=True, check=True).stdout.decode()


def between(marks: tuple[str, str], text: str) -> str:
    start, end = marks
    return text[text.index(start) + len(start) : text.index(end)]


def test_hyperparameters_are_those_of_the_program() -> None:
    assert between(TABLE, README.read_text(encoding="utf-8")) == table(), "run: python tests/test_readme.py"


@pytest.mark.slow
def test_the_report_on_the_reference_runs_is_what_the_program_prints() -> None:
    assert between(REPORT, README.read_text(encoding="utf-8")) == reference_report(), "run: python tests/test_readme.py"


@pytest.mark.slow
def test_the_table_of_readings_is_what_the_program_prints() -> None:
    assert between(READINGS, README.read_text(encoding="utf-8")) == readings(), "run: python tests/test_readme.py"


def test_the_first_run_is_the_one_that_the_program_proposes() -> None:
    proposed = " ".join(("alexnet-tui", *FIRST_RUN_WORDS))
    assert proposed in README.read_text(encoding="utf-8")
    assert proposed in str(console.__doc__)


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]*]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert pictures
    assert [name for name in pictures if not (README.parent / name).exists()] == []


if __name__ == "__main__":
    content = README.read_text(encoding="utf-8")
    for marks, written in ((TABLE, table()), (REPORT, reference_report()), (READINGS, readings())):
        content = content.replace("".join((marks[0], between(marks, content), marks[1])), written.join(marks))
    README.write_text(content, encoding="utf-8")
