"""Runs for measuring viewers: many small ones, one long one, or one that is being written.

    python tests/benchmarks/make_runs.py many RUNS --runs 200 --steps 200
    python tests/benchmarks/make_runs.py long RUNS --steps 100000
    python tests/benchmarks/make_runs.py live RUNS --hz 10

``live`` prints ``up``, then reads lines ``spike VALUE`` from standard input, logs VALUE as the next loss and
prints ``t UNIXTIME``, taken just before.
"""

import argparse
import math
import os
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake_runs import open_writer, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import Store

STEPS_AN_EPOCH = 50


def step_event(step: int, total: int, rng: random.Random, loss: float | None = None) -> ev.Step:
    """A falling loss with two percent of noise."""
    smooth = 0.05 + 2.25 * math.exp(-5 * step / total)
    value = smooth * (1 + 0.02 * rng.gauss(0, 1)) if loss is None else loss
    return ev.Step(
        epoch=1 + (step - 1) // STEPS_AN_EPOCH,
        step=step,
        train_loss=value,
        train_accuracy=min(1.0, max(0.0, 1 - value / 2.4)),
        learning_rate=0.01,
        images_per_second=1700 + 20 * rng.random(),
    )


def epoch_event(epoch: int, total: int, rng: random.Random) -> ev.Epoch:
    """The end of an epoch of that curve."""
    step = epoch * STEPS_AN_EPOCH
    loss = 0.05 + 2.25 * math.exp(-5 * step / total)
    train = 1 - loss / 2.4
    return ev.Epoch(
        epoch=epoch,
        step=step,
        train_loss=loss,
        train_accuracy=train,
        train_eval_loss=loss,
        train_eval_accuracy=train,
        test_loss=0.9 + loss / 2,
        test_accuracy=0.1 + 0.55 * train + 0.01 * rng.random(),
        learning_rate=0.01,
        train_seconds=2.0 * epoch,
        elapsed_seconds=2.5 * epoch,
        images_per_second=1700.0,
    )


def write_one(store: Store, variant: str, seed: int, steps: int) -> None:
    """One finished run of `steps` updates, an event each."""
    epochs = max(1, steps // STEPS_AN_EPOCH)
    config = RunConfig.from_text({"variant": variant, "seed": str(seed), "epochs": str(epochs), "data": "synthetic"})
    record = store.create(config)
    rng = random.Random(seed)
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(config, steps_per_epoch=STEPS_AN_EPOCH, total_steps=steps))
        for step in range(1, steps + 1):
            writer.write(step_event(step, steps, rng))
            if step % STEPS_AN_EPOCH == 0:
                writer.write(epoch_event(step // STEPS_AN_EPOCH, steps, rng))
        writer.write(ev.Finished(epoch=epochs, step=steps, train_seconds=2.0 * epochs, elapsed_seconds=2.5 * epochs))


def live(store: Store, hz: float, seconds: float = 600) -> None:
    """Log at a steady rate, and spikes on request, until standard input ends."""
    config = RunConfig.from_text({"epochs": "40", "data": "synthetic"})
    record = store.create(config, label="live")
    spikes: list[float] = []
    ended = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            if line.startswith("spike "):
                spikes.append(float(line.split()[1]))
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    rng, step, start = random.Random(0), 0, time.time()
    lock = take_lock(store.path(record.id))
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(config, steps_per_epoch=STEPS_AN_EPOCH, total_steps=2000))
        print("up", flush=True)
        while not ended.is_set() and time.time() - start < seconds:
            step += 1
            spike = spikes.pop(0) if spikes else None
            before = time.time()
            writer.write(step_event(step, 2000, rng, spike))
            if spike is not None:
                print(f"t {before:.6f}", flush=True)
            ended.wait(max(0.0, start + step / hz - time.time()))
    os.close(lock)


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["many", "long", "live"])
    parser.add_argument("runs_dir", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--hz", type=float, default=10)
    arguments = parser.parse_args()
    store = Store(arguments.runs_dir)
    if arguments.kind == "live":
        live(store, arguments.hz)
    elif arguments.kind == "long":
        write_one(store, "baseline", 0, arguments.steps or 100_000)
    else:
        for index in range(arguments.runs):
            write_one(store, list(VARIANTS)[index % 4], index // 4, arguments.steps or 200)


if __name__ == "__main__":
    main()
