"""The dialog that plans a study: variants x seeds under one protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from alexnet_tui.config import RunConfig, format_value
from alexnet_tui.errors import ConfigError, UsageError
from alexnet_tui.text import printable
from alexnet_tui.tui.dialogs import DialogScreen
from alexnet_tui.variants import FRONT_ENDS, VARIANTS

MAX_AT_ONCE, MAX_SEEDS = 64, 1000
_ALL = "all"
_CONFIG_FIELDS = ("front_end", "data", "epochs")
_LABELS = {
    "name": ("Name", "small letters, digits, - and _"),
    "variants": ("Variants", "all, or some, such as baseline,tanh"),
    "seeds": ("Seeds", "how many, or 5-9; a verdict needs 5"),
    "front_end": ("Front end", ", ".join(FRONT_ENDS)),
    "data": ("Data", "cifar10, cifar100, synthetic, ..."),
    "epochs": ("Epochs", "the report has 100"),
    "at_once": ("At once", "runs that may train at the same time"),
}


def defaults(name: str) -> dict[str, str]:
    """The whole report: all variants, five seeds."""
    config = RunConfig()
    return {
        "name": name,
        "variants": _ALL,
        "seeds": "5",
        **{one: format_value(getattr(config, one)) for one in _CONFIG_FIELDS},
        "at_once": "1",
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOrder:
    """What a person asked for, as typed, and whether a worker is to start at once."""

    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    starts: bool

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.texts["name"].strip()

    @property
    def variants(self) -> list[str]:
        """The variants, as `study.plan` takes them."""
        text = self.texts["variants"].strip()
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words:
            raise ConfigError("variants", f"name some, or {_ALL}")
        return list(VARIANTS) if text == _ALL else words

    @property
    def seeds(self) -> range:
        """The seeds: ``5`` is 0 to 4, ``10-14`` those five."""
        first, dash, last = self.texts["seeds"].replace(" ", "").partition("-")
        try:
            found = range(int(first), int(last) + 1) if dash else range(int(first))
        except ValueError:
            found = range(0)
        if not 0 < len(found) <= MAX_SEEDS:
            raise ConfigError("seeds", f"a number from 1 to {MAX_SEEDS}, or two with a dash, such as 5-9")
        return found

    @property
    def at_once(self) -> int:
        """How many runs may train at the same time."""
        text = self.texts["at_once"].strip()
        if not (text.isdecimal() and 1 <= int(text[:6]) <= MAX_AT_ONCE):
            raise UsageError(f"at once: a number from 1 to {MAX_AT_ONCE}.")
        return int(text)

    @property
    def overrides(self) -> dict[str, str]:
        """The fields of every run that differ from the defaults."""
        usual = defaults("")
        texts = {name: self.texts[name].strip() for name in _CONFIG_FIELDS}
        return {name: text for name, text in texts.items() if text != usual[name]}


class StudyForm(DialogScreen[StudyOrder | None]):
    """Asks for a plan; what is wrong with it is said by whoever writes it, and the form comes back.

    Args:
        texts: What the fields begin with.
        error: What was wrong the last time, or empty.
        field_name: The field to begin in.
    """

    AUTO_FOCUS = ""
    BINDINGS = [
        Binding("ctrl+r", "send(True)", "Start", id="plan.start", tooltip="Write the plan and start its worker."),
        Binding("ctrl+s", "send(False)", "Only plan", id="plan.save", tooltip="Write the plan; start it later."),
        Binding("down", "app.focus_next", "Next", show=False, id="plan.next", tooltip="The next field."),
        Binding("up", "app.focus_previous", "Previous", show=False, id="plan.previous", tooltip="The field before."),
    ]

    def __init__(self, texts: Mapping[str, str], *, error: str = "", field_name: str = "name") -> None:
        super().__init__("A study: every variant with every seed, planned in advance")
        self._texts = texts
        self._error = printable(error, 400)
        self._field_name = field_name if field_name in _LABELS else "name"

    def compose(self) -> ComposeResult:
        """Title, fields, what is wrong, keys."""
        with Vertical(classes="dialog -form"):
            yield Static(Content(self._title), classes="dialog-title")
            for name, (label, hint) in _LABELS.items():
                with Horizontal(classes="form-line"):
                    yield Static(Content(label), classes="form-label")
                    entry = Input(printable(self._texts[name], 200), max_length=200, id=f"plan-{name}", compact=True)
                    entry.cursor_blink = False
                    yield entry
                    yield Static(Content(printable(hint, 120)), classes="form-hint")
            yield Static(Content(self._error), id="plan-error")
            yield self.keys_line(("^r", "Plan and start"), ("^s", "Only plan"), ("tab", "Next"), ("esc", "Back"))

    def on_mount(self) -> None:
        """Begin in the field that matters."""
        self.query_one(f"#plan-{self._field_name}", Input).focus()

    @on(Input.Submitted)
    def _go_on(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def action_send(self, starts: bool) -> None:
        """Hand over what is typed."""
        texts = {name: self.query_one(f"#plan-{name}", Input).value for name in _LABELS}
        self.dismiss(StudyOrder(texts=MappingProxyType(texts), starts=starts))
