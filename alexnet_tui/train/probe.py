"""``python -m alexnet_tui.train.probe [CONFIG_JSON] [--probe]``: what a run would get on this machine, as JSON.

With ``--probe`` it also times five steps; without a configuration, of the default one. Exit code 2 and a sentence
on stderr where the device asked for is not here, 1 where the steps could not be made.
"""

import signal
import statistics
import sys
import time

import msgspec
import torch

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import FRONT_ENDS
from alexnet_tui.errors import AlexnetTuiError, ExitCode
from alexnet_tui.text import printable
from alexnet_tui.train.data import BatchMaker, Data, Images
from alexnet_tui.train.device import DeviceSetup, select_device
from alexnet_tui.train.loop import Trainer

_WARM_UP_STEPS, _TIMED_STEPS = 2, 5
_LIMIT_SECONDS = 240
NUM_CLASSES = 10


def main() -> int:
    """Print one JSON object; returns the exit code."""
    arguments = sys.argv[1:]
    is_probe = arguments[-1:] == ["--probe"]
    if is_probe:
        arguments.pop()
    if len(arguments) > 1 or not (arguments or is_probe):
        sys.stderr.write("usage: python -m alexnet_tui.train.probe [CONFIG_JSON] [--probe]\n")
        return ExitCode.USAGE
    try:
        config = msgspec.json.decode(arguments[0], type=RunConfig) if arguments else RunConfig()
        setup = select_device(config)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    answer = {
        "device": str(setup.device) if setup.device.type == "cpu" else setup.device_class,
        "precision": setup.precision,
        "num_parameters": num_parameters(config.architecture(NUM_CLASSES)),
    }
    if is_probe:
        signal.alarm(_LIMIT_SECONDS)  # An end for steps that take for ever, also after the caller has given up.
        try:
            answer["step_milliseconds"] = 1000 * step_seconds(config, setup)
        except (RuntimeError, MemoryError) as error:  # Torch says so where memory does not suffice.
            sys.stderr.write(f"the steps of this run could not be made here ({printable(str(error), 200)}).\n")
            return ExitCode.TRAINING_FAILED
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


def step_seconds(config: RunConfig, setup: DeviceSetup) -> float:
    """Median seconds of the trainer's own update on random images, after a warm-up; no data set is needed."""
    size = FRONT_ENDS[config.front_end].image_size
    pixels = torch.randint(0, 256, (config.batch_size, 3, size, size), dtype=torch.uint8, device=setup.device)
    images = Images(pixels, torch.arange(config.batch_size, device=setup.device) % NUM_CLASSES)
    grey = (0.5, 0.5, 0.5)
    data = Data(images, images, images, None, BatchMaker(images, (grey, grey), config, setup))
    trainer = Trainer(config, data, setup, num_classes=NUM_CLASSES, data_sha256="", folder=None)
    batch = torch.arange(config.batch_size, device=setup.device)
    seconds = []
    for _ in range(_WARM_UP_STEPS + _TIMED_STEPS):
        start = time.perf_counter()
        measured_2, _ = trainer.update(batch, config.learning_rate)
        measured_2.tolist()  # Waits until the device is done.
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[_WARM_UP_STEPS:])


if __name__ == "__main__":
    sys.exit(main())
