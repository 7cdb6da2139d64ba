"""``python -m alexnet_tui.train.probe [CONFIG_JSON] [--probe]``: what a run would get on this machine, as JSON.

With ``--probe`` it also times five steps, with as many threads as a run would choose; without a configuration, of the
default one. Exit code 2 and a sentence on stderr where the device asked for is not here, 1 where the steps could not
be made.
"""

import signal
import sys

import msgspec

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AlexnetTuiError, ExitCode
from alexnet_tui.text import printable
from alexnet_tui.train.device import select_device, threads_of_environment
from alexnet_tui.train.timing import NUM_CLASSES, StepTimer, time_threads

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
            if not (config.threads or threads_of_environment()):
                milliseconds = time_threads(config, setup)
                setup = select_device(config, min(milliseconds, key=milliseconds.__getitem__, default=0))
            answer |= {"threads": setup.threads, "step_milliseconds": 1000 * StepTimer(config, setup).seconds()}
        except (RuntimeError, MemoryError) as error:  # Torch says so where memory does not suffice.
            sys.stderr.write(f"the steps of this run could not be made here ({printable(str(error), 200)}).\n")
            return ExitCode.TRAINING_FAILED
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
