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
import torch.nn.functional as F

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AlexnetTuiError, ExitCode
from alexnet_tui.text import printable
from alexnet_tui.train.device import Placement, place
from alexnet_tui.train.loop import build
from alexnet_tui.train.model import Dropout

_WARM_UP_STEPS, _TIMED_STEPS = 2, 5
_LIMIT_SECONDS = 240


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
        placement = place(config)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    answer = {
        "device": str(placement.device) if placement.device.type == "cpu" else placement.device_class,
        "precision": placement.precision,
        "num_parameters": num_parameters(config.architecture(10)),
    }
    if is_probe:
        signal.alarm(_LIMIT_SECONDS)  # Steps that take for ever end, even where nobody waits for them any more.
        try:
            answer["step_milliseconds"] = 1000 * step_seconds(config, placement)
        except (RuntimeError, MemoryError) as error:  # Torch says so where memory does not suffice.
            sys.stderr.write(f"the steps of this run could not be made here ({printable(str(error), 200)}).\n")
            return ExitCode.TRAINING_FAILED
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


def step_seconds(config: RunConfig, placement: Placement) -> float:
    """Median seconds of one update on random images, after a warm-up; no data set is needed."""
    network, optimizer = build(config, placement, num_classes=10)
    generator = torch.Generator(device=placement.device).manual_seed(0)
    dropout = Dropout(config.dropout, generator) if config.dropout else None
    size = network.architecture.front_end.image_size
    images = torch.randn(config.batch_size, 3, size, size, device=placement.device)
    images = images.to(placement.dtype, memory_format=torch.channels_last)
    labels = torch.arange(config.batch_size, device=placement.device) % 10
    seconds = []
    for _ in range(_WARM_UP_STEPS + _TIMED_STEPS):
        start = time.perf_counter()
        loss = F.cross_entropy(network(images, dropout).float(), labels)
        loss.backward()
        optimizer.step(config.learning_rate)
        loss.item()  # Waits until the device is done.
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[_WARM_UP_STEPS:])


if __name__ == "__main__":
    sys.exit(main())
