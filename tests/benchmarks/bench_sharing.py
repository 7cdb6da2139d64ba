"""Training on a machine that is not ours alone, and several runs that share it; on Linux with two cores or more.

python tests/benchmarks/bench_sharing.py [--rounds 3] [--data synthetic] [--epochs 1] [--train-images 0]

neighbour   images a second beside one busy process (at `nice 5`), as a share of what the free machine gives:
            with `--threads auto`, and with a thread a core, which was the default once; bar 0.45
parallel    seconds that four runs of a study take with `--parallel auto`, measuring included, as a share of what
            they take one after the other; bar 1
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch.probe import rate_together

NEIGHBOUR_BAR, PARALLEL_BAR = 0.45, 1.0
PROGRAM = (sys.executable, "-m", "alexnet_tui")


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """A process that never rests, as long as the block lasts."""
    code = "import os\nos.nice(5)\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def neighbour(rounds: int) -> bool:
    """Print the shares that a neighbour leaves; whether the bar holds."""
    automatic, all_cores = RunConfig(), RunConfig(threads=os.cpu_count() or 1)
    free, shared, old = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        free.append(rate_together(automatic, [((), {})]))
        with busy_neighbour():
            shared.append(rate_together(automatic, [((), {})]))
            old.append(rate_together(all_cores, [((), {})]))
    best = statistics.median(free)
    print(f"free machine, threads auto:    {_rates(free)}")
    for name, rates in (
        ("one neighbour, threads auto: ", shared),
        (f"one neighbour, {all_cores.threads} threads:    ", old),
    ):
        print(f"{name}  {_rates(rates)}, {statistics.median(rates) / best:.2f} of the free machine")
    ratio = statistics.median(shared) / best
    print(f"neighbour: {ratio:.2f} (bar {NEIGHBOUR_BAR})")
    return ratio >= NEIGHBOUR_BAR


def _rates(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} images/s [{min(rates):,.0f} .. {max(rates):,.0f}], n={len(rates)}"


def parallel(rounds: int, data: str, epochs: int, train_images: int) -> bool:
    """Print the seconds of a study of four runs; whether the bar holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("data", "prepare", data)
        found: dict[str, list[float]] = {"1": [], "auto": []}
        for index in range(rounds):
            for at_once, seconds in found.items():
                root = folder / f"{at_once}-{index}"
                options = ("--data", data, "--epochs", str(epochs), "--train-images", str(train_images))
                _run("study", "new", "four", "--seeds", "1", *options, "--runs-dir", str(root))
                start = time.perf_counter()
                said = _run("study", "run", "four", "--parallel", at_once, "--runs-dir", str(root))
                seconds.append(time.perf_counter() - start)
        print(*(line for line in said.splitlines() if " at a time" in line), sep="\n")
    medians = {at_once: statistics.median(seconds) for at_once, seconds in found.items()}
    for at_once, seconds in found.items():
        print(
            f"--parallel {at_once:<4}  {medians[at_once]:.1f} s [{min(seconds):.1f} .. {max(seconds):.1f}], n={rounds}"
        )
    ratio = medians["auto"] / medians["1"]
    print(f"parallel: {ratio:.2f} of one after the other (bar {PARALLEL_BAR})")
    return ratio < PARALLEL_BAR


def _run(*words: str) -> str:
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return done.stderr


def main() -> None:
    """Run both; exit code 1 where a bar is not held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--train-images", type=int, default=0, help="0 takes all")
    parser.add_argument("--data", default="synthetic", help="a data set that is here")
    arguments = parser.parse_args()
    print(f"load at the start: {os.getloadavg()[0]:.1f}")
    held = [
        neighbour(arguments.rounds),
        parallel(arguments.rounds, arguments.data, arguments.epochs, arguments.train_images),
    ]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
