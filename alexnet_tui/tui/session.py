"""`Session`: what all screens share, and the messages by which a screen asks for another one.

A screen is given its session and posts where to go; the app handles that. Nothing here knows a screen or the app.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from textual.app import App
from textual.message import Message
from textual.screen import ModalScreen

from alexnet_tui.analysis import seed_noise
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.paths import absolute
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State, shown_word
from alexnet_tui.runs.stop_request import STOPPING
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, format_done, format_duration, format_percent, printable
from alexnet_tui.tui.run_names import RunNames
from alexnet_tui.tui.settings import Settings, SettingsWriter, load_settings
from alexnet_tui.tui.threads import SerialExecutors
from alexnet_tui.tui.watch.watcher import RunsWatcher

if TYPE_CHECKING:
    from alexnet_tui.studies.planned_runs import Find

_CLOSE_SECONDS = 2.0


class LaunchCommands(msgspec.Struct, kw_only=True):
    """The commands that start other processes.

    Attributes:
        trainer: Trains one run.
        worker: Works through the queue of a study.
        prober: Describes this machine and times steps.
    """

    trainer: Sequence[str]
    worker: Sequence[str]
    prober: Sequence[str]


class Session:
    """One runs folder as one person looks at it: its runs, the pin, the marks, the settings.

    Args:
        store: The runs folder.

    Attributes:
        names: What runs without a label are called.
        executors: Where the disk is changed, outside the event loop.
        step_seconds: How long a step takes here, by the settings that decide it, of the runs that were timed.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.watcher = RunsWatcher(store)
        self.settings = load_settings()
        self._root = absolute(store.root)  # The current folder may be removed later.
        self.folder = self.settings.folder(self._root)
        self.names = RunNames()
        self.executors = SerialExecutors()
        self.step_seconds: dict[tuple[object, ...], float] = {}
        self._writer = SettingsWriter(self.executors["settings"])
        self._alike: tuple[str, frozenset[str], list[RunHistory]] = ("", frozenset(), [])

    @cached_property
    def commands(self) -> LaunchCommands:
        """What starts trainers, workers and probes; a test puts others in their place."""
        from alexnet_tui.launch import probe  # Not needed to start.
        from alexnet_tui.launch.trainer_process import TRAINER
        from alexnet_tui.studies import worker

        return LaunchCommands(trainer=TRAINER, worker=worker.WORKER, prober=probe.COMMAND)

    @cached_property
    def find_run(self) -> "Find":
        """Looks runs up for studies and reports, in any thread, without reading again what is known."""
        from alexnet_tui.tui.study_lookup import finder  # Not needed to start.

        return finder(self.store, self.watcher.histories, self.watcher.states)

    @property
    def pinned_run_id(self) -> str | None:
        """The run others are compared to, if it still exists."""
        return self.folder.pinned if self.folder.pinned in self.watcher.histories else None

    @property
    def marked_run_ids(self) -> list[str]:
        """Marked runs that still exist, in the order they were marked."""
        return [run_id for run_id in self.folder.marked if run_id in self.watcher.histories]

    def histories_from_here(self) -> list[RunHistory]:
        """Of the runs that neither came with the program nor out of an archive."""
        elsewhere = self.watcher.references | self.watcher.imported
        return [history for run_id, history in self.watcher.histories.items() if run_id not in elsewhere]

    def runs_like(self, run_id: str) -> list[RunHistory]:
        """The finished runs that differ from a run in their seed alone, itself among them; none where it is gone.

        They are looked for anew only for another run, and when other runs have ended.
        """
        histories = self.watcher.histories
        if run_id not in histories:
            return []
        ended = frozenset([one for one, history in histories.items() if history.final is not None])
        if self._alike[:2] != (run_id, ended):
            self._alike = run_id, ended, seed_noise.runs_like(histories[run_id], histories.values())
        return self._alike[2]

    def comparison(self, run_ids: Sequence[str] = ()) -> list[str]:
        """The runs to compare: two or more marked ones, else one marked one or `run_ids` with the pinned one.

        Empty where that is fewer than two.
        """
        marked = self.marked_run_ids
        compared = marked or list(run_ids)
        if len(marked) < 2 and self.pinned_run_id:
            compared = [self.pinned_run_id, *compared]
        compared = list(dict.fromkeys(compared))
        return compared if len(compared) > 1 else []

    def missing_to_compare(self) -> str:
        """What is missing for a comparison, in a sentence: a run, a second one, or only the marks."""
        match len(self.watcher.histories):
            case 0:
                return "There are no runs yet to compare; press 2 to start one."
            case 1:
                return "There is one run, and nothing yet to compare it with; press 2 to start another one."
        return "Mark two or more runs in Runs with space, then press c."

    def state_of(self, run_id: str) -> State:
        """The state of a run; one nobody has read yet is queued."""
        return self.watcher.states.get(run_id, State.QUEUED)

    def label_of(self, run_id: str) -> str:
        """What to call a run, safe to show, never markup."""
        history = self.watcher.histories.get(run_id)
        notes = self.watcher.notes.get(run_id)
        label = (notes.label if notes else "") or (history.record.label if history else "")
        return printable(label.strip() or run_id, 120)

    def listed_name(self, run_id: str) -> str:
        """What the list of runs calls a run: its label, or variant, seed and what sets it apart from others."""
        label = self.label_of(run_id)
        return self.names[run_id].full if label == run_id and run_id in self.names else label

    def label_of_runs(self, run_ids: Sequence[str]) -> str:
        """What to call one run, or how many runs there are."""
        return self.label_of(run_ids[0]) if len(run_ids) == 1 else counted(len(run_ids), "run")

    def num_running(self) -> int:
        """How many runs are being trained now."""
        return sum(state is State.RUNNING for state in self.watcher.states.values())

    def live_notes(self) -> tuple[str, ...]:
        """The runs being trained in a few words, the longest first: ``● 1 running 64% ETA 7m · cuda:0``.

        The ETA is that of the last to end.
        """
        running = [
            self.watcher.histories[run_id]
            for run_id, state in self.watcher.states.items()
            if state is State.RUNNING and run_id in self.watcher.histories
        ]
        if not running:
            return ()
        share = f" {format_done(running[0].progress)}" if len(running) == 1 else ""
        left = [history.remaining_seconds for history in running if history.remaining_seconds is not None]
        eta = f" ETA {format_duration(max(left))}" if left else ""
        is_stopping = all(history.id in self.watcher.stopping for history in running)
        word = STOPPING if is_stopping else State.RUNNING
        note, short = f"● {len(running)} {word}{share}{eta}", f"● {share.strip() or len(running)}{eta[4:]}"
        devices = sorted({history.started.device for history in running if history.started})
        on = f" · {printable(', '.join(devices), 24)}" if devices else ""
        return tuple(dict.fromkeys((note + on, note, short)))

    def end_note(self, run_id: str) -> str:
        """How a run ended, in a sentence: what it reached, or why it failed; empty where it is not known any more."""
        history, state = self.watcher.histories.get(run_id), self.watcher.states.get(run_id)
        if history is None or state is None:
            return ""
        what = f"{self.label_of(run_id)} {shown_word(state)}"
        if state is State.FAILED and isinstance(history.final, Failed):
            return f"{what} ({printable(history.final.reason, 40)}): {printable(history.final.message, 300)}"
        best = history.best_test_accuracy
        return f"{what}." if best is None else f"{what}: best test accuracy {format_percent(best)}."

    def study_note(self) -> str:
        """How many runs of the study at work are finished, as ``12/20``; empty where no run of a study is left."""
        counts: dict[str, list[int]] = {}
        newest = ("", (False, 0.0))
        for run_id, history in self.watcher.histories.items():
            if name := history.record.study:
                state = self.watcher.states.get(run_id)
                done_and_all = counts.setdefault(name, [0, 0])
                done_and_all[0] += state is State.FINISHED
                done_and_all[1] += 1
                rank = (state is State.RUNNING, history.record.created)
                if state in {State.RUNNING, State.QUEUED} and rank > newest[1]:
                    newest = (name, rank)
        return "{}/{}".format(*counts[newest[0]]) if newest[0] else ""

    def toggle_pin(self, run_ids: Sequence[str]) -> None:
        """Make the first of some runs the baseline of all others; if one of them is it already, none is."""
        is_pinned = self.folder.pinned in run_ids
        self.change_folder(pinned="" if is_pinned else run_ids[0])

    def pin_note(self, name: str) -> str:
        """What pinning did to runs of a name: a sentence."""
        if self.pinned_run_id is None:
            return f"{name} is pinned no longer."
        return f"{name} is pinned: every screen compares others with it. p unpins it."

    def toggle_marks(self, run_ids: Sequence[str]) -> None:
        """Mark runs; if all of them are marked already, unmark them."""
        marks, unmarks = set(run_ids), set(run_ids) <= set(self.folder.marked)

        def change(settings: Settings) -> None:
            folder = settings.folder(self._root)
            kept = [run_id for run_id in folder.marked if run_id not in marks]
            folder.marked = kept if unmarks else kept + list(dict.fromkeys(run_ids))

        self._change(change)

    def change_folder(self, **fields: object) -> None:
        """Change and keep how this runs folder is looked at: fields of `FolderSettings`."""

        def change(settings: Settings) -> None:
            folder = settings.folder(self._root)
            for name, value in fields.items():
                setattr(folder, name, value)

        self._change(change)

    def change_settings(self, **fields: object) -> None:
        """Change and keep what belongs to the person: fields of `Settings`."""

        def change(settings: Settings) -> None:
            for name, value in fields.items():
                setattr(settings, name, value)

        self._change(change)

    def _change(self, change: Callable[[Settings], None]) -> None:
        """Change the settings here at once, and on disk soon, among what other consoles write there."""
        change(self.settings)
        self._writer.submit(change)

    def close(self) -> None:
        """Wait until what was asked for is written, but not for ever for a disk that does not answer."""
        self.executors.close(_CLOSE_SECONDS)


class RunsChanged(Message):
    """Something was read about runs, or changed here; `run_ids` names them, deleted ones included."""

    def __init__(self, run_ids: frozenset[str]) -> None:
        super().__init__()
        self.run_ids = run_ids


def post_runs_changed(app: App[Any], run_ids: Iterable[str]) -> None:
    """Post `RunsChanged` to whoever looks now: the topmost screen that is no dialog."""
    for screen in reversed(app.screen_stack):
        if not isinstance(screen, ModalScreen):
            screen.post_message(RunsChanged(frozenset(run_ids)))
            return


class PollEagerly(Message):
    """A run was asked to start or stop: read the runs folder now, and often for a while."""


class OpenRun(Message):
    """Go to the Run screen."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id


class OpenCompare(Message):
    """Go to the Compare screen."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.run_ids = list(run_ids)


class OpenPictures(Message):
    """Go to the Pictures screen."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.run_ids = list(run_ids)


class OpenNewRun(Message):
    """Go to the form, filled in from a run if one is named."""

    def __init__(self, template_run_id: str | None) -> None:
        super().__init__()
        self.template_run_id = template_run_id


class StartRun(Message):
    """Go to the form, filled in with a configuration, and start that at once."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config


class OpenReport(Message):
    """Go to the Report screen, for a study if one is named."""

    def __init__(self, study: str | None = None) -> None:
        super().__init__()
        self.study = study


class OpenStudy(Message):
    """Go to the Studies screen, to a study if one is named."""

    def __init__(self, study: str | None) -> None:
        super().__init__()
        self.study = study


class OpenRuns(Message):
    """Close every screen but the runs table."""
