"""``python -m alexnet_tui.train.probe [CONFIG_JSON] [--probe | --rate]``: what a run would get here, as JSON.

With ``--probe`` it also times five steps, with as many threads as a run would choose; without a configuration, of the
default one. With ``--rate`` it prints ``ready``, waits for a line on standard input, and counts the images a second of
the next few seconds: several such processes, started together, show what runs at once do to each other. Exit code 2
and a sentence on stderr where the device asked for is not here, 1 where the steps could not be made.
"""

import signal
import sys

import msgspec

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AlexnetTuiError, ExitCode
from alexnet_tui.text import printable
from alexnet_tui.train.machine.device import DeviceSetup, select_device, threads_of_environment
from alexnet_tui.train.timing import NUM_CLASSES, UpdateTimer, time_threads

_LIMIT_SECONDS = 240


def main() -> int:
    """Print one JSON object; returns the exit code."""
    arguments = sys.argv[1:]
    mode = arguments.pop() if arguments[-1:] in (["--probe"], ["--rate"]) else ""
    if len(arguments) > 1 or not (arguments or mode):
        sys.stderr.write("usage: python -m alexnet_tui.train.probe [CONFIG_JSON] [--probe | --rate]\n")
        return ExitCode.USAGE
    try:
        config = msgspec.json.decode(arguments[0], type=RunConfig) if arguments else RunConfig()
        setup = select_device(config)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    answer: dict[str, object] = {
        "device": str(setup.device) if setup.device.type == "cpu" else setup.device_class,
        "precision": setup.precision,
        "num_parameters": num_parameters(config.architecture(NUM_CLASSES)),
    }
    if mode:
        signal.alarm(_LIMIT_SECONDS)  # An end for steps that take for ever, also after the caller has given up.
        try:
            answer |= _timed(config, setup, counts_rate=mode == "--rate")
        except (RuntimeError, MemoryError) as error:  # Torch says so where memory does not suffice.
            sys.stderr.write(f"the steps of this run could not be made here ({printable(str(error), 200)}).\n")
            return ExitCode.TRAINING_FAILED
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


def _timed(config: RunConfig, setup: DeviceSetup, *, counts_rate: bool) -> dict[str, object]:
    """What updates take here, with the threads that a run would choose."""
    if not (config.threads or threads_of_environment()):
        milliseconds = time_threads(config, setup)
        setup = select_device(config, min(milliseconds, key=milliseconds.__getitem__, default=0))
    timer = UpdateTimer(config, setup)
    if not counts_rate:
        return {"threads": setup.threads, "step_milliseconds": 1000 * timer.seconds()}
    timer.seconds()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return {"threads": setup.threads, "images_per_second": timer.images_per_second()}


if __name__ == "__main__":
    sys.exit(main())
