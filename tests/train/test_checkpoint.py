"""Checkpoints: whole or not at all, believed only with the right hash."""

import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch

from alexnet_tui.errors import CheckpointError
from alexnet_tui.train import checkpoint
from alexnet_tui.train.checkpoint import Position


def position(epoch: int, step_in_epoch: int = 0) -> Position:
    return Position(
        epoch=epoch + 1,
        step=epoch * 10 + step_in_epoch,
        step_in_epoch=step_in_epoch,
        train_seconds=1.0,
        elapsed_seconds=2.0,
        errors=[0.5] * epoch,
        epoch_sums=(0.1, 0.2, 0.3),
        interval_sums=(0.0, 0.0, 0.0),
    )


def save(folder: Path, epoch: int, step_in_epoch: int = 0) -> str:
    tensors = [torch.full((100,), float(epoch)), torch.full((3, 3), epoch / 3)]
    return checkpoint.save(folder, position(epoch, step_in_epoch), tensors, tensors, "here", "data")[0]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    assert save(folder, 3, 4) == "e0003-s00000034"
    state = checkpoint.load_newest(folder, [])
    assert state is not None
    assert state.manifest.position == position(3, 4)
    assert torch.equal(state.masters[1], torch.full((3, 3), 1.0))


def test_the_last_two_are_kept_in_the_order_of_training(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for epoch, step in ((1, 0), (2, 0), (2, 5), (9, 0), (10, 0), (10, 3)):
        save(folder, epoch, step)
    assert checkpoint.list_names(folder) == ["e0010-s00000103", "e0010"]


def test_folders_of_other_names_are_neither_loaded_nor_touched(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save(folder, 1)
    for name in ("backup-2024-07", "best", "e0001-copy"):
        shutil.copytree(folder / "e0001", folder / name)
    for epoch in (2, 3, 4):
        save(folder, epoch)
    problems: list[str] = []
    state = checkpoint.load_newest(folder, problems)
    assert (state and state.name, problems) == ("e0004", [])
    assert {"backup-2024-07", "best", "e0001-copy"} <= {entry.name for entry in folder.iterdir()}


def test_no_checkpoint_at_all_is_no_error(tmp_path: Path) -> None:
    assert checkpoint.load_newest(tmp_path / "checkpoints", []) is None


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_bit, cut, empty, Path.unlink])
@pytest.mark.parametrize("name", ["state.pt", "manifest.json"])
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path: Path, damage, name: str) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "checkpoints"
    save(folder, 1)
    newest = save(folder, 2)
    damage(folder / newest / name)
    problems: list[str] = []
    state = checkpoint.load_newest(folder, problems)
    assert state is not None
    assert state.name == "e0001"
    assert len(problems) == 1
    assert "e0002" in problems[0] or "state.pt" in problems[0]
    assert checkpoint.list_names(folder) == ["e0001"]  # The damaged one takes no place of those to keep.


@pytest.mark.parametrize("place", range(0, 400, 23))
def test_any_flipped_bit_in_the_manifest_is_seen(tmp_path: Path, place: int) -> None:
    folder = tmp_path / "checkpoints"
    manifest = folder / save(folder, 2) / "manifest.json"
    content = bytearray(manifest.read_bytes())
    content[place % len(content)] ^= 1
    manifest.write_bytes(content)
    with pytest.raises(CheckpointError, match="e0002"):
        checkpoint.load_newest(folder, [])


def test_a_run_from_scratch_keeps_what_it_writes_and_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for epoch in (80, 90):
        save(folder, epoch)
    checkpoint.set_aside(folder)
    save(folder, 10)
    assert checkpoint.list_names(folder) == ["e0010"]
    assert checkpoint.list_names(tmp_path / "checkpoints-before-1") == ["e0090", "e0080"]


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    path = folder / save(folder, 1) / "state.pt"
    before = path.stat().st_ino
    save(folder, 1)
    assert path.stat().st_ino == before
    flip_a_bit(path)
    save(folder, 1)
    assert checkpoint.load_newest(folder, []) is not None


def test_all_damaged_is_refused_and_nothing_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for epoch in (1, 2):
        flip_a_bit(folder / save(folder, epoch) / "state.pt")
    with pytest.raises(CheckpointError, match=r"e0002.*e0001.*--from-scratch"):
        checkpoint.load_newest(folder, [])
    assert checkpoint.list_names(folder) == ["e0002", "e0001"]


def test_a_half_written_checkpoint_is_never_chosen_and_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    first = save(folder, 1)
    shutil.copytree(folder / first, folder / ".e0002.dead.tmp")
    assert checkpoint.list_names(folder) == ["e0001"]
    save(folder, 3)
    assert sorted(entry.name for entry in folder.iterdir()) == ["e0001", "e0003"]


def test_a_full_disk_leaves_the_last_good_one_and_no_rest(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save(folder, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(folder, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert [entry.name for entry in folder.iterdir()] == ["e0001"]


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("this must not run",))

    import hashlib
    import io

    import msgspec

    folder = tmp_path / "checkpoints"
    name = save(folder, 1)
    buffer = io.BytesIO()
    torch.save({"masters": [Payload()], "velocities": []}, buffer)
    (folder / name / "state.pt").write_bytes(buffer.getvalue())
    manifest = msgspec.json.decode((folder / name / "manifest.json").read_bytes(), type=checkpoint.Manifest)
    forged = msgspec.structs.replace(
        manifest, size_bytes=len(buffer.getvalue()), sha256=hashlib.sha256(buffer.getvalue()).hexdigest()
    )
    (folder / name / "manifest.json").write_bytes(msgspec.json.encode(checkpoint._sealed(forged)))
    with pytest.raises(CheckpointError, match="e0001"):
        checkpoint.load_newest(folder, [])
