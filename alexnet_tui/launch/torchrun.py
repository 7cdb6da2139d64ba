"""One run in several processes of this machine, each with a part of every batch; PyTorch's ``torchrun`` starts them."""

import msgspec

from alexnet_tui.errors import UsageError
from alexnet_tui.launch import local
from alexnet_tui.launch.engine import Options, StartOptions
from alexnet_tui.launch.trainer_process import TRAINER
from alexnet_tui.runs.store import Store
from alexnet_tui.text import quoted

MAX_PROCESSES = 64


def check(options: Options) -> None:
    """Refuse a number of processes that is none; see `Engine.check`."""
    _num_processes(options)


def launch(store: Store, run_id: str, options: Options, how: StartOptions) -> None:
    """Start a run in several processes on this machine; see `local.start`."""
    command = (*(how.command or TRAINER), "--nproc", str(_num_processes(options)))
    local.start(store, run_id, msgspec.structs.replace(how, command=command))


def _num_processes(options: Options) -> int:
    text = options.get("nproc", [""])[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PROCESSES):
        given = f", not {quoted(text)}" if text else ""
        raise UsageError(f"--launcher torchrun needs --nproc with a number from 1 to {MAX_PROCESSES}{given}.")
    return int(text)
