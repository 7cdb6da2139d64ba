"""A trainer without torch: plays one of a few scripts on a run directory, as the real one would.

Arguments: alexnet_tui.train SCRIPT RUN_DIR [--from-scratch]; events go to stdout, which is the record. An endless run
waits with its last step until it is asked to stop, however long a test takes for that.
"""

import os
import signal
import sys
import time
from pathlib import Path

import msgspec
from fake_runs import a_step, curve, started

from alexnet_tui.folder import Folder
from alexnet_tui.launch.trainer_process import STOP_SIGNALS
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.stop_request import is_stop_requested

_HERE = Path(__file__).parent
SEARCH_PATH = [str(_HERE), str(_HERE.parents[1])]
"""Where a child process finds this module and the program."""
_MOST_WAITS = 20_000
"""Where a test failed, an endless run ends by itself after some minutes."""
_num_signals = 0


def command(script: str) -> tuple[str, ...]:
    """What `launch.local.start` takes as its `command`."""
    # Its command line names a trainer, as that of a real one does.
    code = f"import sys; sys.path[:0] = {SEARCH_PATH}; import fake_trainer; fake_trainer.main()"
    return (sys.executable, "-c", code, "alexnet_tui.train", script)


class Player:
    """One attempt at a run."""

    def __init__(self, directory: Path, *, needed_signals: int, step_seconds: float, is_endless: bool) -> None:
        self.folder = Folder(directory)
        self.record = msgspec.json.decode((directory / "run.json").read_bytes(), type=RunRecord)
        past = EventReader(directory / "events.jsonl").read_new()
        attempts = [event.attempt for event in past]
        self.writer = event_log.EventWriter(
            1, attempt=max(attempts, default=0) + 1, next_seq=max((e.seq for e in past), default=-1) + 1
        )
        self.first_epoch = max((e.epoch for e in past if isinstance(e, ev.Checkpoint)), default=0) + 1
        self.is_resume = bool(past)
        self.needed_signals = needed_signals
        self.step_seconds = step_seconds
        self.is_endless = is_endless
        self.step = 0

    def begin(self) -> None:
        self.writer.write(started(self.record.config, pid=os.getpid()))
        if self.is_resume:
            self.step = 10 * (self.first_epoch - 1)
            self.writer.write(ev.Resumed(epoch=self.first_epoch - 1, step=self.step, checkpoint="e", bit_exact=True))

    def one_step(self, epoch: int, loss: ev.Number = 1.5) -> None:
        if self.step_seconds:
            time.sleep(self.step_seconds)
        self.step += 1
        self.writer.write(a_step(epoch, self.step, train_loss=loss))
        self.leave_if_asked(epoch)
        if self.is_endless and self.step == 10 * self.record.config.epochs - 1:
            for _ in range(_MOST_WAITS):
                time.sleep(self.step_seconds)
                self.leave_if_asked(epoch)

    def leave_if_asked(self, epoch: int) -> None:
        is_asked = bool(self.step_seconds) and is_stop_requested(self.folder)
        if max(_num_signals, is_asked) >= self.needed_signals:
            self.checkpoint(epoch - 1)
            self.writer.write(ev.Stopped(epoch=epoch - 1, step=self.step, reason="SIGTERM"))
            sys.exit(143)

    def checkpoint(self, epoch: int) -> None:
        self.writer.write(
            ev.Checkpoint(epoch=epoch, step=self.step, name=f"e{epoch:04d}", size_bytes=1000, seconds=0.1)
        )

    def run(self, epochs: int | None = None) -> None:
        total = self.record.config.epochs
        for epoch in range(self.first_epoch, (epochs or total) + 1):
            for _ in range(10):
                self.one_step(epoch)
            self.writer.write(curve(epoch, total))
        self.checkpoint(epochs or total)

    def finish(self) -> None:
        epochs = self.record.config.epochs
        self.writer.write(ev.Finished(epoch=epochs, step=self.step, train_seconds=1.0, elapsed_seconds=1.2))


def main() -> None:
    script, directory = sys.argv[2], Path(sys.argv[3])
    lock = os.environ.pop("ALEXNET_TUI_LOCK_FD", "")
    if not lock:
        write_owner(take_lock(directory), os.getpid(), time.time())
    signal.signal(signal.SIGTERM, _on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    print(f"fake trainer plays {script}", file=sys.stderr)
    player = Player(
        directory,
        needed_signals={"stubborn": 2, "deaf": 1000}.get(script, 1),
        step_seconds={"slow": 0.02, "endless": 0.02, "stubborn": 0.02, "deaf": 0.02}.get(script, 0.0),
        is_endless=script in {"endless", "deaf"},
    )
    player.begin()
    if script == "diverge":
        player.run(1)
        player.writer.write(ev.Failed(reason="diverged", message="the loss is not finite.", epoch=2, step=11))
        sys.exit(1)
    if script == "crash":
        player.run(1)
        print("Traceback: \x1b]0;evil\x07 something broke", file=sys.stderr, flush=True)
        os.write(1, b'{"v":1,"kind":"step","se')
        os.kill(os.getpid(), signal.SIGKILL)
    if script == "no-device":
        player.writer.write(ev.Failed(reason="error", message="no such device"))
        sys.exit(2)
    player.run()
    player.finish()


def _on_signal(number: int, frame: object) -> None:
    global _num_signals
    _num_signals += 1
    print("asked to stop", file=sys.stderr, flush=True)
