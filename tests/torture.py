"""``python tests/torture.py --rounds N``: runs that are killed and resumed end as unbroken ones do, bit for bit.

Every round trains one small run of a random configuration, ends its trainer one to four times at random moments -
before its first event, between two updates, inside the writing of a checkpoint, by kill -9 or by a stop -, resumes it
to its end, and compares weights, metrics and predictions with those of a run that nobody touched.

With ``--small`` the networks have few units and trainers are forked from one process that has loaded torch: the same
training, log and checkpoints in a twentieth of the time.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import local, stopping
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store

sys.path[:0] = [str(Path(__file__).parent / "support")]

import fork_server  # noqa: E402
from synthetic_data import prepare_few_images  # noqa: E402

SMALL = {
    "data": "synthetic",
    "train_images": "160",
    "train_eval_images": "32",
    "batch_size": "32",
    "epochs": "3",
    "log_steps": "2",
    "checkpoint_epochs": "1",
    "threads": "1",
}
CONFIGURATIONS: tuple[dict[str, str], ...] = (
    {},
    {"schedule": "plateau", "split": "holdout", "augmentation": "paper", "activation": "tanh", "init": "he"},
    {"schedule": "inverse-time", "rate_decay": "0.1", "preprocessing": "mean", "batch_size": "48"},
    {"front_end": "cifar3x3", "augmentation": "flip-crop", "train_images": "64", "batch_size": "16", "log_steps": "3"},
)
MAX_ENDS = 4
PATIENCE_SECONDS = 300.0
IN_CHECKPOINT, FIRST_MOMENTS = "inside a checkpoint", "in the first moments"


@dataclass
class Outcome:
    """What a finished run leaves; all but the length of the log must not depend on how often it was interrupted."""

    weights: bytes
    predictions: bytes
    metrics: dict[tuple[str, int], tuple[object, ...]]
    log_bytes: int


@dataclass
class Torture:
    """One series of rounds in a folder."""

    store: Store
    rng: random.Random
    first_seconds: float = 3.0  # The longest that "in the first moments" lasts.
    unbroken: dict[int, Outcome] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)

    def round(self) -> str:
        """One run, interrupted and compared; returns what was done to it.

        Raises:
            AssertionError: It differs from an unbroken one.
        """
        number = self.rng.randrange(len(CONFIGURATIONS))
        if number not in self.unbroken:
            self.unbroken[number] = self.train(number)
        run_id = self.create(number)
        ways: list[str] = []
        for _ in range(self.rng.randint(1, MAX_ENDS)):
            way = self.end_once(run_id, self.unbroken[number].log_bytes)
            if not way:  # It had finished before.
                break
            ways.append(way)
        outcome = self.finish(run_id, number)
        expected = self.unbroken[number]
        assert outcome.metrics == expected.metrics, f"{run_id}: other metrics"
        assert outcome.weights == expected.weights, f"{run_id}: other weights"
        assert outcome.predictions == expected.predictions, f"{run_id}: other predictions"
        self.store.delete(run_id)
        return f"configuration {number}, ended {', '.join(ways) or 'never: it had finished before'}"

    def create(self, number: int) -> str:
        """A queued run of a configuration."""
        return self.store.create(RunConfig.from_text({**SMALL, **CONFIGURATIONS[number]})).id

    def train(self, number: int) -> Outcome:
        """A run that nobody touches."""
        run_id = self.create(number)
        outcome = self.finish(run_id, number)
        self.store.delete(run_id)
        return outcome

    def end_once(self, run_id: str, log_bytes: int) -> str:
        """Start or resume, and end the trainer at a random moment; how, or nothing where it was too late.

        Args:
            run_id: The run.
            log_bytes: Length of the event log of an unbroken run.
        """
        before = self.log_size(run_id)
        pid = local.start(self.store, run_id)
        way = self.rng.choice((FIRST_MOMENTS, "at any moment", "at any moment", IN_CHECKPOINT, "by a stop"))
        if way == IN_CHECKPOINT:
            after = self.rng.randint(0, 2)  # Checkpoints let through before.
            self.wait(run_id, lambda: self.num_checkpoints_begun(run_id) > after)
            time.sleep(self.rng.uniform(0, self.first_seconds / 20))
        elif way == FIRST_MOMENTS:
            deadline = time.monotonic() + self.rng.uniform(0, self.first_seconds)
            self.wait(run_id, lambda: time.monotonic() >= deadline)
        else:  # By what it has written, since its speed depends on what else the machine does.
            size = before + self.rng.uniform(0, 0.8) * max(0, log_bytes - before)
            self.wait(run_id, lambda: self.log_size(run_id) > size)
            time.sleep(self.rng.uniform(0, self.first_seconds / 20))
        if not self.store.is_locked(run_id):
            return ""
        if way != "by a stop":
            if not self.events(run_id):
                way = "before its first event"
            elif self.is_writing(run_id):
                way = IN_CHECKPOINT
        try:
            os.kill(pid, signal.SIGTERM if way == "by a stop" else signal.SIGKILL)
        except ProcessLookupError:
            return ""
        assert stopping.wait_free(self.store, run_id, PATIENCE_SECONDS), f"{run_id}: process {pid} does not end"
        self.ends[way] += 1
        return way

    def wait(self, run_id: str, condition: Callable[[], bool]) -> None:
        """Until something holds or the trainer has left."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition() and self.store.is_locked(run_id):
            assert time.monotonic() < deadline, f"{run_id}: waited in vain"
            time.sleep(0.002)

    def log_size(self, run_id: str) -> int:
        """Bytes of the run's event log."""
        try:
            return (self.store.path(run_id) / EVENTS_FILE).stat().st_size
        except FileNotFoundError:
            return 0

    def checkpoint_names(self, run_id: str) -> list[str]:
        """Everything in the run's checkpoints folder, whole or not."""
        try:
            return os.listdir(self.store.path(run_id) / "checkpoints")
        except FileNotFoundError:
            return []

    def is_writing(self, run_id: str) -> bool:
        """Whether a checkpoint is half-written now."""
        return any(name.endswith(".tmp") for name in self.checkpoint_names(run_id))

    def num_checkpoints_begun(self, run_id: str) -> int:
        """Checkpoints of this run so far, the one under way included; 0 while none is under way."""
        numbers = [int(name.split("e", 1)[1][:4]) for name in self.checkpoint_names(run_id) if name.endswith(".tmp")]
        return max(numbers, default=0)

    def events(self, run_id: str) -> list[ev.KnownEvent]:
        """All events; every line must be one, and none may be missing."""
        reader = EventReader(self.store.path(run_id) / EVENTS_FILE)
        found: list[ev.KnownEvent] = []
        while events := reader.read_new():
            found += events
        return found

    def finish(self, run_id: str, number: int) -> Outcome:
        """Train to the end; what is there then."""
        local.start(self.store, run_id)
        assert stopping.wait_free(self.store, run_id, PATIENCE_SECONDS), f"{run_id}: does not end"
        folder = self.store.path(run_id)
        events = self.events(run_id)
        assert events, self.store.log_tail(run_id)
        assert isinstance(events[-1], ev.Finished), f"{run_id}: {events[-1]} {self.store.log_tail(run_id)}"
        assert [event.seq for event in events] == list(range(len(events))), f"{run_id}: events are missing"
        odd = [event for event in events if isinstance(event, ev.Warned) and event.code != "epochs_repeated"]
        assert not odd, f"{run_id}: {odd}"
        left = [name for name in [*os.listdir(folder), *self.checkpoint_names(run_id)] if name.startswith(".")]
        assert not left, f"{run_id}: left behind {left}"
        epochs = RunConfig.from_text({**SMALL, **CONFIGURATIONS[number]}).epochs
        return Outcome(
            weights=(folder / "checkpoints" / f"e{epochs:04d}" / "state.pt").read_bytes(),
            predictions=(folder / "predictions.npz").read_bytes(),
            metrics=_metrics(run_id, events),
            log_bytes=self.log_size(run_id),
        )


def _metrics(run_id: str, events: list[ev.KnownEvent]) -> dict[tuple[str, int], tuple[object, ...]]:
    """All that is measured but time; what two attempts measured both must be equal."""
    found: dict[tuple[str, int], tuple[object, ...]] = {}
    for event in events:
        if isinstance(event, ev.Step):
            row: tuple[object, ...] = (event.epoch, event.train_loss, event.train_accuracy, event.learning_rate)
        elif isinstance(event, ev.Epoch):
            row = (event.train_loss, event.train_accuracy, event.train_eval_loss, event.train_eval_accuracy)
            row += (event.test_loss, event.test_accuracy, event.val_loss, event.val_accuracy, event.learning_rate)
        else:
            continue
        key = (type(event).__name__, event.step)
        assert found.setdefault(key, row) == row, f"{run_id}: {key} was measured twice and differs"
    return found


def main() -> int:
    """Run the rounds; 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", type=Path, help="where the runs go; a temporary folder by default")
    parser.add_argument("--small", action="store_true", help="small networks, and forked trainers")
    arguments = parser.parse_args()
    failed = 0
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, ExitStack() as stack:
        os.environ["ALEXNET_TUI_DATA"] = str(Path(folder) / "data")
        prepare_few_images(Path(folder) / "data")
        torture = Torture(Store(Path(folder) / "runs"), random.Random(arguments.seed))
        if arguments.small:
            os.environ |= {fork_server.ADDRESS: stack.enter_context(fork_server.running()), fork_server.SMALL: "1"}
            fork_server.install()
            torture.first_seconds = 0.3
        print(f"seed {arguments.seed}", flush=True)
        for number in range(1, arguments.rounds + 1):
            try:
                print(f"round {number}: {torture.round()}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"round {number}: FAILED: {error}", flush=True)
    ends = ", ".join(f"{count} {way}" for way, count in torture.ends.most_common())
    print(f"{arguments.rounds - failed} of {arguments.rounds} rounds equal bit for bit; ends: {ends}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
