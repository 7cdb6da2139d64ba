"""The report as data: what every format of it is a rendering of."""

from collections.abc import Mapping

import msgspec

from alexnet_tui.analysis.contradictions import Contradiction
from alexnet_tui.analysis.groups import Excluded
from alexnet_tui.analysis.published import PAPER_RESULTS, PaperResult
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.report.table import Row

REPORT_VERSION = 3
"""1 had other names for groups, effects and secondary outcomes, and no registration; 2 described a section by its
first run."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation over seeds, epoch by epoch, of one group's accuracy.

    Attributes:
        column: Which series: ``train_accuracy`` (running) or ``test_accuracy``.
        means: One fraction an epoch.
        sds: One an epoch; 0 for a single run.
    """

    group: str
    title: str
    column: str
    num_runs: int
    epochs: tuple[int, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the numbers come from.

    Attributes:
        states: Number of runs by state in words, the excluded ones included.
        excluded: Runs that count for nothing, and why.
        unfinished: Runs without an end that no other run replaces, with their state.
        beside: Finished runs of the paper's own protocol, told beside claim 2 and in no group.
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
    excluded: tuple[Excluded, ...]
    unfinished: tuple[Excluded, ...]
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


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One comparable set of runs: a registered study, or runs of one protocol that were not registered.

    Attributes:
        front_ends: Every front end that its runs have; this and the next three are more than one only where the groups
            of a registered study differ in it.
        data_sets: Every data set.
        splits: Every split.
        epochs: Every number of epochs.
        settings: Hyperparameters of the protocol that differ from the front end's defaults.
        notes: Sentences on how the protocol departs from the study's.
        registration: The plan that its verdicts rest on; None where the runs were not registered.
        register: The command that registers such runs, where they were not.
        extend: The command that plans the further seeds that what is inconclusive needs; empty where nothing is, or no
            study can have so many.
    """

    front_ends: tuple[str, ...]
    data_sets: tuple[str, ...]
    splits: tuple[str, ...]
    epochs: tuple[int, ...]
    settings: Mapping[str, str]
    notes: tuple[str, ...]
    registration: Registration | None = None
    register: str = ""
    extend: str = ""
    rows: tuple[Row, ...]
    claims: tuple[ClaimVerdict, ...]
    curves: tuple[Curve, ...]
    provenance: Provenance


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report as data.

    Attributes:
        title: What was reported on: a study, the reference runs, or all runs.
        claims: The verdicts of the first section.
        sections: One for each comparable set of runs; registered studies first.
        num_families: How many sections have tests: each is a family of its own, and more of them find more by chance.
        contradictions: Those in the study's text; none where no claim of that text is judged.
        problems: A sentence for each run that could not be read.
    """

    v: int = REPORT_VERSION
    title: str
    created: float
    claims: tuple[ClaimVerdict, ...]
    sections: tuple[Section, ...]
    num_families: int = 0
    contradictions: tuple[Contradiction, ...] = ()
    paper: tuple[PaperResult, ...] = PAPER_RESULTS
    problems: tuple[str, ...] = ()
