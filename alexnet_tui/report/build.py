"""`build`: run histories in, the whole report as data out.

Runs of different protocols never share a table: each comparable set becomes a section of its own, the fullest
and least changed one first.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.conditions import CONDITIONS
from alexnet_tui.analysis.contradictions import CONTRADICTIONS
from alexnet_tui.analysis.groups import (
    NO_STATES,
    STUDY,
    Excluded,
    GroupedRuns,
    Grouping,
    GroupRuns,
    Missing,
    Protocol,
    States,
    group_runs,
    split_by_protocol,
    state_word,
)
from alexnet_tui.analysis.published import STUDY_EPOCHS
from alexnet_tui.analysis.selection import Selection
from alexnet_tui.analysis.verdict.figure1 import SWEEP, separate
from alexnet_tui.analysis.verdict.judge import ClaimVerdict, judge
from alexnet_tui.analysis.verdict.registration import PlannedStudy, Registration
from alexnet_tui.command_lines import ShellCommand, shell_command
from alexnet_tui.config.claims import load_claims
from alexnet_tui.config.hyperparameters import RunConfig, format_value, shown_value
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS, REPORT, plan_command
from alexnet_tui.report.content import Curve, Provenance, Report, Section
from alexnet_tui.report.table import build_rows
from alexnet_tui.report.wording import epochs_text
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.studies.plan import Plan
from alexnet_tui.text import format_count, listed

CURVE_COLUMNS = ("train_accuracy", "test_accuracy")


def build(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    *,
    title: str = "all runs",
    problems: Sequence[str] = (),
    missing: Sequence[Missing] = (),
    planned: Sequence[PlannedStudy] = (),
    train: str = "",
    command: ShellCommand = shell_command,
) -> Report:
    """The report on these runs; without a run it has one empty section.

    Args:
        histories: The runs.
        states: State of a run by its id, where known.
        title: What is reported on.
        problems: A sentence for each run that could not be read.
        missing: Runs that a plan asks for and that are not there.
        planned: Registered studies; their runs are among `histories`. Only these get verdicts.
        train: The command line that makes runs, shown where there is none.
        command: What makes the command lines that the report advises.
    """
    ids = {run.id for one in planned for run in one.histories} | {run.run_id for one in planned for run in one.excluded}
    others, sweeps = separate(run for run in histories if run.id not in ids)
    counted: set[Protocol] = set()
    fullest_first = sorted(planned, key=lambda one: -len(one.histories))
    parts = [_planned_part(one, histories, sweeps, states, command) for one in fullest_first]
    parts += [
        _exploratory_part(members, sweeps, states, missing, command) for members in split_by_protocol(others).values()
    ]
    sections = []
    for part in parts:
        sections.append(_section(part, states, counts_sweep=part.sweep_protocol not in counted))
        counted.add(part.sweep_protocol)
    for protocol, runs in sweeps.items():
        if protocol not in counted:
            sections.append(_section(_exploratory_part([], {protocol: runs}, states, missing, command), states))
    if not sections:
        note = f"There is no run to report on yet; this trains some: {train or command('study', 'reproduce')}"
        empty = _section(_exploratory_part([], {}, states, missing, command), states)
        sections = [msgspec.structs.replace(empty, notes=(note,))]
    families = sum(any(claim.effect for claim in section.claims) for section in sections)
    return Report(
        title=title,
        created=time.time(),
        claims=sections[0].claims,
        sections=tuple(sections),
        num_families=families,
        contradictions=CONTRADICTIONS if any(one.published for part in sections for one in part.claims) else (),
        problems=tuple(problems),
    )


def build_selection(found: Selection) -> Report:
    """The report on what was selected from a store."""
    return build(
        found.histories,
        found.states,
        title=found.title,
        problems=found.problems,
        missing=found.missing,
        planned=found.planned,
        train=found.train,
        command=found.command,
    )


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a section is made of.

    Attributes:
        configs: Settings of its runs, planned ones included.
        histories: Every run in it.
        runs: The runs by group.
        verdicts: The claims, judged or with exploratory numbers.
        sweep: Runs of the learning-rate sweep that belong beside it.
        sweep_protocol: What those share with it.
        registration: The plan; None where the runs were not registered.
        register: The command that would register such runs.
        extend: The command that plans the further seeds that are needed; empty where there is none.
        excluded: Runs left out before they were grouped.
    """

    configs: Sequence[RunConfig]
    histories: Sequence[RunHistory]
    runs: GroupedRuns
    verdicts: tuple[ClaimVerdict, ...]
    sweep: Sequence[RunHistory]
    sweep_protocol: Protocol
    registration: Registration | None = None
    register: str = ""
    extend: str = ""
    excluded: tuple[Excluded, ...] = ()

    @property
    def is_sweep(self) -> bool:
        """Whether it has runs of the learning-rate sweep alone."""
        return bool(self.sweep) and not self.histories


def _planned_part(
    planned: PlannedStudy,
    histories: Sequence[RunHistory],
    sweeps: Mapping[Protocol, list[RunHistory]],
    states: States,
    command: ShellCommand,
) -> _Part:
    """The runs of a registered study, judged by its plan."""
    known = {one.run_id for one in planned.excluded}
    plan, protocol = planned.plan, SWEEP.protocol_of(planned.plan.configs[0])
    sweep = sweeps.get(protocol, [])
    runs = group_runs(planned.histories, states, planned.missing, grouping=planned.grouping)
    runs = msgspec.structs.replace(runs, sweep=group_runs(sweep, states, grouping=SWEEP))
    verdicts = judge(runs, plan.claims, plan.overrides, planned.registration, command=command)
    return _Part(
        configs=plan.configs,
        histories=[*planned.histories, *(run for run in histories if run.id in known)],
        runs=runs,
        verdicts=verdicts,
        sweep=sweep,
        sweep_protocol=protocol,
        registration=planned.registration,
        extend=_extend_command(plan, verdicts, command),
        excluded=planned.excluded,
    )


def _extend_command(plan: Plan, verdicts: Sequence[ClaimVerdict], command: ShellCommand) -> str:
    """The command that plans the seeds that what is inconclusive needs; empty where no plan can hold them."""
    needed = max((one.seeds_needed for one in verdicts if one.seeds_needed), default=0)
    if not len(plan.seeds) < needed <= plan.most_further_seeds:
        return ""
    return command("study", "extend", plan.name, "--seeds", str(needed))


def _exploratory_part(
    histories: Sequence[RunHistory],
    sweeps: Mapping[Protocol, list[RunHistory]],
    states: States,
    missing: Sequence[Missing],
    command: ShellCommand,
) -> _Part:
    """Runs that no plan registered, with the numbers of the study's claims."""
    first = [*histories, *(run for runs in sweeps.values() for run in runs)][:1]
    config = first[0].record.config if first else RunConfig()
    protocol = SWEEP.protocol_of(config)
    sweep = sweeps.get(protocol, [])
    base = STUDY.protocol_of(config)
    mine = [one for one in missing if not first or (histories and STUDY.protocol_of(one.config) == base)]
    others = [one for one in missing if first and SWEEP.protocol_of(one.config) == protocol]
    runs = group_runs(histories, states, mine)
    runs = msgspec.structs.replace(runs, sweep=group_runs(sweep, states, others, grouping=SWEEP))
    overrides = {name: format_value(getattr(config, name)) for name in STUDY.protocol_fields}
    fields = (*STUDY.protocol_fields, "threads", "device", "precision")
    unused = max((run.record.config.seed for run in histories), default=-1) + 1
    return _Part(
        configs=[run.record.config for run in (*histories, *sweep)],
        histories=histories,
        runs=runs,
        verdicts=judge(runs, load_claims(PROTOCOLS[REPORT].claims), overrides, command=command),
        sweep=sweep,
        sweep_protocol=protocol,
        register=command(*plan_command(REPORT, "mine", config if first else None, fields, first_seed=unused)),
    )


def _section(part: _Part, states: States, *, counts_sweep: bool = True) -> Section:
    """One comparable set.

    Runs of the sweep may belong beside several sets; `counts_sweep` says which of them counts them, and their time.
    """
    everything = [*part.histories, *part.sweep]
    runs = part.runs if counts_sweep else msgspec.structs.replace(part.runs, sweep=None)
    return Section(
        front_ends=_values(part.configs, "front_end"),
        data_sets=_values(part.configs, "data"),
        splits=_values(part.configs, "split"),
        epochs=_values(part.configs, "epochs"),
        settings=_settings(part.configs, SWEEP if part.is_sweep else part.runs.grouping),
        notes=tuple(_notes(part)),
        registration=part.registration,
        register=part.register,
        extend=part.extend,
        rows=build_rows(part.runs),
        claims=part.verdicts,
        curves=tuple(_curves(part.runs)),
        provenance=_provenance(everything if counts_sweep else part.histories, states, runs, part.excluded),
    )


def _values(configs: Iterable[RunConfig], name: str) -> tuple[Any, ...]:
    """Every value that a hyperparameter has in a section, in order of the runs."""
    return tuple(dict.fromkeys(getattr(config, name) for config in configs))


def _settings(configs: Sequence[RunConfig], grouping: Grouping) -> dict[str, str]:
    """What the runs of a section share and the front end does not set by itself."""
    usual = {name: RunConfig.from_text({"front_end": name}) for name in _values(configs, "front_end")}
    found = {}
    for name in grouping.protocol_fields:
        if any(getattr(config, name) != getattr(usual[config.front_end], name) for config in configs):
            found[name] = listed([shown_value(name, value) for value in _values(configs, name)])
    return found


def _notes(part: _Part) -> Iterable[str]:
    configs, histories = part.configs, [*part.histories, *part.sweep]
    if part.is_sweep:
        yield "These runs stand beside claim 2 and decide none: " + PROTOCOLS[BEST_LEARNING_RATE].summary
    if (epochs := _values(configs, "epochs")) not in {(), (STUDY_EPOCHS,)}:
        yield f"These runs have {epochs_text(epochs)}; the study's have {STUDY_EPOCHS}."
    if names := [name for name in _values(configs, "data") if name != "cifar10"]:
        yield f"The data set is {listed(names)}; the study used CIFAR-10 as Keras ships it."
    if in_paper_split := [config for config in configs if config.split == "paper"]:
        training = "training" if len(in_paper_split) == len(configs) else "training with split paper"
        images = _values(in_paper_split, "train_images")
        if any(images):
            numbers = listed([format_count(number) if number else "all" for number in images])
            yield (
                f"{training.capitalize()} uses {numbers} training images, where the study used all; like the study's,"
                " accuracy is measured on the test set."
            )
        else:
            yield f"Like the study, {training} uses every training image and accuracy is measured on the test set."
        if any(config.schedule == "plateau" for config in in_paper_split):
            yield "The plateau schedule lowered the learning rate by the error on the test set: selected on test."
    shares = {(place.num_train_eval_images, place.num_train_images) for run in histories for place in run.segments}
    for some, whole in sorted(share for share in shares if share[0] < share[1]):
        yield f"T25 and gap use {format_count(some)} of {format_count(whole)} training images, the same in every run."


def _curves(grouped: GroupedRuns) -> Iterable[Curve]:
    for runs in grouped.groups.values():
        if runs.used:
            yield from (_curve(runs, column) for column in CURVE_COLUMNS)


def _curve(runs: GroupRuns, column: str) -> Curve:
    points = list(zip(*(run.epochs[column] for run in runs.used), strict=False))
    return Curve(
        group=runs.group.name,
        title=runs.group.title,
        column=column,
        num_runs=len(runs.used),
        epochs=tuple(int(epoch) for epoch in runs.used[0].epochs["epoch"][: len(points)]),
        means=tuple(stats.mean(values) for values in points),
        sds=tuple(stats.sd(values) for values in points),
    )


def _provenance(
    histories: Sequence[RunHistory], states: States, grouped: GroupedRuns, excluded: tuple[Excluded, ...] = ()
) -> Provenance:
    parts = [grouped, *([grouped.sweep] if grouped.sweep else [])]
    unfinished = [one for part in parts for runs in part.groups.values() for one in runs.unfinished]
    swept = grouped.sweep.used if grouped.sweep else []
    used = grouped.used or swept
    known = [place for run in used for place in run.segments]
    created = [run.record.created for run in histories]
    return Provenance(
        states=Counter(state_word(run, states) for run in histories),
        excluded=(*excluded, *(one for part in parts for one in part.excluded)),
        unfinished=tuple(Excluded(run.id, word) for run, word in unfinished),
        beside=len(swept),
        conditions={name: Counter(condition(run) for run in used) for name, condition in CONDITIONS.items()},
        hosts=tuple(sorted({one.fingerprint for one in known})),
        versions=tuple(sorted({f"{name} {of}" for one in known for name, of in one.versions.items()})),
        data=tuple(sorted({f"{one.data} sha256 {one.data_sha256}" for one in known})),
        seeds=tuple(sorted({run.record.config.seed for run in used})),
        num_resumed=sum(run.attempts > 1 for run in histories),
        num_not_bit_exact=sum(not run.bit_exact or run.epochs_changed > 0 for run in histories),
        total_seconds=sum(run.elapsed_seconds or 0.0 for run in histories),
        first_created=min(created, default=0.0),
        last_created=max(created, default=0.0),
    )
