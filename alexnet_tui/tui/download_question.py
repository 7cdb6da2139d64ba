"""The question before a data set is downloaded: the same wherever a run or a study is started."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from textual.screen import Screen

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets import catalog
from alexnet_tui.errors import DatasetError
from alexnet_tui.tui.widgets.dialogs import ConfirmScreen


def missing(configs: Iterable[RunConfig]) -> list[str]:
    """The data sets that must be downloaded before runs can train; reads the disk."""
    names: dict[str, None] = {}
    for config in configs:
        with suppress(DatasetError):  # One that cannot be used has a sentence of its own, when it is prepared.
            is_ready = catalog.is_prepared(config.data, FRONT_ENDS[config.front_end].image_size)
            if not is_ready and catalog.find(config.data).state == "download":
                names[config.data] = None
    return list(names)


def question(name: str, lines: Sequence[str]) -> ConfirmScreen:
    """Asks whether to download a data set and to start what needs it.

    Args:
        name: The data set.
        lines: What starts then.
    """
    size = catalog.BUILT_IN[name].download if name in catalog.BUILT_IN else ""
    about = f"{size} to download, kept on this disk for all later runs." if size else "It is downloaded."
    return ConfirmScreen(
        f"{name} is not here yet. Download it and start?", [about, *lines], action="Download and start"
    )


def ask(screen: Screen[None], name: str, lines: Sequence[str], then: Callable[[], object]) -> None:
    """Ask, and do what follows a yes."""

    def answer(is_sure: bool | None) -> None:
        if is_sure:
            then()

    screen.app.push_screen(question(name, lines), answer)
