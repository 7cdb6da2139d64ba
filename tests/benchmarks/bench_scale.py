"""A folder that many machines write to: the console beside 200 live runs, a study's queue and 10,000 finished runs.

    python tests/benchmarks/bench_scale.py [--live 200] [--finished 10000] [--seconds 20]

Everything but torch is real: each live run has its lock, its record and a point a second; a worker takes a study's runs
through its queue with trainers that play a script. The numbers, of a console of 160x45 that looks at one more live run
with 10 points a second, and of one that shows the list:

    first       CPU and seconds until the first rows of the list are drawn
    follow      share of a core, memory, open files
    latency     from the stamp in a line of the record to its step on the screen
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fake_trainer
from benchmarks.bench_console import Terminal, console, follow, running, tell, tell_delays, usage
from benchmarks.make_runs import step_event, write_one
from fake_runs import open_writer, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies import worker as study_worker

WRITERS = 8
TOTAL_STEPS = 1_000_000


def write_live(root: Path, num_runs: int) -> None:
    """Be the trainers of some runs, with a point a second each, until killed."""

    store, config, rng = Store(root), RunConfig.from_text({"epochs": "1000", "data": "synthetic"}), random.Random(0)
    with ExitStack() as open_files:
        writers = []
        for _ in range(num_runs):
            directory = store.path(store.create(config).id)
            open_files.enter_context(os.fdopen(take_lock(directory), "rb"))
            writers.append(open_files.enter_context(open_writer(directory)))
            writers[-1].write(started(config, steps_per_epoch=1000, total_steps=TOTAL_STEPS))
        print("up", flush=True)
        for step in range(1, TOTAL_STEPS):
            begin = time.monotonic()
            for index, writer in enumerate(writers):
                writer.write(step_event(step, TOTAL_STEPS, rng))
                time.sleep(max(0.0, begin + (index + 1) / num_runs - time.monotonic()))


def work_queue(root: Path) -> None:
    """Be the worker of a study whose trainers play a script."""
    store = Store(root)
    overrides = {"data": "synthetic", "epochs": "2"}
    seeds = [1_000_000 + number for number in range(10)]  # No finished run has one of these.
    plan = planning.plan_variants(store, "queue", variants=list(VARIANTS), seeds=seeds, overrides=overrides)
    print("up", flush=True)
    study_worker.work(store, plan, parallel=2, command=fake_trainer.command("slow"))
    time.sleep(3600)


@contextmanager
def beside(root: Path, num_live: int) -> Iterator[None]:
    """The live runs and the worker, while the block runs."""
    commands = [[sys.executable, __file__, "--write", str(num_live // WRITERS), "--root", str(root)]] * WRITERS
    commands.append([sys.executable, __file__, "--work", "--root", str(root)])
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    try:
        for child in children:
            assert child.stdout is not None
            if not child.stdout.readline():
                raise SystemExit("a process that is to work beside the console has ended")
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def look(terminal: Terminal, name: str, seconds: float, bar: float) -> None:
    """What a console that is settled costs."""
    percent, bytes_a_second = usage(terminal, seconds)
    tell(f"{name}: share of a core", [percent], bar, "% core")
    files = len(list(Path(f"/proc/{terminal.pid}/fd").iterdir()))
    print(f"{'':34s} {terminal.peak_megabytes:.0f} MB at most, {files} files open, {bytes_a_second:.0f} bytes/s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", type=int, default=200)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_live(arguments.root, arguments.write)
    if arguments.work:
        work_queue(arguments.root)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "runs"
        for index in range(arguments.finished):
            write_one(Store(root), list(VARIANTS)[index % 4], index // 4, 50)
        print(f"{arguments.finished:,} finished runs are there; {arguments.live} live ones start")
        with beside(root, arguments.live):
            begin = time.monotonic()
            with running(console(root)) as terminal:
                terminal.wait_for(rb"baseline s", seconds=60)
                seconds = time.monotonic() - begin
                print(f"first rows of the list after {seconds:.2f} s, {terminal.cpu_seconds:.2f} s CPU")
                terminal.watch(10)
                look(terminal, "list", arguments.seconds, 10)
            percent, _, delays = follow(root, 10, arguments.seconds)
            tell("one run of 10 points/s looked at", [percent], 10, "% core")
            tell_delays("latency of its lines", delays, {50: 0.15, 95: 0.35, 100: 0.6})
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
