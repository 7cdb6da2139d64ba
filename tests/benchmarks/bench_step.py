"""One training step: ours against a plain PyTorch loop, and against Keras where TensorFlow is installed.

    python tests/benchmarks/bench_step.py [--rounds 9] [--front-end same32]

Same network shape on every side: ungrouped, without response normalisation, dropout 0.5, SGD with momentum, batch
128, mirror augmentation, images read from memory. The sides take turns, a few steps each, in one process for
ours and plain and in a child process for Keras, so that a busy machine slows all of them; the ratio of medians
is what counts. "Plain" is what a user would write: float32, eager, `DataLoader` over PIL images with torchvision
transforms, `nn.Sequential`, `torch.optim.SGD`.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from alexnet_tui.config.architecture import Architecture, layers
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.cache import Split
from alexnet_tui.datasets.prepare import Dataset
from alexnet_tui.runs.events import Step
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import DeviceSetup, select_device
from alexnet_tui.train.update.cuda_graph import Recorder
from alexnet_tui.train.update.distributed import Ranks
from alexnet_tui.train.update.step import recorder_for

BATCH, STEPS_A_TURN = 128, 4
CPU = torch.device("cpu")
Act = Callable[[], None]
MakeRecorder = Callable[[DeviceSetup, Ranks], Recorder | None]


def images_and_labels(count: int = 2560) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels (N, 3, 32, 32) as uint8 and labels (N,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, count).astype(np.int64)


def our_step(config: RunConfig, num_images: int = 2560, make_recorder: MakeRecorder = recorder_for) -> Act:
    """The real trainer up to its next step event: `log_steps` updates, then the loss is read.

    Args:
        config: Of the run.
        num_images: Random training images.
        make_recorder: Chooses what records updates, to be replayed as one unit.
    """
    pixels, labels = images_and_labels(num_images)
    split = Split(images=pixels, labels=labels)
    half = (0.5, 0.5, 0.5)
    dataset = Dataset(
        name="random",
        sha256="",
        class_names=tuple("0123456789"),
        train=split,
        test=split,
        image_size=32,
        mean=half,
        std=half,
    )
    setup = select_device(config)
    trainer = Trainer(
        config,
        data.prepare(dataset, config, setup),
        setup,
        num_classes=10,
        data_sha256="",
        folder=None,
        make_recorder=make_recorder,
    )
    events = trainer.fit()

    def step() -> None:
        while not isinstance(next(events), Step):
            continue

    return step


def plain_network(architecture: Architecture) -> nn.Sequential:
    """The same layers from PyTorch's box."""
    convolutions, dense = layers(architecture)
    parts: list[nn.Module] = []
    for layer in convolutions:
        parts += [
            nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel, layer.stride, layer.padding),
            nn.ReLU(),
        ]
        if layer.pools:
            side = min(3, layer.output_size)
            parts.append(nn.MaxPool2d(side, 2, ceil_mode=architecture.front_end.pool_partial))
    parts.append(nn.Flatten())
    for position, full in enumerate(dense):
        parts.append(nn.Linear(full.in_features, full.out_features))
        if position < len(dense) - 1:
            parts += [nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*parts)


def plain_step(config: RunConfig, device: torch.device = CPU) -> Act:
    """A step of the loop a user would write."""
    from PIL import Image
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    pixels, labels = images_and_labels()
    pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in pixels]

    class Pictures(TensorDataset):
        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return transform(pictures[index]), self.tensors[0][index]

    loader = DataLoader(Pictures(torch.from_numpy(labels)), BATCH, shuffle=True, drop_last=True)
    network = plain_network(config.architecture(10)).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    stream = batches()

    def step() -> None:
        images, targets = next(stream)
        optimizer.zero_grad()
        loss = criterion(network(images.to(device)), targets.to(device))
        loss.backward()
        optimizer.step()
        loss.item()

    return step


KERAS_CHILD = """
import json, sys, time
import numpy as np, keras
from keras import layers
layout = json.loads(sys.argv[1])
model = keras.Sequential([layers.Input((32, 32, 3)), layers.RandomFlip("horizontal")])
for filters, kernel, stride, padding, pools, partial in layout["conv"]:
    if padding:
        model.add(layers.ZeroPadding2D(padding))
    model.add(layers.Conv2D(filters, kernel, stride, activation="relu"))
    if pools:
        model.add(layers.MaxPooling2D(3, 2, padding="same" if partial else "valid"))
model.add(layers.Flatten())
for units in layout["dense"][:-1]:
    model.add(layers.Dense(units, activation="relu")); model.add(layers.Dropout(0.5))
model.add(layers.Dense(10, activation="softmax"))
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
images = np.random.default_rng(0).random((2560, 32, 32, 3), dtype=np.float32); labels = np.arange(2560) % 10
steps = layout["steps"]
model.fit(images, labels, batch_size=128, verbose=0)
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    model.fit(images[:128 * steps], labels[:128 * steps], batch_size=128, verbose=0)
    print((time.perf_counter() - start) / steps, flush=True)
"""


class Keras:
    """Keras' `fit` in a process of its own, timed a few steps at a time."""

    def __init__(self, architecture: Architecture) -> None:
        convolutions, dense = layers(architecture)
        layout = {
            "conv": [
                (layer.out_channels, layer.kernel, layer.stride, layer.padding, layer.pools and layer.output_size > 1,
                 architecture.front_end.pool_partial or layer.output_size < 3)
                for layer in convolutions
            ],
            "dense": [layer.out_features for layer in dense],
            "steps": STEPS_A_TURN,
        }  # fmt: skip
        self._child = subprocess.Popen(
            [sys.executable, "-c", KERAS_CHILD, json.dumps(layout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdout is not None
        if self._child.stdout.readline().strip() != "ready":
            raise SystemExit("Keras did not start; run its script by hand to see why.")

    def seconds_a_step(self) -> float:
        """Mean seconds of a step over one turn."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()
        return float(self._child.stdout.readline())

    def close(self) -> None:
        """End the child."""
        self._child.kill()


def time_turn(step: Act) -> float:
    """Mean seconds of a step over one turn."""
    start = time.perf_counter()
    for _ in range(STEPS_A_TURN):
        step()
    return (time.perf_counter() - start) / STEPS_A_TURN


def main() -> None:
    """Time the sides in turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--front-end", default="same32")
    parser.add_argument("--threads", default="0")
    arguments = parser.parse_args()
    config = RunConfig.from_text(
        {
            "front_end": arguments.front_end,
            "lrn": "no",
            "groups": "1",
            "augmentation": "flip",
            "data": "random",
            "log_steps": "1",
            "epochs": "100000",
            "threads": arguments.threads,
        }
    )
    ours, plain = our_step(config), plain_step(config)
    sides: dict[str, Callable[[], float]] = {"ours": lambda: time_turn(ours), "plain PyTorch": lambda: time_turn(plain)}
    keras = Keras(config.architecture(10)) if importlib.util.find_spec("keras") else None
    if keras:
        sides["Keras"] = keras.seconds_a_step
    for measure in sides.values():
        measure()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, measure in sides.items():
            seconds[name].append(measure())
    if keras:
        keras.close()
    precision = select_device(config).precision
    print(f"{arguments.front_end}, batch {BATCH}, {torch.get_num_threads()} threads, ours in {precision}, "
          f"torch {torch.__version__}, Python {platform.python_version()}, {arguments.rounds} rounds of "
          f"{STEPS_A_TURN} steps")  # fmt: skip
    mine = statistics.median(seconds["ours"])
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:14s} {middle * 1e3:7.1f} ms [{min(values) * 1e3:.1f} .. {max(values) * 1e3:.1f}]"
              f"   ours / {name} = {mine / middle:.2f}")  # fmt: skip
    if not keras:
        print("Keras: not installed (pip install tensorflow keras to compare).")


if __name__ == "__main__":
    main()
