"""``data``: sets added, listed, prepared and removed on the command line."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_caller import on_a_terminal
from image_sets import small_set, write_folder
from typer.testing import CliRunner, Result

from alexnet_tui.cli.app import parser
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.datasets.prepare import load_dataset
from alexnet_tui.errors import DatasetError, ExitCode, UsageError
from alexnet_tui.paths import data_root


def data(*arguments: str | Path) -> Result:
    return CliRunner().invoke(parser("data"), ["data", *(str(argument) for argument in arguments)])


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pets", small_set())


def test_add_answers_on_stdout_and_talks_on_stderr(pets: Path) -> None:
    result = data("add", pets, "--name", "pets")
    assert result.exit_code == 0
    assert result.stdout.startswith("pets: 6 training and 4 test images of 2 classes")
    assert result.stdout.count("\n") == 1
    assert "decoding 10 images" in result.stderr


def test_add_as_json_is_one_object(pets: Path) -> None:
    result = data("add", pets, "--name", "pets", "--json")
    answer = json.loads(result.stdout)
    assert answer["name"] == "pets"
    assert answer["state"] == "ready"
    assert (answer["num_train"], answer["num_test"], answer["num_classes"]) == (6, 4, 2)
    assert answer["sha256"] == load_dataset("pets", 32).sha256


def test_unreadable_images_are_refused_and_skipped_by_flag(pets: Path) -> None:
    (pets / "train/cat/bad.png").write_bytes(b"not an image")
    refused = data("add", pets, "--name", "pets")
    assert isinstance(refused.exception, DatasetError)
    assert "train/cat/bad.png" in str(refused.exception)
    assert "object at 0x" not in str(refused.exception)
    assert not (data_root() / "pets").exists()
    assert refused.exception.exit_code == ExitCode.STORE_OR_DATA
    skipped = data("add", pets, "--name", "pets", "--skip-unreadable")
    assert skipped.exit_code == 0
    assert "1 unreadable image (train/cat/bad.png" in skipped.stderr


def test_what_was_left_out_is_in_the_answer_the_list_and_the_json(pets: Path) -> None:
    (pets / "train/.ipynb_checkpoints").mkdir()
    (pets / "train/cat/a.gif").write_bytes(b"x")
    for talk in (data("add", pets, "--name", "pets").stderr, data("list").stderr):
        assert "1 hidden or system entry (train/.ipynb_checkpoints/)" in talk
        assert "1 file of another format (train/cat/a.gif)" in talk
    listed = json.loads(data("list", "--json").stdout)[-1]
    added = json.loads(data("add", pets, "--name", "pets", "--json").stdout)
    assert listed["left_out"] == added["left_out"]
    assert {item["reason"]: item["count"] for item in added["left_out"]} == {"hidden": 1, "format": 1}


def test_list_shows_every_set_in_columns_and_as_json(pets: Path) -> None:
    data("add", pets, "--name", "pets")
    lines = data("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "synthetic", "cifar10", "cifar100", "pets"]
    starts = {
        line.index(word)
        for line, word in zip(
            lines[1:], ("prepare", "not here: 170 MB to download", "not here: 169 MB to download", "ready"), strict=True
        )
    }
    assert starts == {lines[0].index("state")}
    assert "downloaded" not in "".join(lines)
    rows = json.loads(data("list", "--json").stdout)
    assert [row["state"] for row in rows] == ["prepare", "download", "download", "ready"]
    assert [(row["name"], row["state"]) for row in rows][-1] == ("pets", "ready")


def test_hostile_paths_are_listed_printable(tmp_path: Path) -> None:
    data("add", write_folder(tmp_path / "\x1b]0;x\x07", small_set()), "--name", "pets")
    listed = data("list").stdout
    assert "\x1b" not in listed
    assert "\\x1b]0;x\\x07" in listed


def test_prepare_takes_the_size_from_the_front_end(tmp_path: Path) -> None:
    data("add", write_folder(tmp_path / "pets", small_set((40, 30))), "--name", "pets")
    large = next(name for name, front_end in FRONT_ENDS.items() if front_end.image_size > 64)
    assert not data_catalog.is_prepared("pets", FRONT_ENDS[large].image_size)
    assert data("prepare", "pets", "--front-end", large).exit_code == 0
    assert data_catalog.is_prepared("pets", FRONT_ENDS[large].image_size)


def test_a_misspelt_front_end_gets_the_nearest() -> None:
    result = data("prepare", "synthetic", "--front-end", "litteral32")
    assert isinstance(result.exception, UsageError)
    assert "did you mean literal32?" in str(result.exception)


def test_prepare_of_an_unknown_set_is_an_error() -> None:
    assert isinstance(data("prepare", "nothing").exception, DatasetError)


def test_remove_asks_and_needs_yes_without_a_terminal(pets: Path) -> None:
    data("add", pets, "--name", "pets")
    refused = data("remove", "pets")
    assert isinstance(refused.exception, UsageError)
    assert "--yes" in str(refused.exception)
    assert data_catalog.is_prepared("pets", 32)
    assert data("remove", "pets", "--yes").exit_code == 0
    assert "pets" not in [info.name for info in data_catalog.catalog()]
    assert (pets / "train/cat/0.png").is_file()


@pytest.mark.parametrize("yes", [(), ("--yes",)])
@pytest.mark.parametrize("name", ["synthetic", "cifar10", "cifar100"])
def test_remove_of_what_is_not_here_deletes_nothing_and_asks_nothing(name: str, yes: tuple[str, ...]) -> None:
    archive = data_root() / "downloads" / data_catalog.BUILT_IN["cifar100"].archive
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"x")  # Here, and not prepared.
    refused = data("remove", name, *yes)
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception) == f"{name} has no prepared images; there is nothing to remove."
    assert archive.is_file()


def test_remove_forgets_a_set_whose_prepared_images_are_gone(pets: Path) -> None:
    data("add", pets, "--name", "pets")
    for cache in data_root().glob("pets/*-*"):
        shutil.rmtree(cache)
    assert data("remove", "pets", "--yes").exit_code == 0
    assert "pets" not in [info.name for info in data_catalog.catalog()]


@pytest.mark.slow
def test_the_list_fits_a_terminal_and_is_whole_in_a_pipe() -> None:
    for columns, headings in ((80, "name state train test classes"), (44, "name state"), (30, "name")):
        lines = [line for line in on_a_terminal("data", "list", columns=columns) if line]
        assert " ".join(lines[0].split()).startswith(headings)
        assert max(map(len, lines)) <= columns
    assert data("list").stdout.splitlines()[0].endswith("source")


@pytest.mark.parametrize("command", ["add", "list", "prepare", "remove"])
def test_every_help_gives_an_example(command: str) -> None:
    text = data(command, "--help").stdout
    assert f"Example: alexnet-tui data {command}" in text


def test_on_a_terminal_progress_is_a_bar_and_stdout_stays_clean(pets: Path) -> None:
    code = "from alexnet_tui.cli.app import parser; parser('data')()"
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "data", "add", str(pets), "--name", "pets", "--json"],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    stdout, _ = process.communicate(timeout=60)
    content = b""
    with contextlib.suppress(OSError):  # Linux: the last process on the other side has gone.
        while chunk := os.read(leader, 65_536):
            content += chunk
    os.close(leader)
    talk = content.decode(errors="replace")
    assert json.loads(stdout)["num_train"] == 6
    assert "decoding" in talk
    assert "10/10" in talk
