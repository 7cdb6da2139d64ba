"""Every figure printed about the reference runs, in every format, against the stored one; words may differ.

``python tests/report/test_reference_figures.py`` stores what the program prints now: only for a change of numbers
that is meant.
"""

import contextlib
import csv
import html
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from alexnet_tui.cli.app import call

STORED = Path(__file__).with_name("reference_figures.json")
RUNS = Path(__file__).resolve().parents[2] / "runs"
NUMBER = re.compile(r"\d[\d:.]*")


def printed(*arguments: str) -> str:
    """Standard output of a command on the reference runs."""
    output = io.StringIO()
    variables = {"ALEXNET_TUI_RUNS": str(RUNS), "COLUMNS": "120"}
    with mock.patch.dict(os.environ, variables), contextlib.redirect_stdout(output):
        assert call(arguments) == 0
    return output.getvalue()


def rounded(value: object) -> object:
    """Twelve digits: what another order of summation may not change."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def report_figures(report: Mapping[str, Any]) -> dict[str, object]:
    """The tables and the claims' values of ``report --format json``, section by section."""
    return {str(index): section_figures(section) for index, section in enumerate(report["sections"])}


def section_figures(section: Mapping[str, Any]) -> dict[str, object]:
    rows = {}
    for row in section["rows"]:
        cells = {name: [cell["published"], rounded(cell["ours"]["mean"])] for name, cell in row["cells"].items()}
        values = {name: [rounded(run["value"]) for run in cell["ours"]["runs"]] for name, cell in row["cells"].items()}
        rows[row["group"]] = {"cells": cells, "values": values, "speed": rounded(row["time_ratio"])}
    claims = {
        str(claim["number"]): {
            "published": rounded(claim["published_effect"]),
            "runs": sorted({(seen["run_id"], rounded(seen["value"])) for seen in dictionaries(claim, "seed")}),
            "also": [rounded(one["value"]) for one in claim["secondary"]],
        }
        for claim in section["claims"]
    }
    return {"rows": rows, "claims": claims}


def dictionaries(value: object, key: str) -> Iterator[dict[str, Any]]:
    """Every dictionary below a value that has a key."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for one in value.values():
            yield from dictionaries(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from dictionaries(one, key)


def comparison_figures(comparison: Mapping[str, Any]) -> dict[str, object]:
    """Means and differences of ``compare --json``."""
    return {
        group["name"]: {
            "means": {name: rounded(cell["mean"]) for name, cell in group["cells"].items()},
            "differences": {name: rounded(value) for name, value in group["differences"].items()},
        }
        for group in comparison["groups"]
    }


def checksum(values: Iterable[object]) -> str:
    return f"{zlib.crc32(json.dumps(list(values)).encode()):08x}"


def csv_checksums(text: str) -> dict[str, dict[str, str]]:
    """A checksum for each run and column of measurements."""
    rows = list(csv.DictReader(text.splitlines()))
    columns = [name for name in rows[0] if name not in ("run_id", "label") and not name.startswith("config.")]
    ids = dict.fromkeys(row["run_id"] for row in rows)
    return {
        run_id: {name: checksum(row[name] for row in rows if row["run_id"] == run_id) for name in columns}
        for run_id in ids
    }


def json_checksums(export: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """A checksum for each run and series."""
    return {
        run["record"]["id"]: {
            f"{kind}.{name}": checksum(values) for kind in ("epochs", "steps") for name, values in run[kind].items()
        }
        for run in export["runs"]
    }


def number_rows(text: str) -> list[list[str]]:
    """The numbers of each line of a table: text, Markdown, LaTeX, or HTML, where a row may take several lines."""
    if text.startswith("<!doctype"):
        cells = re.sub(r"\s*</td>\s*", " ", " ".join(re.findall(r"<tr.*?</tr>", text, re.DOTALL)))
        text = html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"</tr>", "\n", cells)))
    return [numbers for line in text.splitlines() if len(numbers := NUMBER.findall(line)) > 1]


def is_within(wanted: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the numbers are in a row, in their order, others between them or not."""
    rest = iter(row)
    return all(any(number == found for found in rest) for number in wanted)


def missing(part: object, whole: object, place: str = "") -> Iterator[str]:
    """Where the stored figures are not those found; what is there beyond them is no fault."""
    if isinstance(part, dict) and isinstance(whole, dict):
        for name, value in part.items():
            if name in whole:
                yield from missing(value, whole[name], f"{place}/{name}")
            else:
                yield f"{place}/{name} is gone"
    elif isinstance(part, list) and isinstance(whole, list) and place.endswith(("/also", "/runs")):
        yield from (f"{place}: no {value}" for value in part if value not in whole)
    elif part != whole:
        yield f"{place}: {whole}, not {part}"


def figures() -> dict[str, object]:
    found = {
        "report": report_figures(json.loads(printed("report", "reference", "--format", "json"))),
        "compare": comparison_figures(json.loads(printed("compare", "reference", "--json"))),
        "csv": csv_checksums(printed("export", "reference", "--format", "csv")),
        "json": json_checksums(json.loads(printed("export", "reference", "--format", "json"))),
    }
    plain: dict[str, object] = json.loads(json.dumps(found))
    return plain


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return content


@pytest.mark.slow
def test_the_figures_are_the_stored_ones(stored: dict[str, Any]) -> None:
    faults = list(missing({name: value for name, value in stored.items() if name != "tables"}, figures()))
    assert faults == []


@pytest.mark.slow
def test_the_tables_of_every_format_hold_the_stored_numbers(stored: dict[str, Any]) -> None:
    """LaTeX has the first table alone, and no speed; a terminal has neither the second nor its own report's T25."""
    tables = {name: [row.split() for row in rows] for name, rows in stored["tables"].items()}
    without_speed = [row[:-1] if ours else row for row, ours in zip(tables["main"], (0, 1) * 4, strict=True)]
    wanted = {
        ("report", "reference"): tables["main"],
        ("report", "reference", "--format", "markdown"): tables["main"] + tables["more"],
        ("report", "reference", "--format", "html"): tables["main"] + tables["more"],
        ("report", "reference", "--format", "latex"): without_speed,
        ("export", "reference", "--format", "latex"): tables["export"],
    }
    for command, rows in wanted.items():
        found = number_rows(printed(*command))
        assert [row for row in rows if not any(is_within(row, one) for one in found)] == [], command


def test_a_changed_figure_is_seen(stored: dict[str, Any]) -> None:
    before = stored["report"]["0"]
    changed = json.loads(json.dumps(before))
    changed["rows"]["baseline"]["cells"]["gap"][1] += 1e-6
    del changed["claims"]["1"]["also"][0]
    assert list(missing(before, changed, "report")) == [
        f"report/rows/baseline/cells/gap: {changed['rows']['baseline']['cells']['gap']},"
        f" not {before['rows']['baseline']['cells']['gap']}",
        f"report/claims/1/also: no {before['claims']['1']['also'][0]}",
    ]
    assert not is_within(["1.0", "2.0"], ["2.0", "1.0"])


if __name__ == "__main__":
    kept = json.loads(STORED.read_text(encoding="utf-8"))["tables"]
    STORED.write_text(json.dumps({**figures(), "tables": kept}, indent=1) + "\n", encoding="utf-8")
