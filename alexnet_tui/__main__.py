"""``python -m alexnet_tui`` is the command ``alexnet-tui``."""

import signal


def main() -> None:
    """Run the command line; ctrl-c while it is being loaded ends without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # It is ignored in the background of a script.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from alexnet_tui.cli.main import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
