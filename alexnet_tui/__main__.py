"""``python -m alexnet_tui`` is the command ``alexnet-tui``."""

from alexnet_tui.cli.main import main

if __name__ == "__main__":
    main()
