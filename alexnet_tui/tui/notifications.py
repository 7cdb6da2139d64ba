"""How any screen says what happened.

`notify` answers a key; `announce` tells of what nobody on the screen asked for.
"""

from collections.abc import Sequence
from typing import Any

from textual.app import App
from textual.screen import Screen

from alexnet_tui.text import counted, printable
from alexnet_tui.tui.widgets.bars import KeyBar


def notify(node: App[Any] | Screen[Any], text: str, *, is_error: bool = False) -> None:
    """Show a short message: in the screen's status line, else in place of the keys, or above a dialog."""
    show_status = getattr(node.screen, "show_status", None)
    bar = next(iter((node if isinstance(node, App) else node.app).screen.query(KeyBar)), None)
    if show_status is not None:
        show_status(text, is_error=is_error)
    elif bar is not None:
        bar.show_message(printable(text, 400), is_error=is_error)
    else:
        node.notify(printable(text, 400), severity="error" if is_error else "information", markup=False)
        # Where nothing else is painted, Textual (8.2) leaves a message on the terminal that it has removed.
        node.set_timer(App.NOTIFICATION_TIMEOUT + 1, node.app.refresh)


def notify_outcome(screen: Screen[Any], done: Sequence[str], problems: Sequence[str], participle: str) -> None:
    """Say in one message what became of several runs, as each message takes the place of the one before.

    Args:
        screen: Where it was asked for.
        done: Sentences on what was done.
        problems: Why the rest was not, a sentence for each run; the first is shown, and how many more there are.
        participle: What was to be done: ``deleted``.
    """
    more = [f"{counted(len(problems) - 1, 'more run')} could not be {participle}."] if len(problems) > 1 else []
    if text := " ".join([*done, *problems[:1], *more]):
        notify(screen, text, is_error=bool(problems))


def announce(app: App[Any], text: str, *, is_error: bool) -> None:
    """Show what nobody on this screen asked for: in place of the keys, below any dialog, so that it covers nothing."""
    bars = (bar for screen in reversed(app.screen_stack) for bar in screen.query(KeyBar))
    if (bar := next(bars, None)) is not None:
        bar.show_message(printable(text, 400), is_error=is_error)


def copy(app: App[Any], text: str) -> None:
    """Put text on the clipboard of the terminal, which may be at the other end of an SSH session."""
    app.copy_to_clipboard(text)
    notify(app, f"Copied {text}")  # The message is shortened, where it is long; the copy never is.
