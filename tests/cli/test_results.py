"""The commands `report`, `compare` and `export`, as a person calls them."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from cli_caller import Run
from fake_runs import write_run
from typer.testing import CliRunner, Result

from alexnet_tui.cli.commands import compare, export, report
from alexnet_tui.config.claims import load_claims
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import READINGS, swept_text
from alexnet_tui.errors import ExitCode, RunNotFoundError, StoreError, UsageError
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.tui.settings import change_settings

VALUES = {"baseline": (0.60, 0.30), "low-dropout": (0.57, 0.40), "tanh": (0.58, 0.25), "four-conv": (0.55, 0.30)}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of five seeds of the four variants, 20 epochs, written once."""
    store = Store(tmp_path_factory.mktemp("template") / "runs")
    plan = planning.plan_variants(store, "mine", variants=tuple(VALUES), seeds=range(5), overrides={"epochs": "20"})
    for config in plan.configs:
        final, gap = (value + config.seed / 1000 for value in VALUES[config.variant])
        write_run(store, config, study="mine", plan_sha256=plan.sha256, final=final, gap=gap)
    return store.root


@pytest.fixture
def full(template: Path, store: Store) -> Store:
    """A copy of that study to work on."""
    shutil.copytree(template, store.root)
    return store


def call(store: Store, *arguments: str) -> Result:
    app = typer.Typer()
    for module in (report, compare, export):
        module.register(app)
    result = CliRunner().invoke(
        app, [*arguments, "--runs-dir", str(store.root)], env={"COLUMNS": "80"}, catch_exceptions=True
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_report_prints_the_table_and_three_verdicts_in_eighty_columns(full: Store) -> None:
    result = call(full, "report", "mine")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    assert any(line.startswith("baseline    study ") and "59.33" in line for line in lines)
    assert sum(line.startswith("Claim ") for line in lines) == 3
    assert "✓ SUPPORTED" in lines
    assert "selected on test" in result.stdout
    assert "20 started, 20 finished" in result.stdout


@pytest.mark.slow
def test_a_width_of_zero_is_none(full: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = run("report").out
    for columns in ("0", "00", "-1", "wide"):
        monkeypatch.setenv("COLUMNS", columns)
        assert run("report").out == text
    monkeypatch.setenv("COLUMNS", "40")
    assert run("report").out not in {"", text}


def test_report_json_has_three_claims(full: Store) -> None:
    data = json.loads(call(full, "report", "--format", "json").stdout)
    assert [claim["number"] for claim in data["claims"]] == [1, 2, 3]
    assert data["claims"][0]["verdict"] == "supported"
    assert data["sections"][0]["registration"]["study"] == "mine"
    assert data["claims"][2]["effect"]["estimate"] == pytest.approx(5.0, abs=0.5)


@pytest.mark.slow
def test_report_writes_the_format_of_the_file_s_ending(full: Store, tmp_path: Path) -> None:
    starts = {
        "r.html": "<!doctype html>",
        "r.md": "# Reproducib",
        "r.tex": "% Needs in the preamble:",
        "r.json": "{",
        "r.txt": "Report on",
    }
    for name, begin in starts.items():
        result = call(full, "report", "--output", str(tmp_path / name))
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
        assert result.stdout == ""
    with pytest.raises(UsageError, match=r"\.html.*--format"):
        call(full, "report", "--output", str(tmp_path / "r.xyz"))
    call(full, "report", "--output", str(tmp_path / "r.xyz"), "--format", "json")
    assert (tmp_path / "r.xyz").read_text(encoding="utf-8").startswith("{")
    with pytest.raises(StoreError, match="cannot be written"):
        call(full, "report", "--output", str(tmp_path / "no" / "such" / "folder.md"))


def test_an_output_that_is_no_regular_file_is_written_to_and_a_folder_is_a_sentence(
    full: Store, tmp_path: Path
) -> None:
    for command in (["report"], ["report", "--format", "html"], ["export"], ["export", "--format", "latex"]):
        with pytest.raises(StoreError, match="this is a folder; name a file"):
            call(full, *command, "--output", str(tmp_path))
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    call(full, "report", "mine", "--output", str(pipe))
    reader.join(timeout=60)
    assert len(json.loads(received[0])["claims"]) == 3
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_compared_columns_stand_below_each_other_and_minus_is_a_hyphen(full: Store) -> None:
    lines = call(full, "compare", "mine").stdout.splitlines()
    heads = [line for line in lines if line.startswith(("Differs in", "Results"))]
    ends = [[match.end() for match in re.finditer(r"\S+", line)][-2:] for line in heads]
    assert len(heads) >= 2
    assert ends[0] == ends[1]
    assert any(re.search(r" -\d", line) for line in lines)
    assert "\u2212" not in "".join(lines)


def test_explain_traces_verdicts_to_runs(full: Store) -> None:
    text = call(full, "report", "--explain").stdout
    for run_id in full.ids():
        assert f"{run_id} (seed " in text
    assert "252 splits" in text


def test_explain_is_text_and_takes_no_other_form(full: Store, tmp_path: Path) -> None:
    for words in (("--format", "html"), ("--format", "json"), ("--output", str(tmp_path / "why.html"))):
        with pytest.raises(UsageError, match=r"--explain writes plain text and not (html|json)"):
            call(full, "report", "--explain", *words)
    with pytest.raises(UsageError, match=r"why\.log names no format"):
        call(full, "report", "--explain", "--output", str(tmp_path / "why.log"))
    assert not any(path.name.startswith("why") for path in tmp_path.iterdir())
    text = call(full, "report", "--explain").stdout
    for name, form in (("why.txt", ()), ("why.log", ("--format", "terminal"))):
        call(full, "report", "--explain", "--output", str(tmp_path / name), *form)
        assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_report_of_nothing_says_how_to_get_runs_and_of_no_such_study_is_an_error(store: Store) -> None:
    for options in ((), ("--explain",)):
        result = call(store, "report", *options)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (0, "", 1)
        assert f"`alexnet-tui study reproduce --runs-dir {store.root}`" in result.stderr
        assert "trains a first one in about half a minute." in result.stderr
    with pytest.raises(RunNotFoundError, match="no study and no run 'nowhere'"):
        call(store, "report", "nowhere")


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_study_without_runs_is_named_with_what_trains_them(store: Store, tmp_path: Path, command: str) -> None:
    planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0])
    with pytest.raises(UsageError, match="mine has no run yet; `alexnet-tui study run mine .* trains"):
        call(store, command, "mine", "--output", str(tmp_path / "x.json"))
    assert not (tmp_path / "x.json").exists()


def test_named_runs_are_exploratory_and_it_says_why(full: Store) -> None:
    names = [name for name in full.ids() if "-s3-" not in name and "-s4-" not in name]
    text = call(full, "report", *names).stdout
    assert text.count("○ EXPLORATORY") == 3
    assert "has 3 finished runs; a verdict needs 5." in text


def test_what_a_run_says_of_itself_cannot_command_the_terminal(store: Store) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07[bold]GPU[/bold]\u202e"
    for seed, device in enumerate(("cpu", evil)):
        config = RunConfig(epochs=6, seed=seed)
        write_run(store, config, label=evil, change_started={"device_class": device, "fingerprint": evil})
    outputs = [call(store, "report", *options) for options in ((), ("--explain",), ("--format", "markdown"))]
    outputs += [call(store, "report", "--format", form) for form in ("html", "latex", "json")]
    outputs += [call(store, "compare", *store.ids(), *options) for options in ((), ("--no-group",), ("--json",))]
    outputs += [call(store, "export", "--format", form) for form in ("csv", "json", "latex")]
    for output in outputs:
        assert not set("\x1b\x07\u202e") & set(output.stdout)
    assert "[bold]GPU[/bold]" in outputs[0].stdout  # Shown as it is, not obeyed as markup.


def test_compare_shows_groups_differences_and_only_what_differs(full: Store) -> None:
    text = call(full, "compare", "mine").stdout
    assert "activation" in text
    assert "learning rate" not in text
    assert "(pinned)" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    data = json.loads(call(full, "compare", "mine", "--json").stdout)
    assert [group["seeds"] for group in data["groups"]] == [[0, 1, 2, 3, 4]] * 4


def test_an_experiment_s_name_stands_for_all_its_runs(full: Store) -> None:
    groups = json.loads(call(full, "compare", "baseline", "tanh", "--json").stdout)["groups"]
    assert [(group["settings"]["variant"], group["seeds"]) for group in groups] == [
        ("baseline", [0, 1, 2, 3, 4]),
        ("tanh", [0, 1, 2, 3, 4]),
    ]


def test_groups_of_a_study_are_called_and_named_as_its_plan_does(store: Store, run: Run) -> None:
    plan = planning.plan_claims(store, "mine", load_claims("paper2012"), seeds=range(2), overrides={"epochs": "2"})
    for config in plan.configs:
        write_run(store, config, study="mine", plan_sha256=plan.sha256)
    write_run(store, RunConfig(epochs=2, seed=9))

    def compared(*names: str) -> list[tuple[str, int]]:
        groups = json.loads(run("compare", *names, "--json").out)["groups"]
        return [(group["name"], len(group["run_ids"])) for group in groups]

    assert compared("mine") == [(name, 2) for name in plan.group_names]
    assert compared("mine/baseline", "weight-decay-0") == [("baseline", 2), ("weight-decay-0", 2)]
    assert "lrn-yes-preprocessing-mean" in run("compare", "mine/lrn-yes-preprocessing-mean", "mine/baseline").out
    unknown = run("compare", "mine/nothing", "mine/baseline")
    assert unknown.code == ExitCode.STORE_OR_DATA
    assert "study 'mine' has no run of a group 'nothing'; its groups are preprocessing-mean, " in unknown.err


def test_readings_are_told_apart_by_what_their_plan_tries(store: Store, run: Run) -> None:
    plan = planning.plan_variants(
        store, "what", variants=["baseline"], seeds=[0, 1], overrides={"epochs": "2"}, protocol=READINGS
    )
    cells = {swept_text(plan.protocol, config): config for config in plan.configs[:36]}
    for text in cells:
        write_run(store, cells[text], study="what", plan_sha256=plan.sha256)
    groups = json.loads(run("compare", "what", "--json").out)["groups"]
    told = {group["distinction"] for group in groups}
    assert len(told) == 36
    assert {"", "decay of the rate", "front end keras-same, mirroring no, learning rate 0.003"} <= told


def test_compare_measures_against_the_pinned_run(full: Store) -> None:
    tanh = next(name for name in full.ids() if name.startswith("tanh-s0"))
    base = next(name for name in full.ids() if name.startswith("baseline-s0"))
    full.change_notes(tanh, lambda _: Notes(label="the \x1b]0;evil\x07 pin"))
    change_settings(lambda settings: setattr(settings.folder(full.root), "pinned", tanh))
    data = json.loads(call(full, "compare", base, tanh, "--json", "--no-group").stdout)
    assert [group["is_pinned"] for group in data["groups"]] == [False, True]
    assert data["groups"][0]["differences"]["final_test"] == pytest.approx(0.02, abs=0.005)
    text = call(full, "compare", base, tanh).stdout
    assert text.count("(pinned)") == 2  # Above the settings and above the results.
    assert "\x1b" not in text
    assert "\x07" not in text


def test_compare_of_one_run_says_what_it_needs(full: Store) -> None:
    with pytest.raises(UsageError, match="needs two or more runs, or a study"):
        call(full, "compare", "last", full.resolve("last"))


@pytest.mark.parametrize(
    ("form", "begin"), [("csv", "run_id,label,"), ("json", "{"), ("latex", "% Needs in the preamble:")]
)
def test_export_writes_to_stdout_or_a_file(full: Store, tmp_path: Path, form: str, begin: str) -> None:
    text = call(full, "export", "mine", "--format", form).stdout
    assert text.startswith(begin)
    call(full, "export", "mine", "--format", form, "--output", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text(encoding="utf-8") == text
    named = tmp_path / f"out.{'tex' if form == 'latex' else form.upper()}"
    call(full, "export", "mine", "--output", str(named))
    assert named.read_text(encoding="utf-8") == text, "the ending names the format"


def test_an_ending_that_names_no_format_is_refused_and_nothing_written(full: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.cvs names no format; use one of \.csv, \.json, \.tex, or --format"):
        call(full, "export", "mine", "--output", str(tmp_path / "x.cvs"))
    with pytest.raises(UsageError, match=r"\.tar\.gz or \.tgz, not as .*x\.zip"):
        call(full, "export", "mine", "--archive", "--output", str(tmp_path / "x.zip"))
    assert not any(path.name.startswith("x.") for path in tmp_path.iterdir())
    call(full, "export", "mine", "--format", "csv", "--output", str(tmp_path / "x.cvs"))


def test_export_to_tensorboard_makes_a_folder_a_run(full: Store, tmp_path: Path) -> None:
    call(full, "export", "mine", "--format", "tensorboard", "--output", str(tmp_path / "logs"))
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == sorted(full.ids())
    with pytest.raises(UsageError, match="--output"):
        call(full, "export", "--format", "tensorboard")


def test_nothing_heavy_is_loaded_to_offer_the_commands() -> None:
    code = (
        "import sys;"
        "from alexnet_tui.cli.commands import compare, export, report;"
        "print([n for n in ('rich.table', 'torch', 'textual', 'numpy', 'alexnet_tui.report.build')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
