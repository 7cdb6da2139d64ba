"""The version of the arithmetic: whoever changes numbers raises it, and stores new losses here.

``python tests/train/test_arithmetic.py`` prints the losses that belong into ``golden_losses.json``.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.cache import Split
from alexnet_tui.datasets.prepare import Dataset
from alexnet_tui.runs import events as ev
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import ARITHMETIC, select_device

GOLDEN = Path(__file__).with_name("golden_losses.json")
STEPS = 30
# Initial weights and learning rate of each front end: large enough to leave chance within thirty updates, small enough
# not to amplify the rounding of another processor beyond the tolerance (tried: AVX-512 against AVX2).
SETTINGS = {
    "literal32": {"init": "he", "learning_rate": "0.01"},
    "same32": {"init": "he", "learning_rate": "0.01"},
    "resize227": {"learning_rate": "0.0003"},
    "keras-valid": {"init": "he", "learning_rate": "0.003"},
    "keras-same": {"init": "he", "learning_rate": "0.003"},
    "cifar3x3": {"learning_rate": "0.001"},
}


def images(side: int) -> Dataset:
    """Forty images of ten classes that a network can tell apart: a bright square whose place is the class."""
    rng = np.random.default_rng(2012)
    labels = np.arange(40, dtype=np.int64) % 10
    pixels = rng.integers(0, 128, (40, 3, side, side), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[:, side * (label // 4) // 4 :, side * (label % 4) // 4 :] += 100
    split = Split(images=pixels, labels=labels)
    names = tuple(f"class{index}" for index in range(10))
    grey = (0.45, 0.45, 0.45)
    return Dataset(
        name="squares", sha256="", class_names=names, train=split, test=split, image_size=side, mean=grey, std=grey
    )


def losses(front_end: str) -> list[float]:
    """Mean running loss of every update, in float32 on one thread."""
    batch = 4
    size = FRONT_ENDS[front_end].image_size
    fields = {"front_end": front_end, "batch_size": str(batch), "epochs": str(STEPS * batch // 40), "log_steps": "1"}
    fields |= {"threads": "1", "precision": "fp32", "device": "cpu", "train_eval_images": "1"}
    fields |= {**SETTINGS[front_end], "weight_decay": "0.02"}
    config = RunConfig.from_text(fields)
    setup = select_device(config)
    dataset = images(size)
    parts = data.prepare(dataset, config, setup)
    one = data.Images(parts.test.pixels_NCHW[:1], parts.test.labels_N[:1])
    parts = data.Data(parts.train, parts.train_eval, one, None, parts.batches)
    trainer = Trainer(config, parts, setup, num_classes=10, data_sha256="", folder=None)
    events = [event for event in trainer.fit() if isinstance(event, ev.Step)]
    return [float(event.train_loss) for event in events]


@pytest.mark.slow
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_thirty_updates_give_the_stored_losses(front_end: str) -> None:
    stored = json.loads(GOLDEN.read_text())
    assert stored["arithmetic"] == ARITHMETIC, "new arithmetic: run this file and store what it prints"
    np.testing.assert_allclose(losses(front_end), stored["losses"][front_end], atol=1e-4)


if __name__ == "__main__":
    found = {name: [round(loss, 6) for loss in losses(name)] for name in FRONT_ENDS}
    json.dump({"arithmetic": ARITHMETIC, "losses": found}, sys.stdout, indent=1)
