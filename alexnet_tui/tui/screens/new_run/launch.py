"""From a filled form to running runs: the data set first, then the records, then the trainer.

What may wait for a disk or a network is called in threads; what comes of it is shown by the event loop.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

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
from alexnet_tui.tui.screens.new_run.draft import Draft, command_line
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
        draft: What the fields of the form said.
    """

    configs: tuple[RunConfig, ...]
    label: str
    is_queued: bool
    draft: Draft


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
        form: The form; it shows what happens.

    Attributes:
        preparing: The data set that is being prepared, or empty.
    """

    def __init__(self, form: "NewRunScreen") -> None:
        self._form = form
        self.preparing = ""
        self._progress: Progress | None = None
        self._starting = asyncio.Lock()

    @property
    def is_starting(self) -> bool:
        """Whether a request is being started."""
        return self._starting.locked()

    def submit(self, request: LaunchRequest) -> None:
        """Start the runs, or prepare their data first."""
        self._form.run_worker(self._submit(request), group=ASKING)

    async def _submit(self, request: LaunchRequest) -> None:
        if not self.is_starting:  # Else a key was pressed twice.
            async with self._starting:
                await self._start_or_prepare(request)

    async def _start_prepared(self, request: LaunchRequest) -> None:
        """Start what waited for its data, once nothing else is being started."""
        async with self._starting:
            await self._start_or_prepare(request, is_prepared=True)

    async def _start_or_prepare(self, request: LaunchRequest, *, is_prepared: bool = False) -> None:
        config = request.configs[0]  # They differ in variant and seed alone.
        missing: list[str] = []
        try:
            await threads.call(data_catalog.check_num_images, config)
            size = FRONT_ENDS[config.front_end].image_size
            if is_prepared or await threads.call(data_catalog.is_prepared, config.data, size):
                await self._start(request, opens=not is_prepared)
                return
            if not self.preparing:
                missing = await threads.call(download_question.missing, [config])
        except TooFewImagesError as error:
            self._reject("train_images", str(error))
        except AlexnetTuiError as error:  # There is no folder for data.
            self._show_status(str(error), is_error=True)
        else:
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
        self.preparing, self._progress = config.data, None
        self._form.show_status(f"Preparing {config.data}" + (", then the run starts." if request else "."))
        self._form.run_worker(self._prepare(config, request))

    async def _prepare(self, config: RunConfig, request: LaunchRequest | None) -> None:
        timer = self._form.set_interval(_PROGRESS_SECONDS, partial(self._show_progress, starts=request is not None))
        size = FRONT_ENDS[config.front_end].image_size
        error = ""
        try:
            await threads.call(prepare_dataset, config.data, size, self._take_progress)
        except Exception as problem:  # noqa: BLE001 - any error becomes a sentence on the form.
            error = sentence_of(problem)
        finally:
            timer.stop()
        self.preparing = ""
        self._form.read_catalog()
        if error:
            self._reject("data", error)
        elif request is not None:
            self._form.run_worker(self._start_prepared(request), group=ASKING)
        else:
            self._show_status(f"{config.data} is ready.")

    def _take_progress(self, progress: Progress) -> None:
        """Keep how far the thread is that prepares the data; called there."""
        self._progress = progress

    def _show_progress(self, *, starts: bool) -> None:
        if (progress := self._progress) is not None:
            self._progress = None
            share = f" {100 * progress.done / progress.total:.0f}%" if progress.total else ""
            then = " Then the run starts." if starts else ""
            self._form.show_status(f"{self.preparing}: {progress.what}{share}.{then}")

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

    async def _start(self, request: LaunchRequest, *, opens: bool) -> None:
        """Make the runs and start them; open the first, unless the person has had time to do something else."""
        form, session = self._form, self._form.session
        if problem := session.watcher.problems.get(""):  # A new folder in its place would hide the runs there were.
            self._show_status(f"No run is started. {problem}", is_error=True)
            return
        try:
            run_ids = await session.executors["launch"].run(create_and_start, session.store, request, session.commands)
        except AlexnetTuiError as error:
            self._show_status(str(error), is_error=True)
            return
        form.remember(request.draft)
        if request.is_queued:
            more = " and more" if len(run_ids) > 3 else ""
            self._show_status(f"Queued: {', '.join(run_ids[:3])}{more}. f7 shows the queue.")
            return
        if form.is_current and opens:
            form.show_status("")
            form.focus_first()
            form.post_message(OpenRun(run_ids[0]))
        else:
            self._show_status(f"Run {run_ids[0]} has started.")
