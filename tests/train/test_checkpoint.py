"""Checkpoints: whole or not at all, and loaded only if every part of them is what the run would write."""

import hashlib
import io
import os
import pickle
import resource
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from alexnet_tui.errors import CheckpointError, StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.report.pictures.kernels import stored_epochs
from alexnet_tui.runs.run_files import checkpoint_names
from alexnet_tui.train import checkpoint, kernel_snapshots
from alexnet_tui.train.checkpoint import Expected, Position

SHAPES = [torch.Size((100,)), torch.Size((3, 3))]
RUN = Expected(SHAPES, epochs=100, num_images=10, batch_size=1)


def position(epoch: int, step_in_epoch: int = 0) -> Position:
    return Position(
        epoch=epoch + 1,
        step=epoch * 10 + step_in_epoch,
        step_in_epoch=step_in_epoch,
        train_seconds=1.0,
        elapsed_seconds=2.0,
        errors=[0.5] * epoch,
        epoch_sums=(0.1, 0.0, float(step_in_epoch)),
        interval_sums=(0.0, 0.0, 0.0),
    )


def tensors(epoch: int = 1) -> list[torch.Tensor]:
    return [torch.full((100,), float(epoch)), torch.full((3, 3), epoch / 3)]


def save(run: Path, epoch: int, step_in_epoch: int = 0) -> str:
    with Folder(run) as folder:
        values = tensors(epoch)
        return checkpoint.save(folder, position(epoch, step_in_epoch), values, values, "here", "data")[0]


def load(run: Path, problems: list[str] | None = None) -> checkpoint.State | None:
    with Folder(run) as folder:
        return checkpoint.load_newest(folder, RUN, [] if problems is None else problems)


def names(folder: Path) -> list[str]:
    with Folder(folder) as found:
        return checkpoint_names(found)[::-1]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert save(tmp_path, 3, 4) == "e0003-s00000034"
    state = load(tmp_path)
    assert state is not None
    assert state.manifest.position == position(3, 4)
    assert torch.equal(state.master_weights[1], torch.full((3, 3), 1.0))


def test_the_last_two_are_kept_in_the_order_of_training(tmp_path: Path) -> None:
    for epoch, step in ((1, 0), (2, 0), (2, 5), (9, 0), (10, 0), (10, 3)):
        save(tmp_path, epoch, step)
    assert names(tmp_path / "checkpoints") == ["e0010-s00000103", "e0010"]


def test_folders_of_other_names_are_neither_loaded_nor_touched(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save(tmp_path, 1)
    others = {"backup-2024-07", "best", "e0001-copy", "project.tmp"}
    for name in others:
        shutil.copytree(folder / "e0001", folder / name)
    for epoch in (2, 3, 4):
        save(tmp_path, epoch)
    problems: list[str] = []
    state = load(tmp_path, problems)
    assert (state and state.name, problems) == ("e0004", [])
    assert others <= {entry.name for entry in folder.iterdir()}


def test_a_checkpoint_from_before_settings_were_noted_is_loaded_and_one_of_others_is_not(tmp_path: Path) -> None:
    ours = msgspec.structs.replace(RUN, settings="ours")
    with Folder(tmp_path) as folder:
        for settings, is_loaded in (("", True), ("ours", True), ("theirs", False)):
            values = tensors()
            checkpoint.save(folder, position(1), values, values, "here", "data", settings)
            if is_loaded:
                assert checkpoint.load_newest(folder, ours, []) is not None
            else:
                with pytest.raises(CheckpointError, match="a run of other settings"):
                    checkpoint.load_newest(folder, ours, [])
            shutil.rmtree(tmp_path / "checkpoints")


def test_no_checkpoint_at_all_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path) is None


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_fault_03_04_a_damaged_newest_falls_back_to_the_one_before(tmp_path: Path) -> None:
    for damage in (flip_a_bit, cut, empty, Path.unlink):
        for name in ("state.pt", "manifest.json"):
            run = tmp_path / f"{damage.__name__}-{name}"
            run.mkdir()
            save(run, 1)
            newest = save(run, 2)
            damage(run / "checkpoints" / newest / name)
            problems: list[str] = []
            state = load(run, problems)
            assert state is not None
            assert state.name == "e0001"
            assert len(problems) == 1
            assert "e0002" in problems[0]
            assert names(run / "checkpoints") == ["e0001"]  # The damaged one takes no place of those to keep.


def test_any_flipped_bit_in_the_manifest_is_seen(tmp_path: Path) -> None:
    manifest = tmp_path / "checkpoints" / save(tmp_path, 2) / "manifest.json"
    content = manifest.read_bytes()
    for place in range(0, 400, 23):
        damaged = bytearray(content)
        damaged[place % len(content)] ^= 1
        manifest.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="e0002"):
            load(tmp_path)


def reseal(folder: Path, content: bytes | None = None, **changes: Any) -> None:
    """Give a checkpoint other content and a manifest that agrees with it, as a forger can: the seal has no key."""
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    if content is not None:
        (folder / "state.pt").write_bytes(content)
        manifest |= {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for key, value in changes.items():
        (manifest["position"] if key in manifest["position"] else manifest)[key] = value
    encoded = msgspec.json.encode({**manifest, "seal": ""})
    manifest["seal"] = hashlib.sha256(encoded).hexdigest()
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def saved(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


class Payload:
    """Writes a file where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


def state(**changes: object) -> bytes:
    return saved({"masters": tensors(), "velocities": tensors(), **changes})


DEEP = b'{"zzz":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def test_attack_05_forged_content_with_a_right_hash_falls_back(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    contents = {
        "a list": saved([1, 2]),
        "no keys": saved({"a": 1}),
        "wrong types": saved({"masters": "abc", "velocities": 5}),
        "numbers": saved({"masters": [1.0, 2.0], "velocities": [1.0, 2.0]}),
        "no tensors": state(masters=[], velocities=[]),
        "no velocities": state(velocities=[]),
        "one velocity": state(velocities=tensors()[:1]),
        "other shapes": state(velocities=[torch.zeros(3), torch.zeros(3, 3)]),
        "double precision": state(masters=[tensor.double() for tensor in tensors()]),
        "sparse": state(masters=[tensor.to_sparse() for tensor in tensors()]),
        "not finite": state(masters=[torch.full((100,), torch.nan), torch.zeros(3, 3)]),
        "payload": state(masters=[Payload(proof)]),
        "payload in the old format": saved({"masters": Payload(proof)}, _use_new_zipfile_serialization=False),
        "raw pickle": pickle.dumps(Payload(proof)),
        "nonsense": b"\0" * 100,
        "larger than the run": saved({"masters": torch.zeros(1 << 20), "velocities": []}),
    }
    for number, content in enumerate(contents.values()):
        assert_falls_back(tmp_path / str(number), lambda folder, content=content: reseal(folder, content))  # type: ignore[misc]
    assert not proof.exists()


def test_attack_09_a_checkpoint_that_inflates_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 24))
    assert len(buffer.getvalue()) < RUN.size_bytes
    with pytest.raises(ValueError, match="unpacked"):
        checkpoint._read_tensors(buffer.getvalue(), RUN)


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (self.path, os.O_CREAT)


def test_attack_06_metadata_of_other_formats_is_never_unpickled(tmp_path: Path) -> None:
    folder, executed = tmp_path / "checkpoints", tmp_path / "executed"
    save(tmp_path, 1)
    content = pickle.dumps(_Evil(executed))
    (folder / "step-4").mkdir()
    for place in (folder, folder / "e0001", folder / "step-4"):
        (place / ".metadata").write_bytes(content)
    state = load(tmp_path)
    assert state is not None
    assert state.name == "e0001"
    save(tmp_path, 2)
    assert not executed.exists()
    pickle.loads(content)
    assert executed.exists(), "the content does what nobody may do"


def test_attack_05_forged_manifests_fall_back(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"epoch": -5, "step": -60},
        {"epoch": 0, "step": -10},
        {"epoch": 10**18, "step": 10**18},
        {"epoch": 3, "step": 21},
        {"step_in_epoch": -3, "step": 17},
        {"step_in_epoch": 10**9, "step": 10**9 + 20},
        {"epoch_sums": [1e308, 1e308, -1.0]},
        {"epoch_sums": [0.0, 0.0, 7.0]},
        {"interval_sums": [0.0, 5.0, 1.0]},
        {"train_seconds": -1e30},
        {"elapsed_seconds": 1e300},
        {"errors": [0.5] * 100_000},
        {"errors": [0.5, 7.0]},
        {"size_bytes": 10**15},
        {"size_bytes": "many"},
        {"position": None},
    ]
    for number, change in enumerate(changes):
        assert_falls_back(tmp_path / str(number), lambda folder, change=change: reseal(folder, **change))  # type: ignore[misc]
    for number, content in enumerate((DEEP, b"[]", b"\xff\xfe", b"1e999", b"{}" * 1_000_000)):
        run = tmp_path / f"raw-{number}"
        assert_falls_back(run, lambda folder, content=content: (folder / "manifest.json").write_bytes(content))  # type: ignore[misc]


def test_attack_05_a_checkpoint_under_another_name_falls_back(tmp_path: Path) -> None:
    save(tmp_path, 1)
    shutil.copytree(tmp_path / "checkpoints" / "e0001", tmp_path / "checkpoints" / "e0009")
    problems: list[str] = []
    found = load(tmp_path, problems)
    assert found is not None
    assert (found.name, len(problems)) == ("e0001", 1)


def assert_falls_back(run: Path, forge: Callable[[Path], object]) -> None:
    run.mkdir()
    save(run, 1)
    forge(run / "checkpoints" / save(run, 2))
    problems: list[str] = []
    found = load(run, problems)
    assert found is not None
    assert found.name == "e0001"
    assert "e0002" in problems[0]
    assert "weights_only" not in problems[0]  # Torch's advice to load it unsafely is not handed on.


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link(path: Path) -> None:
    path.symlink_to(path.parents[1] / "e0001" / path.name)


def hard_link(path: Path) -> None:
    path.hardlink_to(path.parents[1] / "e0001" / path.name)


def test_attack_10_what_is_no_regular_file_in_a_checkpoint_falls_back_at_once(tmp_path: Path) -> None:
    for kind in (pipe, device, link, Path.mkdir):
        for name in ("state.pt", "manifest.json"):

            def replace(folder: Path, kind: Callable[[Path], None] = kind, name: str = name) -> None:
                (folder / name).unlink()
                kind(folder / name)

            assert_falls_back(tmp_path / f"{kind.__name__}-{name}", replace)
    run = tmp_path / "hard"
    run.mkdir()
    save(run, 1)
    newest = run / "checkpoints" / save(run, 2) / "state.pt"
    newest.unlink()
    hard_link(newest)
    with pytest.raises(CheckpointError, match=r"e0002.*e0001"):  # Both names lead to one file.
        load(run)


def test_attack_10_a_checkpoints_folder_that_is_a_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    home, run = tmp_path / "home", tmp_path / "run"
    for name in ("project.tmp", ".damaged-x", "e0001"):
        (home / name).mkdir(parents=True)
        (home / name / "thesis.txt").write_text("precious")
    run.mkdir()
    (run / "checkpoints").symlink_to(home)
    before = sorted(home.rglob("*"))
    with pytest.raises(StoreError, match="link"):
        load(run)
    with pytest.raises(StoreError, match="link"):
        save(run, 1)
    assert sorted(home.rglob("*")) == before


def test_attack_10_links_under_a_checkpoints_name_lead_nowhere(tmp_path: Path) -> None:
    home, run = tmp_path / "home", tmp_path / "run"
    (home / "e0003").mkdir(parents=True)
    (home / "e0003" / "state.pt").write_text("precious")
    run.mkdir()
    save(run, 1)
    folder = run / "checkpoints"
    for name in ("e0003", "e0009", ".e0001.abc.tmp", ".damaged-e0001.abc"):
        (folder / name).symlink_to(home / "e0003")
    assert names(folder) == ["e0001"]
    save(run, 3)  # Takes the link's place.
    save(run, 4)
    found = load(run)
    assert found is not None
    assert found.name == "e0004"
    assert (home / "e0003" / "state.pt").read_text() == "precious"
    assert names(folder) == ["e0004", "e0003"]


def test_fault_24_a_checkpoint_of_a_newer_program_is_refused_and_stays(tmp_path: Path) -> None:
    save(tmp_path, 1)
    newest = tmp_path / "checkpoints" / save(tmp_path, 2)
    reseal(newest, v=2)
    with pytest.raises(CheckpointError, match=r"e0002: a newer alexnet-tui wrote it.*--from-scratch --runs-dir"):
        load(tmp_path)
    (newest / "manifest.json").write_bytes(b'{"v":7,"shards":[1,2]}')
    with pytest.raises(CheckpointError, match="format 7"):
        load(tmp_path)
    assert names(tmp_path / "checkpoints") == ["e0002", "e0001"]


def test_a_run_from_scratch_keeps_what_it_writes_and_what_was_there(tmp_path: Path) -> None:
    for epoch in (80, 90):
        save(tmp_path, epoch)
    kernels = torch.ones(2, 3, 1, 1)
    with Folder(tmp_path) as run:
        kernel_snapshots.save(run, 90, kernels)
        checkpoint.set_aside(run)
        kernel_snapshots.save(run, 0, kernels)
    save(tmp_path, 10)
    assert stored_epochs(tmp_path) == [0], "pictures show nothing of what was given up"
    assert (tmp_path / "kernels-before-1" / "e0090.npz").exists()
    assert names(tmp_path / "checkpoints") == ["e0010"]
    assert names(tmp_path / "checkpoints-before-1") == ["e0090", "e0080"]


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / save(tmp_path, 1) / "state.pt"
    before = path.stat().st_ino
    save(tmp_path, 1)
    assert path.stat().st_ino == before
    flip_a_bit(path)
    save(tmp_path, 1)
    assert load(tmp_path) is not None


def test_fault_05_all_damaged_is_refused_and_nothing_is_deleted(tmp_path: Path) -> None:
    for epoch in (1, 2):
        flip_a_bit(tmp_path / "checkpoints" / save(tmp_path, epoch) / "state.pt")
    with pytest.raises(CheckpointError, match=rf"e0002.*e0001.*resume {tmp_path.name} --from-scratch"):
        load(tmp_path)
    assert names(tmp_path / "checkpoints") == ["e0002", "e0001"]


def test_fault_02_a_half_written_checkpoint_is_never_chosen_and_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    first = save(tmp_path, 1)
    shutil.copytree(folder / first, folder / ".e0002.dead.tmp")
    assert names(folder) == ["e0001"]
    save(tmp_path, 3)
    assert sorted(entry.name for entry in folder.iterdir()) == ["e0001", "e0003"]


def test_fault_06_a_full_disk_leaves_the_last_good_one_and_no_rest(tmp_path: Path) -> None:
    save(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert [entry.name for entry in (tmp_path / "checkpoints").iterdir()] == ["e0001"]


def test_fault_29_a_removed_run_folder_is_never_made_anew(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with Folder(run) as folder:
        run.rmdir()
        with pytest.raises(OSError, match=r"."):
            checkpoint.save(folder, position(1), tensors(), tensors(), "here", "data")
    assert not run.exists()
