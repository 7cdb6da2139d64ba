"""Planning a study from the console: the form, or the question before a reproduction, then the plan's file."""

import functools
import platform
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from textual.screen import Screen

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import plan_configs
from alexnet_tui.errors import AlexnetTuiError, ClaimError, ConfigError, TooFewImagesError
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan
from alexnet_tui.text import counted, format_duration, printable
from alexnet_tui.tui import download_question, threads
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.screens.studies.request import REPRODUCTION, StudyRequest, defaults, free_name
from alexnet_tui.tui.screens.studies.study_form import StudyForm
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.dialogs import ConfirmScreen
from alexnet_tui.tui.workers import ASKING, ask_once

_REPRODUCE = "Reproduce the whole study?"


class StudyPlanner:
    """Asks for a plan, as often as there is something wrong with it, and writes it.

    Args:
        screen: The screen that asks.
        session: The session.
        on_planned: Called when the plan is written.
    """

    def __init__(
        self, screen: Screen[None], session: Session, on_planned: Callable[[StudyRequest, Plan], None]
    ) -> None:
        self._screen, self._session, self._on_planned = screen, session, on_planned

    def ask(self, taken: Collection[str]) -> None:
        """Ask for a plan; `taken` are the names of the studies there are."""
        texts = defaults("")
        self._open_form(texts | {"name": free_name(texts["protocol"], taken)}, taken)

    def ask_reproduction(self) -> None:
        """Ask whether to reproduce the whole study, and plan it."""
        request, config = StudyRequest(texts=defaults(REPRODUCTION), starts=True), RunConfig()
        configs = plan_configs(request.protocol, request.variants, request.seeds, request.overrides)
        expected = _expected(self._session, configs)
        lines = [
            f"The study: {request.size()}, one after another:",
            f"{config.front_end} on {config.data}, {counted(config.epochs, 'epoch')} each{expected}.",
            f"It registers {counted(len(request.claims), 'claim')}; n shows them and plans other ones.",
            "It continues when the console is closed; P pauses it.",
        ]

        async def work() -> None:
            try:
                missing = await threads.call(download_question.missing, [config])
            except AlexnetTuiError as error:  # There is no folder for data.
                notify(self._screen, str(error), is_error=True)
                return

            def answer(is_sure: bool | None) -> None:
                if is_sure:
                    self._write(msgspec.structs.replace(request, may_download=bool(missing)), ())

            asks = (
                download_question.question(missing[0], lines)
                if missing
                else ConfirmScreen(_REPRODUCE, lines, action="Start")
            )
            self._screen.app.push_screen(asks, answer)

        ask_once(self._screen, _REPRODUCE, work)

    def _open_form(
        self, texts: Mapping[str, str], taken: Collection[str], error: str = "", field_name: str = "name"
    ) -> None:
        def take(request: StudyRequest | None) -> None:
            if request is not None:
                self._write(request, taken)

        self._screen.app.push_screen(StudyForm(texts, taken, error=error, field_name=field_name), take)

    def _write(self, request: StudyRequest, taken: Collection[str]) -> None:
        """Write the plan; the form comes back with what is wrong."""
        session = self._session

        async def work() -> None:
            if problem := session.watcher.problems.get(""):  # A new folder in its place would hide what there was.
                self._open_form(request.texts, taken, f"No study is planned. {problem}")
                return
            try:
                plan = await session.executors["studies"].run(_write_plan, session.store, request)
            except AlexnetTuiError as error:
                field_name = "train_images" if isinstance(error, TooFewImagesError) else "name"
                if isinstance(error, ConfigError):
                    field_name = error.field
                elif isinstance(error, ClaimError):
                    field_name = "claims"
                self._open_form(request.texts, taken, str(error), field_name)
            else:
                self._on_planned(request, plan)

        self._screen.run_worker(work(), group=ASKING)


def _write_plan(store: Store, request: StudyRequest) -> Plan:
    """Write the plan of a request.

    Raises:
        AlexnetTuiError: It cannot be planned, or not be written; the sentence says why.
    """
    if request.has_own_claims:
        from alexnet_tui.analysis.verdict.claim_plan import register_claims  # Not needed to open the form.

        return register_claims(
            store, request.name, request.texts["claims"], seeds=request.seeds, overrides=request.overrides
        )
    return planning.plan_variants(
        store,
        request.name,
        variants=request.variants,
        seeds=request.seeds,
        overrides=request.overrides,
        protocol=request.protocol,
    )


def _expected(session: Session, configs: Sequence[RunConfig]) -> str:
    """How long all runs may take here: from past runs, or from steps that were timed."""
    from alexnet_tui.analysis import time_estimate

    known = functools.partial(
        time_estimate.total_time,
        past=session.histories_from_here(),
        host=platform.node(),
        step_seconds=session.step_seconds,
    )
    # Of the baseline alone something may be known.
    found = known(configs) or known([RunConfig()] * len(configs))
    if found is None:
        return "; how long it takes is not known (f8 in New run times five steps)"
    return f", about {format_duration(found[0])} in all ({printable(found[1], 80)})"
