"""The command line: what it prints, and the code it leaves with."""

import errno
import functools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import fake_runs
import msgspec
import pytest
import typer
from cli_caller import Play, Run

from alexnet_tui import __main__ as start
from alexnet_tui.cli import main as cli
from alexnet_tui.cli import options as cli_options
from alexnet_tui.cli.app import parser
from alexnet_tui.config import hyperparameters as config
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ExitCode, StoreError
from alexnet_tui.launch import probe as describe
from alexnet_tui.launch.registry import LAUNCHERS
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_run_trains_and_prints_the_record(run: Run, play: Play, store: Store) -> None:
    play("normal")
    result = run("run", "tanh", "--data", "synthetic", "--epochs", "2", "--label", "first", "--learning-rate", "1e-3")
    assert result.code == 0
    run_id = store.resolve("last")
    assert result.out == (store.path(run_id) / "events.jsonl").read_text()
    record = store.record(run_id)
    assert record.label == "first"
    assert record.config == RunConfig(variant="tanh", activation="tanh", data="synthetic", epochs=2, learning_rate=1e-3)
    assert "finished: test accuracy" in result.err


@pytest.mark.slow
def test_run_keeps_presets_that_no_option_overrides(run: Run, play: Play, store: Store) -> None:
    play("normal")
    run("run", "--front-end", "same32", "--groups", "1", "--data", "synthetic", "--epochs", "1", "--no-lrn")
    chosen = store.record(store.resolve("last")).config
    assert (chosen.front_end, chosen.groups, chosen.lrn) == ("same32", 1, False)
    run("run", "--front-end", "same32", "--data", "synthetic", "--epochs", "1")
    chosen = store.record(store.resolve("last")).config
    assert (chosen.groups, chosen.lrn) == (2, True)


def test_every_hyperparameter_is_an_option_with_default_and_range(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERMINAL_WIDTH", "300")
    text = " ".join(run("run", "--help").out.split())
    for name, spec in config.SPECS.items():
        assert name == "variant" or f"{config.option_name(name)} " in text
        assert spec.help in text
        assert f"default {config.format_value(config.default_of(name))})" in text
        assert f"{spec.group.capitalize()}:" in text
    assert "Example: alexnet-tui run low-dropout" in text


def test_options_are_a_frozen_public_surface(run: Run) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", run("run", "--help").out))
    own = {"--label", "--headless", "--json", "--dry-run", "--runs-dir", "--help", "--no-lrn", "--launcher", "--extend"}
    own |= {"--trust"} | {f"--{option.name}" for entry in LAUNCHERS.values() for option in entry.options}
    fields = {config.option_name(name) for name in config.SPECS if name != "variant"}
    assert options == own | fields


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run", "basline"], 2, "VARIANT: there is no 'basline'; did you mean baseline?"),
        (["run", "--dropout", "1.5"], 2, "--dropout: must be 0 to 0.95, not 1.5."),
        (["run", "--batch-size", "0"], 2, "--batch-size: must be 1 or more, not 0."),
        (["run", "--learning-rate", "-1"], 2, "--learning-rate: must be above 0, not -1."),
        (["run", "--epochs", "many"], 2, "--epochs: must be a number (1 or more), not 'many'."),
        (["run", "--front-end", "same23"], 2, "--front-end: there is no 'same23'; did you mean same32?"),
        (["study", "new", "x", "--seeds", "0"], 2, "--seeds: must be 1 to 1000, not 0."),
        (["study", "new", "x", "--first-seed", "-1"], 2, "--first-seed: must be 0 or more, not -1."),
        (["run", "--device", "gpu"], 2, "--device: 'gpu' is not valid."),
        (["run", "--data", "../../etc"], 2, "--data: '../../etc' is not valid."),
        (["run", "--data", "nothing-here"], 3, "data set nothing-here: "),
        (["run", "--data", "synthetic", "--train-images", "10001"], 3, "has 10,000 training images; --train-images"),
        (["study", "new", "x", "--data", "synthetic", "--train-images", "10001"], 3, "has 10,000 training images;"),
        (["run", "--variant", "tanh"], 2, "no option --variant; the variant stands by itself: alexnet-tui run tanh"),
        (["run", "--epochs", "1", "--variant=tanh"], 2, "stands by itself: alexnet-tui run tanh"),
        (["compare", "nope"], 3, "there is no study and no run 'nope'"),
        (["report", "nope"], 3, "there is no study and no run 'nope'"),
        (["export", "nope"], 3, "there is no study and no run 'nope'"),
        (
            ["report", "-o", "rep.xyz"],
            2,
            "names no format; use one of .txt, .md, .html, .htm, .tex, .json, or --format",
        ),
        (["study", "status"], 2, "there are no studies yet"),
        (["run", "--label", "x", "--dta", "x"], 2, "No such option: --dta"),
        (["rnu"], 2, "No such command 'rnu'. Did you mean run?"),
        (["tsak"], 2, "No such command 'tsak'. ("),
        (["status"], 2, "No such command 'status'. Did you mean runs or show?"),
        (["train", "tanh"], 2, "No such command 'train'. Did you mean run?"),
        (["ls"], 2, "No such command 'ls'. Did you mean runs?"),
        (["study", "ls"], 2, "No such command 'ls'. Did you mean list?"),
        (["run", "tanh", "--epoch", "3"], 2, "No such option: --epoch. Did you mean --epochs?"),
        (["run", "--headles"], 2, "No such option: --headles. Did you mean --headless?"),
        (["runs", "--jsno"], 2, "No such option: --jsno. Did you mean --json?"),
        (["runs", "--tea"], 2, "No such option: --tea. ("),
        (["run", "--epochs", ""], 2, "--epochs: needs a whole number (1 or more)."),
        (["study", "reproduce", "--data", "nosuch"], 3, "data set nosuch: there is none of that name"),
        (["show"], 2, "Missing argument 'RUN'"),
        (["show", "nope"], 3, "there is no run 'nope'; `alexnet-tui runs` lists them."),
        (["show", "\x1b]0;x"], 3, r"x1b]0;x'; `alexnet-tui runs` lists them."),
        (["resume", "../../tmp"], 3, "there is no run '../../tmp'"),
        (["stop", ""], 3, "there is no run ''"),
        ([], 2, "the console needs a terminal"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    run: Run, store: Store, arguments: list[str], code: int, sentence: str
) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("alexnet-tui: ")
    assert sentence in result.err
    assert result.err.count("\n") == 1
    assert not store.root.exists()


def test_a_device_that_is_not_there_is_refused_before_there_is_a_run(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = "import sys; sys.exit(sys.stderr.write('alexnet-tui: cuda:9 is not here; cpu is.\\n') and 2)"
    command = (sys.executable, "-c", refuse)
    monkeypatch.setattr(describe, "describe", functools.partial(describe.describe, command=command))
    result = run("run", "--device", "cuda:9", "--data", "synthetic")
    assert (result.code, result.err) == (2, "alexnet-tui: cuda:9 is not here; cpu is.\n")
    assert not store.root.exists()


def test_dry_run_shows_configuration_and_layers_and_writes_nothing(run: Run, store: Store) -> None:
    plan = json.loads(run("run", "four-conv", "--front-end", "same32", "--dry-run", "--json").out)
    assert plan["config"]["removed_conv_layer"] == "4"
    assert plan["config"]["lrn"] is True
    names = [layer["name"] for layer in plan["layers"]]
    assert any(name.startswith("conv 5") for name in names)
    assert not any(name.startswith("conv 4") for name in names)
    assert plan["layers"][-1]["shape"] == [10]
    assert plan["num_parameters"] == sum(layer["parameters"] for layer in plan["layers"])
    table = run("run", "four-conv", "--dropout", "0.25", "--dry-run").out
    assert re.search(r"--dropout +0\.25 +changed", table)
    assert re.search(r"dense 8 +10 +40,970", table)
    assert re.search(r"VARIANT +four-conv", table)
    assert "--variant" not in table
    assert not store.root.exists()


def test_fault_29_a_folder_that_cannot_be_looked_into_is_a_sentence(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_runs.write_run(store, RunConfig(epochs=1))
    (store.root / "studies").mkdir()

    def refuse(path: object = ".") -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    for words in (("study", "list"), ("report",), ("study", "show", "x"), ("export",)):
        done = run(*words)
        assert (done.code, "studies cannot be read (permission denied)" in done.err) == (3, True), words
    assert run("runs").code == 0
    monkeypatch.setattr(Path, "glob", lambda path, pattern: refuse(path))
    assert "synthetic" in run("data", "list").out


def test_fault_29_a_read_only_runs_folder_is_a_sentence(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = run("run", "--data", "synthetic", "--runs-dir", str(file / "runs"))
    assert result.code == 3
    assert "a run cannot be created here" in result.err


def test_a_runs_folder_that_cannot_be_written_is_told_before_data_are_prepared(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link/runs"):
        result = run("run", "--data", "synthetic", "--runs-dir", str(tmp_path / name))
        assert (result.code, result.err.count("a run cannot be created here")) == (3, 1)
    assert "drawing" not in result.err
    assert not (tmp_path / "data").exists()


def test_runs_dir_may_stand_before_the_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Store(tmp_path / "other")
    record = fake_runs.write_run(other, RunConfig(epochs=1))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", "put back after the test")
    assert json.loads(run("--runs-dir", str(other.root), "runs", "--json").out)[0]["id"] == record.id


def test_doctor_reports_each_check_and_stays_out_of_the_way(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"device": "cpu", "precision": "fp32", "step_milliseconds": 100.0, "new": 1})
    command = (sys.executable, "-c", f"print('chatter'); print({answer!r})")
    monkeypatch.setattr(describe, "probe", functools.partial(describe.probe, command=command))
    store.create(RunConfig())
    before = sorted(store.root.iterdir())
    result = run("doctor", "--json")
    checks = {row["check"]: row for row in json.loads(result.out)}
    assert result.code == 0
    assert {"python", "torch", "textual", "device", "runs folder", "data synthetic", "terminal"} <= set(checks)
    assert checks["device"]["detail"].startswith("cpu, fp32: 100.0 ms a step of 128 images (1,280 images/s)")
    assert checks["runs folder"]["detail"].startswith(f"{store.root}: 1 run, ")
    assert sorted(store.root.iterdir()) == before
    assert "100.0 ms a step" in run("doctor").out


def test_doctor_says_what_is_wrong(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('No module named torch')")
    monkeypatch.setattr(describe, "probe", functools.partial(describe.probe, command=command))
    file = tmp_path / "file"
    file.write_text("")
    result = run("doctor", "--json", "--runs-dir", str(file))
    checks = {row["check"]: row for row in json.loads(result.out)}
    assert result.code == 1
    assert checks["device"]["health"] == checks["runs folder"]["health"] == "problem"
    assert "No module named torch" in checks["device"]["detail"]


def test_a_fault_of_ours_is_a_sentence_and_a_crash_log(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def explode(_: Store) -> None:
        raise ZeroDivisionError("\x1b[2Jboom")

    monkeypatch.setattr(Store, "list", explode)
    result = run("runs")
    log = tmp_path / "state" / "alexnet-tui" / "crash.log"
    assert result.code == 1
    assert result.err == (
        r"alexnet-tui: something unexpected happened (ZeroDivisionError: \x1b[2Jboom)."
        f" The details are in {log}.\n"
    )
    assert "Traceback" in log.read_text()


def test_ctrl_c_leaves_quietly_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Store) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "list", interrupt)
    result = run("runs")
    assert (result.code, result.out, result.err) == (130, "", "")


@pytest.mark.slow
def test_a_reader_that_leaves_early_causes_no_noise(store: Store) -> None:
    for seed in range(3):
        fake_runs.write_run(store, RunConfig(epochs=200, seed=seed))
    command = f"{sys.executable} -m alexnet_tui show last --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ALEXNET_TUI_RUNS": str(store.root)},
        capture_output=True,
        check=True,
    )
    assert (len(done.stdout), done.stderr) == (10, b"")


@pytest.mark.slow
def test_completion_knows_runs_variants_and_data_sets(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record = store.create(RunConfig())
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(store.root))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_ALEXNET_TUI_COMPLETE": "complete_bash",
        "COMP_CWORD": "2",
    }

    def complete(words: str, position: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "alexnet_tui"],
            env={**environment, "COMP_WORDS": words, "COMP_CWORD": str(position)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split()

    assert complete("alexnet-tui show base", 2) == [record.id]
    assert complete("alexnet-tui show la", 2) == ["last"]
    assert complete("alexnet-tui run four", 2) == ["four-conv"]
    assert complete("alexnet-tui run --front-end same", 3) == ["same32"]
    assert complete("alexnet-tui run --data synth", 3) == ["synthetic"]

    elsewhere = Store(store.root.parent / "elsewhere")
    there = elsewhere.create(RunConfig(variant="tanh", activation="tanh")).id
    planning.plan_variants(elsewhere, "mine", variants=["tanh"], seeds=[0])
    before = f"alexnet-tui --runs-dir {elsewhere.root}"
    assert complete(f"{before} show ", 4) == ["last", there]
    assert complete(f"{before} study status m", 5) == ["mine"]
    assert complete(f"{before} show --runs-dir {store.root} ", 6) == ["last", record.id], "the nearer one holds"


def test_completion_of_an_unreadable_folder_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreError):
        Store(file).ids()
    context = typer.Context.__new__(typer.Context)
    context.parent, context.params = None, {"runs_dir": file}
    assert cli_options.complete_run(context, "") == []


def test_attack_15_the_record_of_a_run_hides_secrets_in_the_command(
    run: Run, play: Play, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    play("normal")
    monkeypatch.setenv("WANDB_API_KEY", "canary-1")
    monkeypatch.setattr(sys, "argv", ["/bin/alexnet-tui", "run", "--token", "canary-2", "http://u:canary-3@h/"])
    run("run", "--data", "synthetic", "--epochs", "1")
    record = store.record(store.resolve("last"))
    assert record.argv[:3] == ["alexnet-tui", "run", "--token"]
    content = b"".join(path.read_bytes() for path in store.path(record.id).rglob("*") if path.is_file())
    assert b"canary" not in content
    assert b"canary" not in msgspec.json.encode(record)


def test_initials_get_the_option_they_stand_for(run: Run) -> None:
    for wrong, right in (("--lr", "--learning-rate"), ("--bs", "--batch-size"), ("--wd", "--weight-decay")):
        error = run("run", wrong, "1").err
        assert right in error
        assert "--lrn" not in error


def test_every_command_has_an_example_and_lists_the_exit_codes(run: Run) -> None:
    """Each line of help is whole at any width, and every command says how it is used."""
    pending: list[tuple[str, ...]] = [()]
    seen = 0
    while pending:
        words = pending.pop()
        text = run(*words, "--help").out
        assert not re.search(r"-$", text, re.MULTILINE), (words, "an option or a name is cut in two")
        if "Commands:" in text:
            block = text.partition("Commands:\n")[2].partition("\n\n")[0]
            pending += [(*words, line.split()[0]) for line in block.splitlines() if re.match("  [a-z]", line)]
        else:
            assert "\n  Example: alexnet-tui " in text, words
            seen += 1
    assert seen >= 20
    codes = run("--help").out.partition("Exit codes:")[2]
    assert all(str(int(code)) in codes for code in ExitCode)


@pytest.mark.slow
@pytest.mark.parametrize("group", [(), ("study",), ("claims",), ("data",)])
def test_what_a_command_does_is_a_whole_sentence_in_the_list_of_commands(run: Run, group: tuple[str, ...]) -> None:
    commands = run(*group, "--help").out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


def test_an_output_that_is_closed_or_full_is_a_sentence(store: Store) -> None:
    fake_runs.write_run(store, RunConfig(epochs=2))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ALEXNET_TUI_RUNS": str(store.root)}
    for words in ("show last", "export --format json"):
        for redirection in (">&-", ">/dev/full") if Path("/dev/full").exists() else (">&-",):
            done = subprocess.run(
                ["bash", "-c", f"{sys.executable} -m alexnet_tui {words} {redirection}"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr.count("\n")) == (3, 1), (words, redirection, done.stderr)
            assert done.stderr.startswith("alexnet-tui: the output could not be written")


def test_every_command_is_found_where_its_module_alone_is_loaded() -> None:
    every = typer.main.get_command(parser())
    assert isinstance(every, typer.core.TyperGroup)
    for name in every.commands:
        alone = typer.main.get_command(parser(name))
        assert isinstance(alone, typer.core.TyperGroup)
        assert name in alone.commands
        assert len(alone.commands) < len(every.commands), f"{name} loads every module"


def test_ctrl_c_means_what_it_meant_once_the_command_line_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(cli, "main", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in (signal.default_int_handler, signal.SIG_IGN):
            signal.signal(signal.SIGINT, handler)
            start.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.default_int_handler, signal.SIG_IGN]


def test_a_path_that_cannot_be_looked_at_is_a_sentence(
    run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_runs.write_run(store, RunConfig(epochs=1))
    too_long = "x" * 300  # As a folder that one may not search: the file system answers with an error.
    for words in (
        ("import", f"{too_long}.tar.gz"),
        ("report", "--output", f"{too_long}.md"),
        ("export", "--output", f"{too_long}.csv"),
    ):
        found = run(*words)
        assert (found.code, "file name too long" in found.err.lower()) == (3, True), found.err
    command = (sys.executable, "-c", "import sys; sys.exit('no torch')")
    monkeypatch.setattr(describe, "probe", functools.partial(describe.probe, command=command))
    assert "runs folder" in run("doctor", "--runs-dir", str(tmp_path / too_long)).out
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(tmp_path / too_long))
    listed = run("data", "list")
    assert (listed.code, "cifar10" in listed.out) == (0, True), listed.err
    assert run("data", "remove", "pets", "--yes").code == 3
