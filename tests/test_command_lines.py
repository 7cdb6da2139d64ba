"""Command lines that can be pasted, for users without a current folder too."""

import subprocess
from pathlib import Path

import pytest

from alexnet_tui import command_lines


def test_advice_needs_no_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert command_lines.shell_command("show", "x", root=tmp_path) == f"alexnet-tui show x --runs-dir {tmp_path}"
    assert command_lines.shell_command("runs", root=Path("runs")) == "alexnet-tui runs"


@pytest.mark.parametrize(
    "word",
    ["plain", "two words", "$(touch PWN)", "it's", "new\nline", "\x1b[31m", "日本", "a\u200bb", "x\\y", "", "-rf", "~"],
)
def test_an_advised_line_can_be_pasted(word: str) -> None:
    line = command_lines.quote_words("printf", "%s\\0", word, "end")
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode() == f"{word}\0end\0"


def test_the_runs_folder_is_named_where_it_is_not_the_usual_one() -> None:
    assert command_lines.shell_command("runs", root=Path("runs")) == "alexnet-tui runs"
    assert command_lines.shell_command("show", "x", root=Path("/r")) == "alexnet-tui show x --runs-dir /r"
    assert (
        command_lines.shell_command("rename", "--", "-rf", root=Path("/r")) == "alexnet-tui rename --runs-dir /r -- -rf"
    )
