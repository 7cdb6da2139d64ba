"""`build`: run histories in, the whole report as data out; every format is a rendering of it.

Runs of different protocols never share a table: each comparable set becomes a section of its own, the fullest
and least changed one first.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from alexnet_tui.analysis import figure1 as best_rate
from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis import stats
from alexnet_tui.analysis.claims import ClaimVerdict, judge
from alexnet_tui.analysis.groups import (
    CONDITIONS,
    NO_STATES,
    PROTOCOL_FIELDS,
    Absent,
    ArmRuns,
    Cohort,
    Protocol,
    SetAside,
    States,
    protocol_of,
    split_by_protocol,
    state_word,
)
from alexnet_tui.analysis.published import CONTRADICTIONS, PAPER_RESULTS, Contradiction, PaperResult
from alexnet_tui.analysis.select import Gathered
from alexnet_tui.config.hyperparameters import RunConfig, shown_value
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS
from alexnet_tui.paths import command
from alexnet_tui.report.table import Row, build_rows
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import format_count

REPORT_VERSION = 1
CURVE_COLUMNS = ("train_accuracy", "test_accuracy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Mean and standard deviation over seeds, epoch by epoch, of one arm's accuracy.

    Attributes:
        column: Which series: ``train_accuracy`` (running) or ``test_accuracy``.
        means: One fraction an epoch.
        sds: One an epoch; 0 for a single run.
    """

    arm: str
    title: str
    column: str
    num_runs: int
    epochs: tuple[int, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the numbers come from.

    Attributes:
        states: Number of runs by state in words, the ones set aside included.
        set_aside: Runs that count for nothing, and why.
        unfinished: Runs without an end that no other run replaces, with their state.
        beside: Finished runs of the paper's own protocol, told beside claim 2 and in no arm.
        conditions: Values of each condition and the number of runs with it. This and the next four are those of
            the runs that numbers rest on.
        hosts: Machine fingerprints.
        versions: Library versions, ``name version``.
        data: Name and SHA-256 of the data.
        seeds: All seeds used.
        num_resumed: Runs that were resumed at least once.
        num_not_bit_exact: Runs whose resume could not promise identical numbers.
        total_seconds: Time of all runs, failed ones included.
        first_created: When the first run was made, seconds since 1970.
        last_created: When the last run was made.
    """

    states: Mapping[str, int]
    set_aside: tuple[SetAside, ...]
    unfinished: tuple[SetAside, ...]
    beside: int
    conditions: Mapping[str, Mapping[str, int]]
    hosts: tuple[str, ...]
    versions: tuple[str, ...]
    data: tuple[str, ...]
    seeds: tuple[int, ...]
    num_resumed: int
    num_not_bit_exact: int
    total_seconds: float
    first_created: float
    last_created: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One comparable set of runs.

    Attributes:
        name: The front end and the data, for people.
        settings: Hyperparameters of the protocol that differ from the front end's defaults.
        notes: Sentences on how the protocol departs from the report's.
    """

    name: str
    front_end: str
    data: str
    split: str
    epochs: int
    settings: Mapping[str, str]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[ClaimVerdict, ...]
    curves: tuple[Curve, ...]
    provenance: Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The report as data.

    Attributes:
        title: What was reported on: a study, the reference runs, or all runs.
        claims: The verdicts of the first section.
        sections: One for each comparable set of runs.
        problems: A sentence for each run that could not be read.
    """

    v: int = REPORT_VERSION
    title: str
    created: float
    claims: tuple[ClaimVerdict, ...]
    sections: tuple[Section, ...]
    contradictions: tuple[Contradiction, ...] = CONTRADICTIONS
    paper: tuple[PaperResult, ...] = PAPER_RESULTS
    problems: tuple[str, ...] = ()


def build(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    *,
    title: str = "all runs",
    problems: Sequence[str] = (),
    absent: Sequence[Absent] = (),
    train: str = "",
) -> Report:
    """The report on these runs; without a run it has one empty section.

    Args:
        histories: The runs.
        states: State of a run by its id, where known.
        title: What is reported on.
        problems: A sentence for each run that could not be read.
        absent: Runs that a plan asks for and that are not there.
        train: The command line that makes runs, told where there is none.
    """
    others, tuned = best_rate.separate(histories)
    sets = list(split_by_protocol(others).values())
    sections = []
    counted: set[best_rate.Base] = set()
    for members in sets:
        base = best_rate.base_of(members[0].record.config)
        beside = tuned.get(base, [])
        sections.append(_section(members, beside, states, absent, counts_tuned=base not in counted))
        counted.add(base)
    sections += [_section([], runs, states, absent) for base, runs in tuned.items() if base not in counted]
    if not sections:
        note = f"There is no run to report on yet; this trains some: {train or command('study', 'reproduce')}"
        sections = [replace(_section([], [], states, absent), notes=(note,))]
    return Report(
        title=title,
        created=time.time(),
        claims=sections[0].claims,
        sections=tuple(sections),
        problems=tuple(problems),
    )


def build_gathered(found: Gathered) -> Report:
    """The report on what was gathered from a store."""
    return build(
        found.histories,
        found.states,
        title=found.title,
        problems=found.problems,
        absent=found.absent,
        train=found.train,
    )


def _section(
    histories: Sequence[RunHistory],
    tuned: Sequence[RunHistory],
    states: States,
    absent: Sequence[Absent],
    *,
    counts_tuned: bool = True,
) -> Section:
    """One comparable set, and the runs of the paper's own protocol that belong beside it.

    Those may belong beside several sets; `counts_tuned` says which of them counts them, and their time.
    """
    everything = [*histories, *tuned]
    config = everything[0].record.config if everything else None
    mine = [one for one in absent if not everything or (histories and protocol_of(one.config) == _protocol(histories))]
    others = [one for one in absent if config and best_rate.base_of(one.config) == best_rate.base_of(config)]
    judgement = judge(histories, states, mine, tuned=best_rate.sort_runs(tuned, states, others))
    return Section(
        name=f"{config.front_end} on {config.data}" if config else "no runs",
        front_end=config.front_end if config else "",
        data=config.data if config else "",
        split=config.split if config else "",
        epochs=config.epochs if config else 0,
        settings=_settings(config) if config else {},
        notes=tuple(_notes(everything)),
        rows=build_rows(judgement.cohort),
        claims=judgement.verdicts,
        curves=tuple(_curves(judgement.cohort)),
        provenance=_provenance(everything, states, judgement.cohort)
        if counts_tuned
        else _provenance(histories, states, replace(judgement.cohort, tuned=None)),
    )


def _protocol(histories: Sequence[RunHistory]) -> Protocol:
    return protocol_of(histories[0].record.config)


def _settings(config: RunConfig) -> dict[str, str]:
    default = RunConfig.from_text({"front_end": config.front_end})
    is_tuned = best_rate.arm_of(config) is not None
    names = (name for name in PROTOCOL_FIELDS if not (is_tuned and name in PROTOCOLS[BEST_LEARNING_RATE].fields))
    pairs = ((name, getattr(config, name)) for name in names)
    return {name: shown_value(name, value) for name, value in pairs if value != getattr(default, name)}


def _notes(histories: Sequence[RunHistory]) -> Iterable[str]:
    if not histories:
        return
    config = histories[0].record.config
    if best_rate.arm_of(config):
        yield "These runs stand beside claim 2 and decide none: " + PROTOCOLS[BEST_LEARNING_RATE].summary
    if config.epochs != paper.REPORT_EPOCHS:
        plural = "s" * (config.epochs != 1)
        yield f"These runs have {config.epochs} epoch{plural}; the report's have {paper.REPORT_EPOCHS}."
    if config.data != "cifar10":
        yield f"The data set is {config.data}; the report used CIFAR-10 as Keras ships it."
    if config.split == "paper":
        yield "Like the report, training uses every training image and accuracy is measured on the test set."
        if any(run.record.config.schedule == "plateau" for run in histories):
            yield "The plateau schedule lowered the learning rate by the error on the test set: selected on test."
    shares = {(place.num_train_eval_images, place.num_train_images) for run in histories for place in run.places}
    for part, whole in sorted(share for share in shares if share[0] < share[1]):
        yield f"T25 and gap use {format_count(part)} of {format_count(whole)} training images, the same in every run."


def _curves(cohort: Cohort) -> Iterable[Curve]:
    for arm in cohort.arms.values():
        if arm.used:
            yield from (_curve(arm, column) for column in CURVE_COLUMNS)


def _curve(arm: ArmRuns, column: str) -> Curve:
    points = list(zip(*(run.epochs[column] for run in arm.used), strict=False))
    return Curve(
        arm=arm.arm.name,
        title=arm.arm.title,
        column=column,
        num_runs=len(arm.used),
        epochs=tuple(int(epoch) for epoch in arm.used[0].epochs["epoch"][: len(points)]),
        means=tuple(stats.mean(values) for values in points),
        sds=tuple(stats.sd(values) for values in points),
    )


def _used(cohort: Cohort | None) -> list[RunHistory]:
    return [run for arm in cohort.arms.values() for run in arm.used] if cohort else []


def _provenance(histories: Sequence[RunHistory], states: States, cohort: Cohort) -> Provenance:
    cohorts = [cohort, *([cohort.tuned] if cohort.tuned else [])]
    unfinished = [one for sorted_runs in cohorts for arm in sorted_runs.arms.values() for one in arm.unfinished]
    used = _used(cohort) or _used(cohort.tuned)
    known = [place for run in used for place in run.places]
    created = [run.record.created for run in histories]
    return Provenance(
        states=Counter(state_word(run, states) for run in histories),
        set_aside=tuple(one for sorted_runs in cohorts for one in sorted_runs.set_aside),
        unfinished=tuple(SetAside(run.id, word) for run, word in unfinished),
        beside=len(_used(cohort.tuned)),
        conditions={name: Counter(condition(run) for run in used) for name, condition in CONDITIONS.items()},
        hosts=tuple(sorted({one.fingerprint for one in known})),
        versions=tuple(sorted({f"{name} {of}" for one in known for name, of in one.versions.items()})),
        data=tuple(sorted({f"{one.data} sha256 {one.data_sha256}" for one in known})),
        seeds=tuple(sorted({run.record.config.seed for run in used})),
        num_resumed=sum(run.attempts > 1 for run in histories),
        num_not_bit_exact=sum(not run.bit_exact for run in histories),
        total_seconds=sum(run.elapsed_seconds or 0.0 for run in histories),
        first_created=min(created, default=0.0),
        last_created=max(created, default=0.0),
    )
