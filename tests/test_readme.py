"""The README says what the program does: its table of hyperparameters, its test command, its pictures.

``python tests/test_readme.py`` rewrites the table.
"""

import re
from pathlib import Path

from alexnet_tui.config import SPECS, default_of, format_value, option_name, range_text

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- hyperparameters -->\n", "<!-- end of hyperparameters -->"


def table() -> str:
    rows = ["| option | default | values | |", "|---|---|---|---|"]
    for name, spec in SPECS.items():
        values = range_text(name).replace("|", r"\|")
        option = "VARIANT" if name == "variant" else option_name(name)
        rows.append(f"| `{option}` | {format_value(default_of(name))} | {values} | {spec.help} |")
    return "\n".join(rows) + "\n"


def test_hyperparameters_are_those_of_the_program() -> None:
    text = README.read_text(encoding="utf-8")
    assert text[text.index(START) + len(START) : text.index(END)] == table(), "run: python tests/test_readme.py"


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]*]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(pictures) >= 3
    assert [name for name in pictures if not (README.parent / name).exists()] == []


def test_there_is_exactly_one_test_command_and_it_runs_pytest() -> None:
    found = re.findall(r"<!-- test command -->\n```sh\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    assert "pytest" in found[0]


if __name__ == "__main__":
    content = README.read_text(encoding="utf-8")
    start, end = content.index(START) + len(START), content.index(END)
    README.write_text(content[:start] + table() + content[end:], encoding="utf-8")
