"""A trainer's hold on its run: moved and removed folders, full disks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_tui.files import temporary_name
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader, EventWriter
from alexnet_tui.runs.last_event import RESERVE_FILE
from alexnet_tui.runs.notes import Notes, change_notes
from alexnet_tui.train.run_writer import RunWriter

EVENTS = "events.jsonl"


class Opened:
    """A writer on a new folder, and what was written to it."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.folder = Folder(path)
        self.descriptor = self.folder.append(EVENTS)
        self.is_asked_to_stop = False
        self.run = RunWriter(
            self.folder, EventWriter(self.descriptor), lambda: self.is_asked_to_stop, check_seconds=0.0
        )

    def written(self) -> list[ev.KnownEvent]:
        return EventReader(self.folder.path / EVENTS).read_new()


STOPPED = ev.Stopped(epoch=1, step=2, reason="asked to stop")


def test_a_record_ends_with_its_final_event_and_keeps_no_reserve(tmp_path: Path) -> None:
    opened = Opened(tmp_path / "run")
    assert (tmp_path / "run" / RESERVE_FILE).stat().st_size > 100_000
    assert opened.run.finish(STOPPED, is_saved=True) is STOPPED
    assert not (tmp_path / "run" / RESERVE_FILE).exists()
    assert [type(event) for event in opened.written()] == [ev.Stopped]


def test_fault_01_what_a_killed_trainer_left_half_written_is_removed(tmp_path: Path) -> None:
    kept = [".notes.json.1-00000000.tmp", ".env", "predictions.npz", ".predictions.npz.tmp"]
    gone = [".predictions.npz.1-00000000.tmp", "kernels/.0001.npz.77-89abcdef.tmp"]
    half = temporary_name("e0003")
    with Opened(tmp_path / "run").folder as folder:
        folder.make_folder("kernels").close()
        with folder.make_folder("checkpoints") as checkpoints, checkpoints.make_folder(half) as checkpoint:
            checkpoint.write("state.pt", b"x")
        for name in (*kept, *gone):
            (folder.path / name).write_bytes(b"x")
        RunWriter(folder, EventWriter(1), lambda: False)
        assert [(folder.path / name).exists() for name in (*kept, *gone)] == [True] * len(kept) + [False] * len(gone)
        assert not (folder.path / "checkpoints" / half).exists()
        change_notes(folder, lambda notes: Notes(note="new"))
        assert not (folder.path / kept[0]).exists()


def test_fault_29_a_moved_folder_is_followed(tmp_path: Path) -> None:
    opened = Opened(tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    assert not opened.run.should_stop()
    assert opened.folder.path == tmp_path / "moved"
    (warning,) = opened.written()
    assert isinstance(warning, ev.Warned)
    assert warning.code == "moved"
    assert str(tmp_path / "moved") in warning.message
    assert not opened.run.should_stop()
    assert len(opened.written()) == 1


def test_fault_29_another_folder_in_the_old_place_is_not_written_to(tmp_path: Path) -> None:
    opened = Opened(tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    (tmp_path / "run").mkdir()
    assert not opened.run.should_stop()
    opened.run.finish(STOPPED, is_saved=True)
    assert list((tmp_path / "run").iterdir()) == []
    assert len(opened.written()) == 2


def test_fault_29_a_removed_folder_ends_training_and_is_not_made_anew(tmp_path: Path) -> None:
    opened = Opened(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    assert opened.run.should_stop()
    final = opened.run.finish(STOPPED, is_saved=False)
    assert isinstance(final, ev.Stopped)
    assert "removed" in final.reason
    assert not (tmp_path / "run").exists()


def test_attack_10_links_in_the_place_of_what_a_trainer_writes_are_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    run = tmp_path / "run"
    run.mkdir()
    (run / RESERVE_FILE).symlink_to(precious)
    (run / "predictions.npz").symlink_to(precious)
    with Folder(run) as folder:
        writer = RunWriter(folder, EventWriter(folder.append(EVENTS)), lambda: False)
        folder.write("predictions.npz", b"new")
        writer.finish(STOPPED, is_saved=True)
    assert precious.read_text() == "precious"
    assert not (run / "predictions.npz").is_symlink()


# On a disk of 1 MB: 3,000 steps while it is full, then a request to stop; what a reader then finds.
FULL_DISK = """
import os, sys
from pathlib import Path
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader, EventWriter
from alexnet_tui.train.run_writer import RunWriter
folder = Folder(Path(sys.argv[1]))
asked = []
descriptor = folder.append("events.jsonl")
run = RunWriter(folder, EventWriter(descriptor), lambda: bool(asked), patience_seconds=float(sys.argv[2]))
def step(number):
    return ev.Step(epoch=1, step=number, train_loss=1.0, train_accuracy=0.5, learning_rate=0.1, images_per_second=1.0)
run.write(step(1))
fill = os.open(folder.path / "fill", os.O_WRONLY | os.O_CREAT)
try:
    while os.write(fill, bytes(4096)):
        pass
except OSError:
    pass
for number in range(2, 3002):
    run.write(step(number))
print(run.should_stop())
if sys.argv[3] == "room":
    os.unlink(folder.path / "fill")
    os.close(fill)
    run.write(step(3002))
asked.append(1)
final = run.finish(ev.Stopped(epoch=0, step=3002, reason="asked"), is_saved=sys.argv[3] == "room")
events = EventReader(folder.path / "events.jsonl").read_new()
print(type(final).__name__, getattr(final, "reason", ""), type(events[-1]).__name__)
print(len(events), events[-1].seq, [event.seq for event in events] == sorted({event.seq for event in events}))
"""


def on_a_small_disk(mount_point: Path, patience_seconds: float, mode: str) -> list[str]:
    """What `FULL_DISK` prints in a mount namespace of its own, in which the folder is a disk of 1 MB."""
    mount_point.mkdir()
    own_user = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
    command = [sys.executable, "-c", FULL_DISK, str(mount_point), str(patience_seconds), mode]
    inside = ["unshare", *own_user, "--mount", "sh", "-c", script, str(mount_point)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs a mount namespace")
    return subprocess.run([*inside, *command], capture_output=True, text=True, check=True).stdout.splitlines()


def test_fault_07_a_full_disk_that_gets_room_loses_nothing(tmp_path: Path) -> None:
    assert on_a_small_disk(tmp_path / "disk", 300, "room") == ["False", "Stopped asked Stopped", "3003 3002 True"]


def test_fault_07_a_disk_that_stays_full_leaves_the_reason_in_the_reserve(tmp_path: Path) -> None:
    should_stop, final, counts = on_a_small_disk(tmp_path / "disk", 300, "full")
    assert (should_stop, final) == ("False", "Failed disk_full Failed")
    num_events, last, is_ordered = counts.split()
    assert 100 < int(num_events) < 1500  # The last of the 3,000 steps, as many as fit.
    assert (last, is_ordered) == ("3001", "True")


def test_fault_07_patience_with_a_full_disk_ends(tmp_path: Path) -> None:
    assert on_a_small_disk(tmp_path / "disk", 0, "full")[0] == "True"
