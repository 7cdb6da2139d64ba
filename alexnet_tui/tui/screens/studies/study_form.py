"""The dialog that plans a study: which runs, what is claimed of them, and how many runs that makes."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.geometry import Region
from textual.widgets import Input, Static

from alexnet_tui.config.claims import claim_files, claim_sets
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.protocols import PROTOCOLS
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.errors import AlexnetTuiError, ConfigError
from alexnet_tui.text import printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.screens.studies.request import ALL, PROTOCOLS_OWN, StudyRequest, free_name
from alexnet_tui.tui.widgets.dialogs import DialogScreen, KeysLine
from alexnet_tui.tui.widgets.fields import ChoiceField, FieldEdited, FieldInfo, Option
from alexnet_tui.tui.widgets.form import EditorRow
from alexnet_tui.tui.widgets.line_input import LineInput

_SPACE_BESIDE_FACTS = 17
"""Lines of frame, title, fields, keys, and the blank lines between them."""
_MAX_TEXT = 200
_LABEL_CELLS, _TEXT_CELLS, _CHOICE_CELLS = 11, 22, 37
_LABELS = {
    "name": ("Name", "small letters, digits, - and _"),
    "protocol": ("Protocol", "left and right choose"),
    "variants": ("Variants", f"{ALL}, or some: name,name"),
    "seeds": ("Seeds", "how many, or 5-9; a verdict needs 5"),
    "claims": ("Claims", "a set, or a file here"),
    "front_end": ("Front end", "how an image enters"),
    "data": ("Data", "left and right choose"),
    "epochs": ("Epochs", "the study has 100"),
    "train_images": ("Images", "training images to use; 0 uses all"),
    "at_once": ("At once", "runs that may train at the same time"),
}
_CHOICES = {
    "protocol": tuple(map(Option, PROTOCOLS)),
    "claims": (
        Option(PROTOCOLS_OWN, title="protocol's"),
        *(Option(name) for name in claim_sets()),
    ),
    "front_end": tuple(map(Option, FRONT_ENDS)),
    "data": tuple(map(Option, data_catalog.BUILT_IN)),
}
_key = Keys("plan")


class StudyForm(DialogScreen[StudyRequest | None]):
    """Asks for a plan; shows the number of its runs, or the first error, while one types.

    Args:
        texts: What the fields begin with.
        taken: Names of the studies there are.
        error: What was wrong the last time, or empty.
        field_name: The field to begin in.
    """

    AUTO_FOCUS = ""
    BINDINGS = [
        _key("ctrl+r", "send(True)", "Start", "Write the plan and start its worker.", id="start"),
        _key("ctrl+s", "send(False)", "Only plan", "Write the plan; start it later.", id="save"),
        _key("down,enter", "app.focus_next", "Next", "The next field.", show=False, id="next"),
        _key("pageup", "scroll_facts(-1)", "Read up", "What is above in the plan.", show=False, id="read-up"),
        _key("pagedown", "scroll_facts(1)", "Read on", "What is below in the plan.", show=False, id="read-on"),
        _key("up", "app.focus_previous", "Previous", "The field before.", show=False, id="previous"),
    ]

    def __init__(
        self, texts: Mapping[str, str], taken: Collection[str] = (), *, error: str = "", field_name: str = "name"
    ) -> None:
        super().__init__("A study: its runs and its claims, planned in advance")
        self._texts = {name: printable(texts[name], _MAX_TEXT) for name in _LABELS}
        self._taken = taken
        self._error = error
        self._protocol = self._texts["protocol"]
        self._field_name = field_name if field_name in _LABELS else "name"
        self._editors = {name: _editor(name, text) for name, text in self._texts.items()}
        self._result = Static(id="plan-result")
        self._about = Static(id="plan-about")
        self._facts = VerticalScroll(self._result, self._about, id="plan-facts", can_focus=False)

    def compose(self) -> ComposeResult:
        """Title, fields, what they make, keys."""
        with Vertical(classes="dialog -form"):
            yield Static(Content(self._title), classes="dialog-title")
            for name, editor in self._editors.items():
                yield _PlanRow(editor, *_LABELS[name])
            yield self._facts
            yield KeysLine(
                ("ctrl+r", "Plan and start"),
                ("ctrl+s", "Only plan"),
                ("tab", "Next"),
                ("pagedown", "Read on"),
                ("escape", "Back"),
            )

    def on_mount(self) -> None:
        """Begin in the field that matters."""
        self._show_result()
        self._editors[self._field_name].focus()
        self.run_worker(self._offer_own_data(), group="data")
        self.run_worker(self._offer_own_claims(), group="claims")

    async def _offer_own_claims(self) -> None:
        """Files of claims in the folder that the console was started in are choices too."""
        names = await threads.call(claim_files, Path())
        if isinstance(editor := self._editors["claims"], ChoiceField):
            own = [Option(name) for name in names if name == printable(name, _MAX_TEXT)]
            editor.set_options([*_CHOICES["claims"], *own])

    async def _offer_own_data(self) -> None:
        """Data sets that were added here are choices too."""
        with suppress(AlexnetTuiError):  # Those that come with the program are offered already.
            infos = await threads.call(data_catalog.catalog)
            if isinstance(editor := self._editors["data"], ChoiceField):
                editor.set_options([Option(info.name) for info in infos])

    def on_resize(self, event: Resize) -> None:
        """The facts get what the fields and keys leave; they scroll where that is not enough."""
        self._facts.styles.max_height = max(2, event.size.height - _SPACE_BESIDE_FACTS)

    def action_scroll_facts(self, pages: int) -> None:
        """Read on in what is registered."""
        self._facts.scroll_relative(y=pages * max(1, self._facts.size.height - 1), animate=False)

    @on(Input.Submitted)
    def _focus_next(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(FieldEdited)
    def _choose(self, event: FieldEdited) -> None:
        """Another protocol, or other claims; a name that was not edited changes with the protocol."""
        if event.name != "protocol":
            self._show_result()
            return
        name = self._editors["name"]
        if isinstance(name, Input) and name.value == free_name(self._protocol, self._taken):
            name.value = free_name(event.text, self._taken)
        self._protocol = event.text
        self._show_result()

    @on(Input.Changed)
    def _show_result(self) -> None:
        """Show the number of runs or the first error, then the claims and the settings of the protocol."""
        request = self._request(starts=False)
        self._about.update(Content(request.description()))
        error = self._error if request.texts == self._texts else ""
        try:
            size = request.size()
        except ConfigError as problem:
            size, error = "", str(problem)
        self._show_sentence(error or size, is_error=bool(error))

    @on(LineInput.TooLong)
    def _refuse(self, message: LineInput.TooLong) -> None:
        self._show_sentence(message.sentence, is_error=True)

    def _show_sentence(self, sentence: str, *, is_error: bool) -> None:
        self._result.update(Content(printable(sentence, 400)))
        self._result.set_class(is_error, "-error")
        self._facts.scroll_home(animate=False)

    def _request(self, *, starts: bool) -> StudyRequest:
        texts = {name: one.value if isinstance(one, Input) else one.text for name, one in self._editors.items()}
        return StudyRequest(texts=MappingProxyType(texts), starts=starts)

    def action_send(self, starts: bool) -> None:
        """Close with the request; where it makes no plan, focus the field in error."""
        request = self._request(starts=starts)
        try:
            request.size()
        except ConfigError as problem:
            self._editors.get(problem.field, self._editors["name"]).focus()
        else:
            self.answer(request)


class _PlanRow(EditorRow):
    """The row of a field; a narrow screen has no room for a hint."""

    wide_from = 70

    @property
    def hint(self) -> str:
        """What is right of the editor."""
        return "" if self.is_narrow else self._hint

    def editor_region(self, width: int) -> Region:
        """As wide as its texts need; on a narrow screen all there is."""
        wanted = _CHOICE_CELLS if isinstance(self.editor, ChoiceField) else _TEXT_CELLS
        return Region(_LABEL_CELLS, 0, max(0, width - _LABEL_CELLS if self.is_narrow else wanted), 1)


def _editor(name: str, text: str) -> Input | ChoiceField:
    if name in _CHOICES:
        choice = ChoiceField(FieldInfo(name, _LABELS[name][0], "", options=_CHOICES[name]))
        choice.set_text(text)
        return choice
    entry = LineInput(text, max_length=_MAX_TEXT, id=f"plan-{name}", validate_on=())
    entry.cursor_blink = False
    return entry
