"""First contact with a GPU: does everything train, do numbers repeat, how fast is a step, how many runs at once pay.

    python tests/benchmarks/bench_gpu.py [--parts check,replay,repeat,precision,step,hundred,parallel] [--json gpu.json]

One command for a CUDA machine; ``--device cpu --tiny`` runs the same logic on a small scale on any machine. Each part
adds its result to the JSON file as soon as it is done, so that parts can be run in separate commands:

- ``check``      every variant with every front end for two epochs;
- ``replay``     updates replayed from a CUDA graph give the events and weights of updates launched piece by piece;
- ``repeat``     the same seed twice gives the same events; stopped and resumed gives the same weights;
- ``precision``  losses in bfloat16 beside those in float32 over three epochs;
- ``step``       one update of ours, replayed and piece by piece, of a plain PyTorch loop and of a strong one in turns
                 (channels last, bfloat16 autocast, fused SGD, data on the device, `torch.compile` with reduced
                 overhead; in a process of its own, as its CUDA graphs and ours in one process ended in "unspecified
                 launch failure" with torch 2.11 on an H200; ``--no-compile`` leaves `torch.compile` out), beside the
                 memory bandwidth and the bfloat16 matrix rate;
- ``hundred``    one run of each variant over 100 epochs, one after the other: the target is 60 s on an H100;
- ``parallel``   images per second of 1, 2, 4 ... runs at once.
"""

import argparse
import json
import multiprocessing
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.bench_step import MakeRecorder, our_step, plain_network, plain_step

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.datasets.prepare import load_dataset, prepare_dataset
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import select_device
from alexnet_tui.train.update.step import recorder_for

PARTS = ("check", "replay", "repeat", "precision", "step", "hundred", "parallel")
BATCH = 128
Result = dict[str, Any]


class Bench:
    """The options of a benchmark and the folder its runs lie in.

    Attributes:
        device: As ``--device`` of a run.
        is_compiled: `torch.compile` has a part in the strong loop.
        is_tiny: A few images and updates, to try the logic.
        root: Folder of runs made by the benchmark.
    """

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.device: str = options.device
        self.data: str = options.data
        self.is_tiny: bool = options.tiny
        self.is_compiled: bool = self.device != "cpu" if options.compile is None else options.compile
        self.max_parallel: int = options.max_parallel
        self.root = root
        self._count = 0

    def command(self, *fields: str, folder: Path | None = None) -> list[str]:
        """A run on the command line; `fields` are its options."""
        self._count += 1
        folder = folder or self.root / f"runs-{self._count}"
        size = ["--train-images", "96", "--train-eval-images", "32", "--threads", "1"] if self.is_tiny else []
        common = ["--data", self.data, "--device", self.device, "--runs-dir", str(folder), *size]
        return [sys.executable, "-m", "alexnet_tui", "run", *fields, *common, "--headless", "--json"]

    def finish(self, *fields: str) -> tuple[list[Result], float]:
        """Train a run to its end; its events and the seconds of the whole command.

        Raises:
            RuntimeError: The run failed, with the end of what it wrote.
        """
        start = time.perf_counter()
        done = subprocess.run(self.command(*fields), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(fields)}: exit code {done.returncode}: {done.stderr[-500:]}")
        return [json.loads(line) for line in done.stdout.splitlines()], time.perf_counter() - start


def epochs_of(events: list[Result]) -> list[Result]:
    """The epoch events of a run."""
    return [event for event in events if event["kind"] == "epoch"]


def numbers_of(events: list[Result]) -> list[tuple[object, ...]]:
    """What must repeat: every loss and accuracy of steps and epochs."""
    names = ("epoch", "step", "train_loss", "train_accuracy", "train_eval_loss", "test_loss", "test_accuracy")
    return [tuple(event.get(name) for name in names) for event in events if event["kind"] in {"step", "epoch"}]


def check(bench: Bench) -> Result:
    """Two epochs of every front end and variant: last losses, rate, peak memory, or the error."""
    found: Result = {}
    for front_end in FRONT_ENDS:
        for variant in VARIANTS:
            name = f"{front_end} {variant}"
            large = FRONT_ENDS[front_end].image_size > 64
            fields = [variant, "--front-end", front_end, "--epochs", "1" if bench.is_tiny else "2"]
            if large and not bench.is_tiny:
                fields += ["--train-images", "10000"]
            try:
                events, seconds = bench.finish(*fields)
            except RuntimeError as error:
                found[name] = {"error": str(error)}
                continue
            last = epochs_of(events)[-1]
            memory = [event["gpu_memory_bytes"] or 0 for event in events if event["kind"] == "system"]
            found[name] = {
                "test_accuracy": last["test_accuracy"],
                "train_loss": last["train_loss"],
                "images_per_second": last["images_per_second"],
                "seconds_with_start": round(seconds, 1),
                "gpu_memory_bytes": max(memory, default=0),
            }
            print(f"  {name}: {found[name]}", flush=True)
    return found


def replay(bench: Bench) -> Result:
    """The same small run with updates replayed and piece by piece, in both precisions, and any warning of the first."""
    found: Result = {}
    for dtype in ("fp32", "bf16"):
        sides = [_train_here(bench, dtype, make_recorder) for make_recorder in (recorder_for, lambda *_: None)]
        (events, weights), (plain_events, plain_weights) = sides
        found[dtype] = {
            "same_events": numbers_of(events) == numbers_of(plain_events),
            "same_weights": all(map(torch.equal, weights, plain_weights)),
            "warnings": [event["message"] for event in events if event["kind"] == "warning"],
        }
    return found


def _train_here(bench: Bench, dtype: str, make_recorder: MakeRecorder) -> tuple[list[Result], list[Tensor]]:
    """Events and last weights of a run in this process, with a smaller last batch, evaluation and all randomness."""
    fields = {"data": bench.data, "device": bench.device, "precision": dtype, "epochs": "2", "augmentation": "paper"}
    fields |= {"schedule": "inverse-time", "rate_decay": "0.001", "init": "he", "log_steps": "5"}
    tiny = {"train_images": "100", "batch_size": "32", "threads": "1"}
    fields |= tiny if bench.is_tiny else {"train_images": "10000"}
    config = RunConfig.from_text(fields)
    setup = select_device(config)
    prepare_dataset(config.data, 32)
    dataset = load_dataset(config.data, 32)
    trainer = Trainer(
        config,
        data.prepare(dataset, config, setup),
        setup,
        num_classes=len(dataset.class_names),
        data_sha256=dataset.sha256,
        folder=None,
        make_recorder=make_recorder,
    )
    events = [msgspec.to_builtins(event) for event in trainer.fit()]
    return events, trainer.optimizer.master_weights


def repeat(bench: Bench) -> Result:
    """Same seed twice; stop by SIGTERM in the second epoch and resume; compare events and checkpoint hashes."""
    fields = ["baseline", "--epochs", "3", "--checkpoint-epochs", "1", "--log-steps", "1" if bench.is_tiny else "20"]
    first, second = (bench.finish(*fields)[0] for _ in range(2))
    folder = bench.root / "stopped"
    command = bench.command(*fields, folder=folder)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        event = json.loads(line)
        if event["kind"] == "step" and event["epoch"] == 2:
            running.send_signal(signal.SIGINT)
            break
    rest = [json.loads(line) for line in running.stdout]
    running.wait()
    resume = [sys.executable, "-m", "alexnet_tui", "resume", "last", "--runs-dir", str(folder), "--headless", "--json"]
    resumed = subprocess.run(resume, capture_output=True, text=True)
    events = [json.loads(line) for line in resumed.stdout.splitlines()]
    last = epochs_of(events)[-1:] or [{}]
    hashes = {}
    for path in sorted(bench.root.glob("*/*/checkpoints/e0003/manifest.json")):
        hashes[path.parts[-5]] = json.loads(path.read_text())["sha256"]
    return {
        "same_seed_same_events": numbers_of(first) == numbers_of(second),
        "was_stopped": any(event["kind"] == "stopped" for event in rest),
        "resumed_bit_exact": [event.get("bit_exact") for event in events if event["kind"] == "resumed"],
        "stopped_and_resumed_same_last_epoch": numbers_of(epochs_of(first)[-1:]) == numbers_of(last),
        "checkpoint_sha256": hashes,
        "same_weights": len(set(hashes.values())) == 1,
    }


def precision(bench: Bench) -> Result:
    """Losses of three epochs in both precisions."""
    found: Result = {}
    for name in ("fp32", "bf16"):
        rows = epochs_of(bench.finish("baseline", "--epochs", "3", "--precision", name)[0])
        found[name] = {key: [row[key] for row in rows] for key in ("train_loss", "test_loss", "test_accuracy")}
    pairs = zip(found["fp32"]["train_loss"], found["bf16"]["train_loss"], strict=True)
    found["largest_relative_difference_of_train_loss"] = max(abs(a - b) / a for a, b in pairs)
    return found


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(act: Callable[[], object], device: torch.device, times: int) -> float:
    """Seconds of one call, the fastest of `times` after a warm-up."""
    act()
    synchronise(device)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def ceilings(bench: Bench, device: torch.device) -> Result:
    """Memory bandwidth (bytes read and written per second) and bfloat16 matrix rate (operations per second)."""
    count = (1 << 22) if bench.is_tiny else (1 << 29)
    source = torch.empty(count, dtype=torch.int16, device=device)
    target = torch.empty_like(source)
    copy = rate(lambda: target.copy_(source), device, 5)
    side = 256 if bench.is_tiny else 8192
    left = torch.randn(side, side, device=device).bfloat16()
    right = torch.randn(side, side, device=device).bfloat16()
    product = rate(lambda: left @ right, device, 5)
    return {"copy_bytes_per_second": 4 * count / copy, "bf16_matrix_flop_per_second": 2 * side**3 / product}


def strong_step(config: RunConfig, device: torch.device, *, compiled: bool) -> Callable[[], None]:
    """An update of the loop an expert would write; the loss is never read."""
    network = plain_network(config.architecture(10)).to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)
    generator = torch.Generator(device=device).manual_seed(0)
    pixels = torch.randint(0, 256, (10_240, 3, 32, 32), dtype=torch.uint8, device=device, generator=generator)
    labels = torch.randint(0, 10, (10_240,), device=device, generator=generator)

    def losses(images: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return F.cross_entropy(network(images), targets)

    forward = torch.compile(losses, mode="reduce-overhead") if compiled else losses

    def step() -> None:
        index = torch.randint(len(pixels), (BATCH,), device=device, generator=generator)
        images = pixels[index].float().div_(127.5).sub_(1).to(memory_format=torch.channels_last)
        mirrored = torch.rand(BATCH, 1, 1, 1, device=device, generator=generator) < 0.5
        optimizer.zero_grad()
        loss = forward(torch.where(mirrored, images.flip(3), images), labels[index])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def repeated(act: Callable[[], None], times: int) -> Callable[[], None]:
    """The same act so many times."""

    def acts() -> None:
        for _ in range(times):
            act()

    return acts


def seconds_of(act: Callable[[], None], device: torch.device) -> float:
    """Seconds until the device has done what one call gives it."""
    synchronise(device)
    start = time.perf_counter()
    act()
    synchronise(device)
    return time.perf_counter() - start


def answer_strong(asked: Connection, config: RunConfig, device: torch.device, compiled: bool, times: int) -> None:
    """Body of a process: send the seconds of so many updates of the strong loop each time that something comes."""
    act = repeated(strong_step(config, device, compiled=compiled), times)
    while asked.recv():
        asked.send(seconds_of(act, device))


def step(bench: Bench) -> Result:
    """Milliseconds of an update on each side, in turns."""
    steps, rounds = (2, 2) if bench.is_tiny else (50, 9)
    fields = {"data": "random", "epochs": "100000", "log_steps": str(steps), "device": bench.device}
    config = RunConfig.from_text(fields)
    device = torch.device("cuda" if bench.device == "auto" else bench.device)
    num_images = 512 if bench.is_tiny else 51_200
    ours = our_step(config, num_images)  # One call: `log_steps` updates.
    pieces = our_step(config, num_images, make_recorder=lambda *_: None)
    plain = repeated(plain_step(config, device), steps // 2)
    spawn = multiprocessing.get_context("spawn")
    connection, far_end = spawn.Pipe()
    strong = spawn.Process(target=answer_strong, args=(far_end, config, device, bench.is_compiled, steps), daemon=True)
    strong.start()
    far_end.close()  # What it does not answer is an error here then, not a wait.

    def strong_seconds() -> float:
        connection.send(True)
        return float(connection.recv())

    sides: dict[str, tuple[Callable[[], float], int]] = {
        "ours": (lambda: seconds_of(ours, device), steps),
        "ours piece by piece": (lambda: seconds_of(pieces, device), steps),
        "strong": (strong_seconds, steps),
        "plain": (lambda: seconds_of(plain, device), steps // 2),
    }
    milliseconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, (seconds, count) in sides.items():
            taken = seconds()
            if turn:  # The first turn warms up and compiles.
                milliseconds[name].append(1000 * taken / count)
    connection.send(False)
    strong.join()
    medians = {name: statistics.median(values) for name, values in milliseconds.items()}
    return {
        "front_end": config.front_end,
        "batch": BATCH,
        "milliseconds": {name: [min(each), medians[name], max(each)] for name, each in milliseconds.items()},
        "ours_over_pieces": medians["ours"] / medians["ours piece by piece"],
        "ours_over_strong": medians["ours"] / medians["strong"],
        "ours_over_plain": medians["ours"] / medians["plain"],
        **ceilings(bench, device),
    }


def hundred(bench: Bench) -> Result:
    """Seconds of 100 epochs of every variant, each with its start and end, and of all together."""
    found: Result = {}
    for variant in VARIANTS:
        events, seconds = bench.finish(variant, "--epochs", "2" if bench.is_tiny else "100", "--log-steps", "100")
        last = epochs_of(events)[-1]
        found[variant] = {"seconds_with_start": round(seconds, 1), "train_seconds": last["train_seconds"]}
        print(f"  {variant}: {found[variant]}", flush=True)
    return {**found, "all_seconds": round(sum(one["seconds_with_start"] for one in found.values()), 1)}


def parallel(bench: Bench) -> Result:
    """Images per second of all runs together, by the number of runs at once: last of two epochs, start excluded."""
    found: Result = {}
    count = 1
    while count <= bench.max_parallel:
        fields = ("baseline", "--epochs", "2" if bench.is_tiny else "4", "--log-steps", "100")
        commands = [bench.command(*fields, "--seed", str(seed)) for seed in range(count)]
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
        ]
        outputs = [one.communicate() for one in running]
        errors = [error[-300:] for one, (_, error) in zip(running, outputs, strict=True) if one.returncode]
        rates = []
        for output, _ in outputs:
            rows = epochs_of([json.loads(line) for line in output.splitlines()])
            if len(rows) > 1:
                images = rows[-1]["images_per_second"] * rows[-1]["train_seconds"]
                rates.append(images / rows[-1]["epoch"] / ((rows[-1]["t"] - rows[0]["t"]) / (len(rows) - 1)))
        found[str(count)] = {"images_per_second": round(sum(rates), 1), "errors": errors}
        print(f"  {count} at once: {found[str(count)]}", flush=True)
        if errors:
            break
        count *= 2
    return found


def machine(device: str) -> Result:
    """What the numbers were measured on."""
    found: Result = {
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }
    if device != "cpu" and torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(0), "cuda": torch.version.cuda}
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        asked = subprocess.run(query, capture_output=True, text=True)
        found["driver"] = re.sub(r"\s+", " ", asked.stdout.strip())
    return found


def main() -> int:
    """Run the parts asked for; 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", default="synthetic", help="a prepared data set, such as cifar10")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="the strong loop; by default on a GPU")
    parser.add_argument("--max-parallel", type=int, default=8)
    parser.add_argument("--json", type=Path, default=Path("bench_gpu.json"))
    options = parser.parse_args()
    acts: dict[str, Callable[[Bench], Result]] = {
        "check": check,
        "replay": replay,
        "repeat": repeat,
        "precision": precision,
        "step": step,
        "hundred": hundred,
        "parallel": parallel,
    }
    parts = options.parts.split(",")
    if unknown := [part for part in parts if part not in acts]:
        parser.error(f"there is no part {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    if options.device == "auto" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here; --device cpu --tiny tries the logic")
    results: Result = json.loads(options.json.read_text()) if options.json.exists() else {}
    results["machine"] = machine(options.device)
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as folder:
        bench = Bench(options, Path(folder))
        for part in parts:
            print(f"{part} ...", flush=True)
            start = time.perf_counter()
            bench.root = Path(folder) / part
            results[part] = {**acts[part](bench), "seconds": round(time.perf_counter() - start, 1)}
            options.json.write_text(json.dumps(results, indent=1))
            print(json.dumps(results[part], indent=1), flush=True)
    wrong = [name for name, one in results.get("check", {}).items() if isinstance(one, dict) and "error" in one]
    for dtype, one in results.get("replay", {}).items():
        if isinstance(one, dict) and not (one["same_events"] and one["same_weights"] and not one["warnings"]):
            wrong.append(f"replay {dtype}")
    repeated = results.get("repeat", {})
    wrong += [name for name in ("same_seed_same_events", "same_weights") if repeated and not repeated[name]]
    print(f"failed: {', '.join(wrong)}" if wrong else f"written to {options.json}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
