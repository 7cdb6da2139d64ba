"""From a filled form to running runs: the data set first, in a thread; then the record, then the trainer."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from textual.message import Message
from textual.widget import Widget

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.datasets.cache import Progress
from alexnet_tui.datasets.prepare import prepare_dataset
from alexnet_tui.errors import AlexnetTuiError, TooFewImagesError
from alexnet_tui.launch import local
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, planning
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.tui import download_question, threads
from alexnet_tui.tui.notifications import announce
from alexnet_tui.tui.screens.new_run.draft import command_line
from alexnet_tui.tui.session import LaunchCommands, OpenRun
from alexnet_tui.tui.workers import ASKING

if TYPE_CHECKING:
    from alexnet_tui.tui.screens.new_run.screen import NewRunScreen

_PROGRESS_SECONDS = 0.2


class LaunchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.

    Attributes:
        configs: The runs, in order; at least one.
        label: Name for people, or empty.
        is_queued: Behind what is being trained, rather than now.
    """

    configs: tuple[RunConfig, ...]
    label: str
    is_queued: bool


class CatalogRead(Message):
    """The data sets of this machine have been looked at."""

    def __init__(self, infos: Sequence[data_catalog.DatasetInfo]) -> None:
        super().__init__()
        self.infos = infos


class DataProgress(Message):
    """A data set is being prepared."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class DataReady(Message):
    """A data set is prepared, or cannot be: then `error` says why."""

    def __init__(self, name: str, request: LaunchRequest | None, error: str) -> None:
        super().__init__()
        self.name = name
        self.request = request
        self.error = error


def read_catalog(receiver: Widget) -> None:
    """Look at the data sets in a thread; `receiver` gets `CatalogRead`."""

    def look() -> None:
        try:
            infos = data_catalog.catalog()
        except AlexnetTuiError:  # The form keeps the names it has; starting says what is wrong.
            return
        receiver.post_message(CatalogRead(infos))

    threads.start(look)


def prepare(receiver: Widget, config: RunConfig, request: LaunchRequest | None) -> None:
    """Prepare a run's data set in a thread; `receiver` gets `DataProgress`, then `DataReady` with the request."""
    said = 0.0

    def report(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= _PROGRESS_SECONDS:
            said = time.monotonic()
            share = f" {100 * progress.done / progress.total:.0f}%" if progress.total else ""
            then = " Then the run starts." if request else ""
            receiver.post_message(DataProgress(f"{config.data}: {progress.what}{share}.{then}"))

    def work() -> None:
        error = ""
        try:
            prepare_dataset(config.data, FRONT_ENDS[config.front_end].image_size, report)
        except Exception as problem:  # noqa: BLE001 - any error becomes a sentence on the form.
            error = sentence_of(problem)
        receiver.post_message(DataReady(config.data, request, error))

    threads.start(work)


def sentence_of(error: Exception) -> str:
    """What went wrong, for people; our own errors are sentences already."""
    if isinstance(error, AlexnetTuiError):
        return str(error)
    return f"an unexpected error ({type(error).__name__}: {error}); please report it."


def create_and_start(store: Store, request: LaunchRequest, commands: LaunchCommands) -> list[str]:
    """Make the runs of a request and start what should start; their ids, in order.

    One run is simply started. Several, or a queued one, become a study whose worker outlives the console.

    Args:
        store: The runs folder.
        request: What to run.
        commands: What starts the trainer and the queue worker.

    Raises:
        AlexnetTuiError: A run cannot be made or started; the sentence says why.
    """
    first = request.configs[0]
    if len(request.configs) == 1 and not request.is_queued:
        run_ids = [store.create(first, label=request.label, argv=command_line(first, request.label)).id]
        local.start(store, run_ids[0], StartOptions(command=commands.trainer))
        return run_ids
    plan = planning.queue_plan(store, request.configs, label=request.label)
    run_ids = planned_runs.prepare(store, plan)
    if not request.is_queued:
        local.start(store, run_ids[0], StartOptions(command=commands.trainer))
    study_worker.start_worker(store, plan.name, command=commands.worker)
    return run_ids


class RunLauncher:
    """Takes requests: asks before a download, prepares the data, makes the runs and opens the first.

    Args:
        form: The form; it gets `DataProgress` and `DataReady`, and hands the second to `continue_with_data`.

    Attributes:
        preparing: The data set that is being prepared, or empty.
    """

    def __init__(self, form: "NewRunScreen") -> None:
        self._form = form
        self.preparing, self._is_starting = "", False
        self._ready: list[LaunchRequest] = []

    def submit(self, request: LaunchRequest, *, is_prepared: bool = False) -> None:
        """Start the runs, or prepare their data first.

        While another request is being started, one whose data has just been prepared waits until that is done; any
        other is a key pressed twice, and ignored.
        """
        if not self._is_starting:
            self._is_starting = True
            self._form.run_worker(self._prepare_and_start(request, is_prepared), group=ASKING)
        elif is_prepared:
            self._ready.append(request)

    async def _prepare_and_start(self, request: LaunchRequest, is_prepared: bool) -> None:
        config = request.configs[0]
        try:
            await threads.call(data_catalog.check_num_images, config)  # They differ in variant and seed alone.
            size = FRONT_ENDS[config.front_end].image_size
            if is_prepared or await threads.call(data_catalog.is_prepared, config.data, size):
                await self._start(request)
                return
            missing: list[str] = []
            if not self.preparing:
                missing = await threads.call(download_question.missing, [config])
        except TooFewImagesError as error:
            self._reject("train_images", str(error))
            return
        except AlexnetTuiError as error:  # There is no folder for data.
            self._show_status(str(error), is_error=True)
            return
        finally:
            self._is_starting = False
            if self._ready:
                self.submit(self._ready.pop(0), is_prepared=True)
        if missing:
            lines = [self._form.describe(config)]
            download_question.ask(self._form, missing[0], lines, lambda: self.prepare(config, request))
        else:
            self.prepare(config, request)

    def prepare(self, config: RunConfig, request: LaunchRequest | None) -> None:
        """Prepare the data of a run, then start what was asked for."""
        if self.preparing:
            self._form.show_status(f"{self.preparing} is still being prepared; wait for it.", is_error=True)
            return
        self.preparing = config.data
        self._form.show_status(f"Preparing {config.data}" + (", then the run starts." if request else "."))
        prepare(self._form, config, request)

    def continue_with_data(self, message: DataReady) -> None:
        """Start what was asked for, or show why its data cannot be prepared."""
        self.preparing = ""
        read_catalog(self._form)
        if message.error:
            self._reject("data", message.error)
        elif message.request is not None:
            self.submit(message.request, is_prepared=True)
        else:
            self._show_status(f"{message.name} is ready.")

    def _show_status(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a sentence on the form, and to whoever went elsewhere meanwhile."""
        self._form.show_status(sentence, is_error=is_error)
        self._announce_elsewhere(sentence, is_error=is_error)

    def _reject(self, name: str, sentence: str) -> None:
        """Show at a field why a request cannot be met, and to whoever went elsewhere meanwhile."""
        self._form.reject(name, sentence)
        self._announce_elsewhere(sentence, is_error=True)

    def _announce_elsewhere(self, sentence: str, *, is_error: bool = False) -> None:
        if not self._form.is_current:
            announce(self._form.app, sentence, is_error=is_error)

    async def _start(self, request: LaunchRequest) -> None:
        """Make the runs and start them."""
        form, session = self._form, self._form.session
        if problem := session.watcher.problems.get(""):  # A new folder in its place would hide the runs there were.
            self._show_status(f"No run is started. {problem}", is_error=True)
            return
        try:
            run_ids = await session.executors["launch"].run(create_and_start, session.store, request, session.commands)
        except AlexnetTuiError as error:
            self._show_status(str(error), is_error=True)
            return
        form.reset_counts()
        if request.is_queued:
            more = " and more" if len(run_ids) > 3 else ""
            self._show_status(f"Queued: {', '.join(run_ids[:3])}{more}. f7 shows the queue.")
            return
        form.show_status("")
        if form.is_current:
            form.focus_first()
            form.post_message(OpenRun(run_ids[0]))
        self._announce_elsewhere(f"Run {run_ids[0]} has started.")
