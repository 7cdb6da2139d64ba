"""Command lines that the program tells people to paste: they parse, and they mean the folder that is meant."""

import ast
import functools
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_caller import Run, on_a_terminal
from fake_runs import write_run

from alexnet_tui import paths
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.cli.app import parser
from alexnet_tui.command_lines import commands_on, shell_command
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import UsageError
from alexnet_tui.report.build import build_selection
from alexnet_tui.report.wording import registered, secondary_text
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan
from alexnet_tui.tui.screens.report import source as report_source

PACKAGE = Path(paths.__file__).parent
QUICK = {"epochs": "1", "data": "synthetic"}
_ADVISERS = {"shell_command", "advise", "study_command"}
_QUOTED = re.compile(r"`(alexnet-tui [^`]*)`|(alexnet-tui [^`;\n]*)(?:[;\n]|$)")
_EXAMPLE = re.compile(r"Example: (alexnet-tui [^\n]+(?:\n +-[^\n]+)?)")


def parse(line: str) -> list[str]:
    """The command that a command line names; the parser raises where it does not take the line."""
    program, *words = shlex.split(line)
    assert program == "alexnet-tui"
    command: Any = _command()
    context: Any = None
    names: list[str] = []
    while True:
        context = command.make_context(names[-1] if names else program, words, parent=context)
        rest = [*context._protected_args, *context.args] if hasattr(command, "resolve_command") else []
        if not rest:
            return names
        name, command, words = command.resolve_command(context, rest)
        names.append(name)


@functools.cache
def _command() -> Any:
    return typer.main.get_command(parser())


def advised(text: str) -> list[str]:
    """The command lines in a message: between backticks, or up to the end of the line."""
    return [(quoted or bare).rstrip(" .)") for quoted, bare in _QUOTED.findall(text)]


def written_out(module: ast.Module) -> Iterator[str]:
    """Command lines that stand in a module's texts, as examples or as advice; what is filled in is ``x``."""
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        yield from (" ".join(line.split()) for line in _EXAMPLE.findall(text))
        yield from re.findall(r"`(alexnet-tui [^`]*)`", text)


def composed(module: ast.Module) -> Iterator[str]:
    """Command lines that a module has made; what is not written out there is ``x``, and a number ``1``."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _name(node.func) in _ADVISERS and node.args:
            given = [
                word for word in node.args if not (isinstance(word, ast.Starred) and isinstance(word.value, ast.Call))
            ]
            words = [word.value if isinstance(word, ast.Constant) else _filled_in(word) for word in given]
            if given and not any(isinstance(word, ast.Starred) for word in given) and words[0] != "x":
                yield shlex.join(
                    ["alexnet-tui", *(["study"] if _name(node.func) == "study_command" else []), *map(str, words)]
                )


def _filled_in(word: ast.expr) -> str:
    """What stands for a word that the program knows only as it runs: numbers are made texts, names are texts."""
    return "1" if isinstance(word, ast.Call) and _name(word.func) == "str" else "x"


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


# Not advised but named, as the place where data sets get their names, and a way out of the parser.
_NAMED = {"alexnet-tui data add", "alexnet-tui --help"}


@pytest.mark.slow
def test_every_command_that_is_advised_parses() -> None:
    found = set[tuple[str, str]]()
    for path in PACKAGE.rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        found |= {(path.name, line) for line in {*written_out(module), *composed(module)} - _NAMED}
    lines = {line for _, line in found}
    assert {"alexnet-tui study run x", "alexnet-tui resume x --headless", "alexnet-tui stop x --now"} <= lines
    assert len(found) > 40
    refused = {}
    for name, line in sorted(found):
        if any(word.isupper() for word in line.split()):  # It says itself what to fill in.
            continue
        try:
            assert parse(line), line
        except Exception as error:  # noqa: BLE001 - whatever the parser raises, of which line and module is told.
            refused[name, line] = repr(error)
    assert refused == {}


def test_the_parser_of_this_test_takes_no_nonsense() -> None:
    assert parse("alexnet-tui study run mine --parallel 2") == ["study", "run"]
    assert parse("alexnet-tui study run mine --headless") == ["study", "run"]
    assert parse("alexnet-tui --runs-dir /tmp/x") == []
    for line in ("alexnet-tui study run", "alexnet-tui compare", "alexnet-tui runs mine", "alexnet-tui show x --nope"):
        with pytest.raises(Exception, match=r"Missing|unexpected|No such"):
            parse(line)


def test_a_command_is_quoted_and_names_a_folder_that_is_not_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell_command("show", "last") == "alexnet-tui show last"
    assert shell_command("runs", root=Path("runs")) == "alexnet-tui runs"
    assert shell_command("runs", root=Path("runs").absolute()) == "alexnet-tui runs"
    assert shell_command("show", "a b", root=Path("my runs")) == "alexnet-tui show 'a b' --runs-dir 'my runs'"
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path))
    assert commands_on(tmp_path)("runs") == "alexnet-tui runs"
    assert commands_on(Path("runs"))("runs") == "alexnet-tui runs --runs-dir runs"


def plan(store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=[0], overrides=QUICK)


def test_the_report_on_a_study_that_is_only_planned_advises_the_command_that_trains_it(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(store)
    told = {"in the console": report_source.make(store, report_source.of_study("mine"))[0].sections[0].notes[0]}
    monkeypatch.delenv("ALEXNET_TUI_RUNS")
    told["elsewhere"] = report_source.make(store, report_source.of_study("mine"))[0].sections[0].notes[0]
    told["a command"] = run("report", "mine", "--runs-dir", str(store.root)).err
    told["the folder first"] = run("--runs-dir", str(store.root), "report", "mine").err
    lines = {where: advised(text) for where, text in told.items()}
    here = f"alexnet-tui study run mine --runs-dir {store.root}"
    assert lines == {
        "in the console": ["alexnet-tui study run mine"],
        "elsewhere": [here],
        "a command": [here],
        "the folder first": [here],
    }
    assert parse(here) == ["study", "run"]


def test_own_runs_that_are_not_there_are_reproduced_and_not_a_study_of_nobody(store: Store) -> None:
    assert advised(build_selection(select_runs(store)).sections[0].notes[0]) == [
        f"alexnet-tui study reproduce --runs-dir {store.root}"
    ]


def test_what_stands_beside_claim_2_advises_commands_that_take_its_settings(store: Store) -> None:
    write_run(store, RunConfig(epochs=2, data="synthetic", lrn=True))
    beside = " ".join(secondary_text(one) for one in build_selection(select_runs(store)).claims[1].secondary)
    lines = advised(beside)
    assert [parse(line) for line in lines] == [["study", "new"], ["study", "run"]]
    assert "--lrn" in lines[0]


def train_inconclusive(store: Store, *, variants: Sequence[str] = ("baseline", "four-conv"), spread: float) -> Plan:
    """A registered study whose third claim takes more seeds than it has."""
    made = planning.plan_variants(store, "mine", variants=variants, seeds=range(5), overrides={"epochs": "6"})
    for config in made.configs:
        final = 0.5 + spread * config.seed + 0.005 * (config.variant == "baseline")
        write_run(store, config, study="mine", plan_sha256=made.sha256, final=final)
    return made


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_a_report_advises_commands_that_parse_and_name_the_folder_it_read(
    form: str, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_inconclusive(store, spread=0.005)
    write_run(store, RunConfig(epochs=2, data="synthetic", lrn=True))
    monkeypatch.delenv("ALEXNET_TUI_RUNS")
    monkeypatch.setenv("COLUMNS", "9999")
    text = run("report", "--runs-dir", str(store.root), "--format", form).out
    lines = {line.replace("\\", "") for line in re.findall(r"\\?`(alexnet-tui [^`]*?)\\?`", text)}
    assert sorted({tuple(parse(line)) for line in lines}) == [("study", "extend"), ("study", "new"), ("study", "run")]
    for line in lines:
        assert line.endswith(f" --runs-dir {store.root}")


def test_no_plan_of_more_runs_than_a_study_can_have_is_advised(store: Store) -> None:
    made = train_inconclusive(store, spread=0.005)
    (section,) = build_selection(select_runs(store, ["mine"])).sections
    needed = section.claims[2].seeds_needed or 0
    assert section.extend == f"alexnet-tui study extend mine --seeds {needed} --runs-dir {store.root}"
    assert made.most_further_seeds == 500
    planning.extend(store, "mine", 500)
    with pytest.raises(UsageError, match="1 to 1000 runs"):
        planning.extend(store, "mine", 501)


def test_what_takes_more_seeds_than_one_plan_holds_is_told_without_a_command(store: Store) -> None:
    train_inconclusive(store, spread=0.02)
    (section,) = build_selection(select_runs(store, ["mine"])).sections
    needed = section.claims[2].seeds_needed or 0
    assert 500 < needed <= 1000
    assert f"With this spread {needed} seeds" in " ".join(section.claims[2].reasons)
    assert section.extend == ""
    assert "study extend" not in registered(section)


@pytest.mark.parametrize(
    "words", [("study", "status"), ("study", "list"), ("runs",), ("study", "new", "mine"), ("report",)]
)
def test_advice_on_the_command_line_parses_and_names_the_folder(
    words: tuple[str, ...], store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALEXNET_TUI_RUNS")
    lines = advised(run(*words, "--runs-dir", str(store.root)).err)
    assert lines
    for line in lines:
        assert parse(line)
        assert line.endswith(f" --runs-dir {store.root}")


def test_show_advises_how_to_go_on_in_the_same_folder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record = write_run(store, RunConfig(epochs=2), epochs_done=1, end=ev.Stopped(epoch=1, step=10, reason="SIGTERM"))
    monkeypatch.delenv("ALEXNET_TUI_RUNS", raising=False)
    line = f"  alexnet-tui resume {record.id} --runs-dir {store.root}"
    assert len(line) > 80
    assert line in on_a_terminal("show", record.id, "--runs-dir", str(store.root)), "one line, however long"
