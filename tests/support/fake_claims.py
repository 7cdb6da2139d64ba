"""Claims, plans that register them for runs in memory, and the verdicts on them."""

from collections.abc import Sequence
from typing import Any

from fake_histories import CLEAR, EPOCHS, study

from alexnet_tui.analysis.groups import NO_STATES, STUDY, Missing, States, group_runs
from alexnet_tui.analysis.verdict.judge import ClaimVerdict, judge
from alexnet_tui.analysis.verdict.registration import PlannedStudy, Registration
from alexnet_tui.config.claims import RULES_VERSION, Claim, load_claims
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.studies.plan import Plan


def own_claim(**changes: object) -> Claim:
    """A claim that is none of the study's."""
    fields: dict[str, object] = {
        "name": "decay",
        "statement": "Weight decay lowers the training error.",
        "metric": "train_error",
        "group": {"weight_decay": 0.0005},
        "reference": {"weight_decay": 0.0},
        "direction": "lower",
        "unit": "points",
        "smallest_effect": 0.5,
    }
    return Claim(**{**fields, **changes})  # type: ignore[arg-type]


def plan_of(histories: Sequence[RunHistory], claims: Sequence[Claim] | None = None, **changes: Any) -> Plan:
    """A plan that these runs were made for, as if it had been registered before them."""
    configs = list(dict.fromkeys(run.record.config for run in histories))
    fields: dict[str, object] = {
        "name": "mine",
        "created": 0.0,
        "variants": list(dict.fromkeys(config.variant for config in configs)),
        "seeds": sorted({config.seed for config in configs}),
        "overrides": {"epochs": str(EPOCHS), "data": "cifar10"},
        "configs": configs,
        "rules": RULES_VERSION,
        "claims": list(load_claims("study") if claims is None else claims),
        "groups": {name: dict(VARIANTS[name].settings) for name in dict.fromkeys(one.variant for one in configs)},
        "sha256": "5a" * 32,
    }
    return Plan(**{**fields, **changes})


def planned(
    histories: Sequence[RunHistory], missing: Sequence[Missing] = (), *, seeds: int = 5, **changes: Any
) -> PlannedStudy:
    """Runs with the plan that registered them; nothing of it is checked."""
    plan = plan_of(histories, **changes)
    registration = Registration(
        study=plan.name, sha256=plan.sha256, created=0.0, protocol="report", alpha=plan.alpha, num_seeds=seeds
    )
    return PlannedStudy(plan=plan, registration=registration, histories=tuple(histories), missing=tuple(missing))


def judged(
    histories: Sequence[RunHistory], states: States = NO_STATES, missing: Sequence[Missing] = (), **changes: Any
) -> tuple[ClaimVerdict, ...]:
    """The verdicts of a registered study on these runs."""
    found = planned(histories, missing, **changes)
    runs = group_runs(found.histories, states, found.missing, grouping=STUDY)
    return judge(runs, found.plan.claims, found.plan.overrides, found.registration)


def verdict_of(histories: Sequence[RunHistory], number: int) -> ClaimVerdict:
    """The verdict on the study's claim of this number."""
    return judged(histories)[number - 1]


def four_layers_verdict(final: float, spread: float = 0.001) -> ClaimVerdict:
    """The verdict on the third claim where four layers reach `final`, five layers 60%."""
    four = {"gap": 0.25, "t25": 6.0, "final": final}
    return verdict_of(study(spread=spread, shift={**CLEAR, "four-conv": four}), 3)


def exploratory(histories: Sequence[RunHistory]) -> tuple[ClaimVerdict, ...]:
    """What the same runs come to where no plan registered them."""
    plan = plan_of(histories)
    return judge(group_runs(histories), plan.claims, plan.overrides)
