"""New run: pick an experiment, change what should differ, see what it will take, start it.

The fields of a run are generated from `hyperparameters.SPECS`; `field_info` adds those of the launch - seeds, variants,
label - and knows the fields by name that show more than their values: variant, front end and data set.
"""

import copy
import platform
from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Collapsible, Input, Static
from textual.widgets.collapsible import CollapsibleTitle

from alexnet_tui.config.first_run import FIRST_RUN
from alexnet_tui.config.hyperparameters import SPECS, RunConfig, meaning_of
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.errors import AlexnetTuiError, ConfigError
from alexnet_tui.tui import threads
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.screens.new_run import field_info as fields
from alexnet_tui.tui.screens.new_run import launch
from alexnet_tui.tui.screens.new_run import summary as run_summary
from alexnet_tui.tui.screens.new_run.draft import PRESET_FIELDS, SEEDS, VARIANTS_FIELD, Draft
from alexnet_tui.tui.screens.new_run.step_timer import StepTimer, timed_sentence
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.widgets.fields import CardField, ChoiceField, FieldEdited, TextField
from alexnet_tui.tui.widgets.form import FieldGroup, FieldRow, FormScroll, StatusLine
from alexnet_tui.tui.widgets.line_input import LineInput

_key = Keys("new")
CARDS, DATA, OPEN_GROUP = "variant", "data", "experiment"
_REDRAW_SECONDS = 0.08
_BUTTONS = {
    "start": "Start this run, or as many seeds as asked.",
    "queue": "Start it once nothing else is being trained.",
}


class NewRunScreen(Screen[None]):
    """The form; `show` fills it from a past run.

    Args:
        session: The session.
        template: What to begin with, as for `show`.
    """

    AUTO_FOCUS = "#edit-variant"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (FieldRow.wide_from, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("ctrl+r", "start", "Start", _BUTTONS["start"]),
        _key("ctrl+s", "queue", "Queue", _BUTTONS["queue"]),
        _key("ctrl+g", "data", "Data", "Download or prepare the data set now."),
        _key("f2", "layers", "Layers", "Show the network in place of the form, or back."),
        _key("f3", "unfold", "Expand all", "Open every group of fields, or fold them."),
        _key("f4", "preset", "Default", "Put this field back to the preset's value."),
        _key("f5", "small", "Small run", "Fill in a first, small run: about half a minute, no download."),
        _key("f6", "clear", "Clear", "Put every field back to the defaults."),
        _key("f7", "app.place('study')", "Studies", "The queues: reorder, pause, cancel."),
        _key("f8", "trial", "Time steps", "Make five steps here and show how long one takes."),
        _key("up", "field(-1)", "Up", "Go to the field above.", show=False),
        _key("down,enter", "field(1)", "Down", "Go to the field below.", show=False),
        _key("pageup", "page(-1)", "Page up", "Scroll up.", show=False),
        _key("pagedown", "page(1)", "Page down", "Scroll down.", show=False),
        _key("escape", "leave", "Back", "Leave the layer table, then the form.", show=False),
    ]

    # Textual would redraw the whole screen whenever the cursor goes to another field.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, session: Session, template: str | RunConfig | None = None) -> None:
        super().__init__()
        self.session = session
        self._template = template
        self.draft = Draft.of_last(session.settings.new_run)
        self._has_data_been_chosen = self.draft != Draft() or template is not None
        self._infos = fields.field_infos()
        self._cards = CardField(self._infos[CARDS])
        self.rows = {name: FieldRow(info) for name, info in self._infos.items() if name != CARDS}
        self.rows |= {info.name: FieldRow(info) for info in fields.EXTRA_FIELDS}
        self._groups: dict[str, FieldGroup] = {}
        self._redraw: Timer | None = None
        self._was_shown = False
        self._summary, self._brief = Static(id="summary"), Static(id="brief")
        self._panel = Content("")
        self._step_timer = StepTimer(session.step_seconds)
        self.catalog: dict[str, data_catalog.DatasetInfo] = {}
        self.launcher = launch.RunLauncher(self)

    def compose(self) -> ComposeResult:
        """Cards, fields, summary, and the line that starts."""
        # Textual looks at the size only after a first frame.
        for size, breakpoints in zip(
            self.app.size, (self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), strict=True
        ):
            self.add_class(next(name for least, name in reversed(breakpoints) if size >= least))
        yield TopBar("new")
        yield self._cards
        with Horizontal(id="body"):
            with FormScroll(id="form"):
                yield from self._compose_groups()
            with VerticalScroll(id="panel", can_focus=False):
                yield self._summary
        yield self._brief
        yield StatusLine()
        with Horizontal(id="bar"):
            yield Button("Start", id="start", compact=True, variant="primary")
            yield Button("Queue", id="queue", compact=True)
        yield KeyBar()

    def _compose_groups(self) -> Iterator[Widget]:
        names = dict.fromkeys(spec.group for spec in SPECS.values())
        for group in names:
            rows = [self.rows[name] for name, spec in SPECS.items() if spec.group == group and name != CARDS]
            if group == OPEN_GROUP:
                yield from (*rows, *(self.rows[info.name] for info in fields.EXTRA_FIELDS))
            else:
                self._groups[group] = FieldGroup(group, rows)
                yield self._groups[group]

    async def on_mount(self) -> None:
        """Fill in and look for data sets; the first frame shows all but these."""
        self._show(CARDS, *self.rows)
        self.read_catalog()
        if self._template is not None:
            self.show(self._template)
        elif self._has_data_been_chosen:
            self.show_status("The settings that were started last; f6 puts the defaults back.")
        self._show_summary()
        await self.query_one("#form", FormScroll).unfold_what_fits(tuple(self._groups.values()))

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Data sets and past runs may have changed meanwhile."""
        event.refresh_styles = self._was_shown
        self._was_shown = True
        if self.is_mounted:
            self.read_catalog()
            self._schedule_summary()

    def show(self, template: str | RunConfig | None) -> None:
        """Fill the form; the cursor begins at the top.

        Args:
            template: Id of a run to fill it from; a configuration that is to start at once; None keeps what is in it.
        """
        if not self.is_current and self.is_mounted:
            self.focus_first()
        if isinstance(template, RunConfig):
            self._fill(template)
            self.action_start()
        elif template is not None:
            if (past := self.session.watcher.histories.get(template)) is None:
                self.show_status(f"Run {template} is gone.", is_error=True)
                return
            self._fill(past.record.config)
            self.show_status(f"Filled from run {template}; fields that differ from the defaults are marked.")

    def _fill(self, config: RunConfig) -> None:
        self.draft, self._has_data_been_chosen = Draft.of(config), True
        self._show(CARDS, *self.rows)

    def focus_first(self) -> None:
        """The cursor is where the form begins."""
        self.set_focus(self._cards)
        self.query_one("#form", FormScroll).scroll_home(animate=False)

    @on(FieldEdited)
    @on(Input.Changed)
    def _read_editors(self) -> None:
        """Take what the editors say into the draft.

        The editors are asked rather than the messages: those lag behind a quick hand, and an old text shown again
        would take the place of a newer one.
        """
        editors = {**{name: row.editor for name, row in self.rows.items()}, CARDS: self._cards}
        edited = {name: one.text for name, one in editors.items() if one.text != self.draft.texts[name]}
        if edited:
            self.show_status("")
            # A preset spares what was touched, so what else was edited comes before it.
            self._show(*self.draft.edit_all(dict(sorted(edited.items(), key=lambda item: item[0] in PRESET_FIELDS))))

    @on(events.DescendantBlur)
    def _lose_cursor(self) -> None:
        if self.focused is None:
            self._explain()

    @on(events.DescendantFocus)
    def _explain(self) -> None:
        """Show the help of what has the cursor."""
        match self.focused:
            case TextField() | ChoiceField() | CardField() as editor:
                text = editor.info.help
                if row := self.rows.get(editor.info.name):
                    row.scroll_visible(animate=False)
            case CollapsibleTitle(parent=FieldGroup() as group):
                text = group.help
            case VerticalScroll():
                text = "↑ ↓ and pgup pgdn scroll; f2 or esc shows the form again."
            case Button(id=str() as name):
                text = _BUTTONS[name]
            case _:
                text = "esc leaves the form; down begins at its top."
        self.query_one(StatusLine).show_help(text)

    @on(ChoiceField.DigitRefused)
    def _explain_digits(self) -> None:
        self.show_status("Words are chosen with ← and → here; esc leaves the form, and digits then go to a place.")

    @on(LineInput.TooLong)
    def _refuse(self, message: LineInput.TooLong) -> None:
        self.show_status(message.sentence, is_error=True)

    @on(Input.Submitted)
    def _focus_next(self) -> None:
        self.focus_next()

    def _show(self, *names: str) -> None:
        """Redraw rows, and headings and summary that depend on them."""
        for name in names:
            self._show_row(name)
        self._show_groups()
        self._schedule_summary()

    def _show_row(self, name: str) -> None:
        if name == CARDS:
            self._cards.set_text(self.draft.texts[name])
        else:
            self.rows[name].show(
                self.draft.texts[name],
                meaning=meaning_of(name, self.draft.texts[name]),
                error=self.draft.error(name),
                origin=self.draft.origin(name),
            )

    @on(Collapsible.Toggled)
    def _follow_fold(self) -> None:
        self._show_groups()
        self._explain()

    def _show_groups(self) -> None:
        for group, widget in self._groups.items():
            differing, others = (
                [f"{_title(name)} {text}" for name, text in self.draft.values(group, differing=is_differing)]
                for is_differing in (True, False)
            )
            widget.show_values(differing, others)

    def _schedule_summary(self) -> None:
        """Redraw the summary once typing pauses."""
        if self._redraw is not None:
            self._redraw.stop()
        self._redraw = self.set_timer(_REDRAW_SECONDS, self._show_summary)

    def _show_summary(self) -> None:
        try:
            config = self.draft.config()
        except ConfigError as error:
            text = Content(f"{_title(error.field)} {error.reason}").stylize("$error")
            self._brief.update(text, layout=False)
            self._summary.add_class("-old")
            return
        self._summary.remove_class("-old")
        summary = self._summarise(config)
        panel = run_summary.panel(summary)
        if not panel.is_same(self._panel):
            self._panel = panel
            self._summary.update(panel)
        self._brief.update(run_summary.brief(summary, self.app.size.width - 2), layout=False)

    def remember(self, started: Draft) -> None:
        """Keep the settings that were started. What was asked for once is not asked for again: of one run is the next.

        What was typed since then stays.
        """
        self._read_editors()
        self.session.change_settings(new_run=started.changed())
        counts = [name for name in (SEEDS, VARIANTS_FIELD) if self.draft.texts[name] == started.texts[name]]
        self._show(*(field_name for name in counts for field_name in self.draft.reset(name)))

    def describe(self, config: RunConfig) -> str:
        """What is about to start."""
        return run_summary.sentence(self._summarise(config))

    def on_resize(self) -> None:
        """The summary has room for more, or for less; a wide form has the layers beside it."""
        if self.has_class("-wide") and self.has_class("-layers"):
            self.action_layers()
        self.refresh_bindings()
        self._schedule_summary()

    def _summarise(self, config: RunConfig) -> run_summary.RunSummary:
        return run_summary.summarise(
            config,
            self.session.histories_from_here(),
            num_runs=self.draft.num_runs,
            info=self.catalog.get(config.data, fields.TYPICAL_DATA),
            host=platform.node(),
            step_seconds=self._step_timer.step_seconds(config),
            is_timing=self._step_timer.is_busy,
        )

    @work(group="catalog", exclusive=True)
    async def read_catalog(self) -> None:
        """Look at the data sets of this machine, and offer them."""
        try:
            infos = await threads.call(data_catalog.catalog)
        except AlexnetTuiError:  # The form keeps the names it has; starting says what is wrong.
            return
        self.show_catalog(infos)

    def show_catalog(self, infos: Sequence[data_catalog.DatasetInfo]) -> None:
        """Offer data sets."""
        self.catalog = {info.name: info for info in infos}
        editor = self.rows[DATA].editor
        if isinstance(editor, ChoiceField):
            editor.set_options([fields.data_option(info) for info in infos])
        self._read_editors()
        if not (self._has_data_been_chosen or DATA in self.draft.touched):
            self._show(*self.draft.edit(DATA, fields.data_at_hand(infos)))
        self._has_data_been_chosen = True
        self._show(DATA)

    def action_start(self) -> None:
        """Start the run, or prepare its data first."""
        self._submit(is_queued=False)

    def action_queue(self) -> None:
        """Put the run behind what is being trained."""
        self._submit(is_queued=True)

    @on(Button.Pressed)
    def _press(self, message: Button.Pressed) -> None:
        self._submit(is_queued=message.button.id == "queue")

    def action_data(self) -> None:
        """Prepare the data set, and nothing else."""
        if config := self._drafted():
            self.launcher.prepare(config, None)

    def action_trial(self) -> None:
        """Time five steps of the run in the form."""
        if config := self._drafted():
            self.show_status("Five steps are being timed here…")
            self._time_steps(config)
            self._schedule_summary()

    @work(group="timing")
    async def _time_steps(self, config: RunConfig) -> None:
        if self._step_timer.is_busy:
            return
        try:
            seconds = await self._step_timer.time(config, self.session.commands.prober)
        except Exception as error:  # noqa: BLE001 - any error becomes a sentence on the form.
            self.show_status(f"No time: {launch.sentence_of(error)}", is_error=True)
        else:
            self.show_status(timed_sentence(seconds))
        self._schedule_summary()

    def _drafted(self) -> RunConfig | None:
        """The configuration in the form; None, and a sentence, where a field holds no value."""
        self._read_editors()
        try:
            return self.draft.config()
        except ConfigError as error:
            self.reject(error.field, str(error))
            return None

    def _submit(self, *, is_queued: bool) -> None:
        self._read_editors()
        bad = list(self.draft.errors())
        if bad:
            many = f"{len(bad)} fields hold" if len(bad) > 1 else "One field holds"
            self.reject(bad[0], f"{many} no usable value: {', '.join(name.replace('_', ' ') for name in bad)}.")
            return
        try:
            configs = tuple(self.draft.configs())
        except ConfigError as error:  # The last of many seeds may be beyond the largest.
            self.reject(error.field, str(error))
        else:
            self.launcher.submit(
                launch.LaunchRequest(
                    configs=configs, label=self.draft.label, is_queued=is_queued, draft=copy.deepcopy(self.draft)
                )
            )

    def reject(self, name: str, sentence: str) -> None:
        """Show an error, and focus the field."""
        self.show_status(sentence, is_error=True)
        if row := self.rows.get(name):
            self.call_next(self._focus_row, row)

    async def _focus_row(self, row: FieldRow) -> None:
        for group in self._groups.values():
            if row in group.rows:
                await group.unfold()
        self.call_after_refresh(row.editor.focus)

    def show_status(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a sentence in the status line; there is none any more where the console was left meanwhile."""
        for line in self.query(StatusLine):
            line.show_status(sentence, is_error=is_error)

    def action_field(self, step: int) -> None:
        """Move the cursor to a neighbouring field; the first and the last hold."""
        chain = self.focus_chain
        place = chain.index(self.focused) + step if self.focused in chain else 0
        if 0 <= place < len(chain):
            self.set_focus(chain[place])

    def action_page(self, pages: int) -> None:
        """Scroll the form, or the layer table in its place."""
        scroller = self.query_one("#panel" if self.has_class("-layers") else "#form", VerticalScroll)
        scroller.scroll_relative(y=pages * max(1, scroller.size.height - 1), animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key for the layers in a wide form, which always shows them."""
        return action != "layers" or self.has_class("-narrow")

    def action_layers(self) -> None:
        """Show the summary with the layer table in place of the form, where both have no room, or the form again."""
        panel = self.query_one("#panel", VerticalScroll)
        panel.can_focus = not self.has_class("-layers")
        self.set_class(panel.can_focus, "-layers")
        self.set_focus(panel if panel.can_focus else self._cards)

    def action_unfold(self) -> None:
        """Unfold all groups, or fold them when all are unfolded."""
        fold, focused = not any(group.collapsed for group in self._groups.values()), self.focused
        for group in self._groups.values():
            if fold and any(row.editor is focused for row in group.rows):
                focused = group.query_one(CollapsibleTitle)
            group.collapsed = fold
        if focused is not None:
            self.set_focus(focused)
            self.call_after_refresh(focused.scroll_visible, animate=False)

    def action_preset(self) -> None:
        """Put the field with the cursor back to its preset."""
        self._read_editors()
        if name := next((name for name, row in self.rows.items() if row.editor.has_focus), ""):
            self.show_status("")
            self._show(*self.draft.reset(name))

    def action_small(self) -> None:
        """Fill in a first, small run."""
        self._fill(FIRST_RUN)
        is_time_known = self._summarise(FIRST_RUN).time is not None  # Then the summary has it.
        self.show_status(f"A small run{'' if is_time_known else ', of about half a minute'}; ^r starts it.")

    def action_clear(self) -> None:
        """Put every field back to the defaults."""
        self.draft = Draft()
        self._show(CARDS, *self.rows)
        self.show_status("Every field is back to its default.")

    async def action_leave(self) -> None:
        """Leave the layer table, then the form."""
        if self.has_class("-layers"):
            self.action_layers()
        else:
            await self.run_action("app.back")


def _title(name: str) -> str:
    return name.replace("_", " ")
