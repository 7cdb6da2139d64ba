"""What it costs training to be recorded and watched: the time of an update with and without.

    python tests/benchmarks/bench_recording.py [--rounds 7] [--steps 6]

The same trainer runs in turns of `--steps` step events, ten updates each: unrecorded (no event is encoded), recorded
(every event is encoded and written, as in a run), and recorded while the console, in a terminal of its own, shows the
run. Turns alternate, so that a busy machine slows all; the ratio of medians is what counts.
"""

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake_runs import open_writer, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.prepare import load_dataset
from alexnet_tui.folder import Folder
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import Store
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import select_device


class Console:
    """The real console on a pseudo-terminal of 160x45, its output read and thrown away."""

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        leader, follower = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "45"}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "alexnet_tui", "attach", run_id, "--runs-dir", str(runs_dir)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            start_new_session=True,
        )
        os.close(follower)
        self._leader = leader
        self.num_bytes = 0
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        try:
            while chunk := os.read(self._leader, 65536):
                self.num_bytes += len(chunk)
        except OSError:
            return

    def close(self) -> None:
        """End the console."""
        self._child.terminate()
        self._child.wait(10)


def turn(events: Iterator[ev.Event], num_steps: int, writer: event_log.EventWriter | None) -> float:
    """Seconds an update over one turn."""
    start, done = time.perf_counter(), 0
    while done < num_steps:
        event = next(events)
        if writer is not None:
            writer.write(event)
        done += isinstance(event, ev.Step)
    return (time.perf_counter() - start) / (num_steps * 10)


def main() -> None:
    """Time the three ways in turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=6, help="step events a turn, ten updates each")
    arguments = parser.parse_args()
    config = RunConfig.from_text({"data": "synthetic", "epochs": "100000", "checkpoint_epochs": "100000"})
    setup = select_device(config)
    parts = data.prepare(load_dataset("synthetic", 32), config, setup)
    # Evaluation is no part of recording; one image of each set keeps it out of the figures.
    few = data.Images(parts.test.pixels_NCHW[:1], parts.test.labels_N[:1])
    parts = data.Data(parts.train, few, few, None, parts.batches)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        record = store.create(config)
        directory = store.path(record.id)
        lock = take_lock(directory)
        trainer = Trainer(config, parts, setup, num_classes=10, data_sha256="", folder=Folder(directory))
        events = trainer.fit()
        seconds: dict[str, list[float]] = {"unrecorded": [], "recorded": [], "recorded and watched": []}
        with open_writer(directory) as writer:
            writer.write(started(config))
            turn(events, arguments.steps, writer)
            for _ in range(arguments.rounds):
                seconds["unrecorded"].append(turn(events, arguments.steps, None))
                seconds["recorded"].append(turn(events, arguments.steps, writer))
                console = Console(store.root, record.id)
                time.sleep(4)  # Its start is not what is measured.
                seconds["recorded and watched"].append(turn(events, arguments.steps, writer))
                console.close()
                if not console.num_bytes:
                    raise SystemExit("The console drew nothing; run `alexnet-tui attach` by hand to see why.")
        os.close(lock)
    base = statistics.median(seconds["unrecorded"])
    print(f"literal32, {setup.fingerprint}, {arguments.rounds} rounds of {arguments.steps * 10} updates")
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:20s} {middle * 1e3:7.2f} ms an update [{min(values) * 1e3:.2f} .. {max(values) * 1e3:.2f}]"
              f"   ratio {middle / base:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
