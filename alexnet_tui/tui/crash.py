"""Where the traceback of a fault of the console goes."""

import time
import traceback

from alexnet_tui.tui.settings import state_directory


def log_crash() -> str:
    """Append the exception being handled to ``crash.log``; a sentence on where it is."""
    path = state_directory() / "crash.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{stamp}\n{traceback.format_exc()}\n")
    except OSError as error:
        return f"The details could not be written to {path} ({error.strerror})."
    return f"The details are in {path}."
