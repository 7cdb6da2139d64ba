"""A file that a person named on the command line."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_tui.errors import StoreError
from alexnet_tui.output_file import write_output


def test_output_replaces_a_file_and_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to("deep/second")
    (tmp_path / "deep" / "second").symlink_to(tmp_path / "target")
    for content in (b"first", b"second"):
        write_output(tmp_path / "link", content)
        assert (tmp_path / "target").read_bytes() == content
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["deep", "link", "target"]


def test_output_keeps_the_permissions_of_the_file_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(b"old")
    path.chmod(0o664)
    mask = os.umask(0o077)
    try:
        write_output(path, b"new")
        write_output(tmp_path / "other.csv", b"new")
    finally:
        os.umask(mask)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("results.csv", "other.csv")] == [0o664, 0o600]


def test_output_never_replaces_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
            try:
                write_output(path, b"text")
                assert reader.communicate(timeout=60)[0] == b"text"
            finally:
                reader.kill()
    assert stat.S_ISFIFO(os.lstat(tmp_path / "pipe").st_mode)


OUTPUT = """
import sys
from pathlib import Path
from alexnet_tui.output_file import write_output
print("before", flush=True)
write_output(Path(sys.argv[1]), b"text\\n")
print("after", flush=True)
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_output_to_standard_output_loses_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    if not os.path.exists(tmp_path / name):
        pytest.skip(f"no {name} here")
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", OUTPUT, name], cwd=tmp_path, stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\ntext\nafter\n"


@pytest.mark.skipif(os.access("/dev", os.W_OK), reason="were it replaced after all, the machine would lose it")
def test_output_to_the_null_device_leaves_it_there(tmp_path: Path) -> None:
    write_output(Path("/dev/null"), b"text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("name", [".", "/", "..", "deep"])
def test_output_to_a_folder_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="this is a folder"):
        write_output(Path(name), b"text")
