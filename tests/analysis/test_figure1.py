"""Each activation at its own best learning rate: chosen by training error, never mixed, and deciding nothing."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from cli_caller import Run
from fake_claims import judged
from fake_histories import CLEAR, EPOCHS, diverged, make_history, study
from fake_runs import write_run

from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.analysis.time_to_accuracy import time_to_accuracy
from alexnet_tui.analysis.verdict import figure1
from alexnet_tui.analysis.verdict.secondary import Secondary
from alexnet_tui.config import protocols
from alexnet_tui.errors import ConfigError
from alexnet_tui.report.build import build
from alexnet_tui.report.content import Report
from alexnet_tui.report.markdown import to_markdown
from alexnet_tui.report.trace import explain
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, planning, study_files
from alexnet_tui.studies.plan import Plan, load_plan

FREE: dict[str, Any] = {"dropout": "0", "weight_decay": "0"}
RELU = {"0.003": 8.0, "0.01": 4.0, "0.03": 3.0}
TANH = {"0.003": 14.0, "0.01": 12.0, "0.03": 13.0}


def sweep_runs(
    relu: Mapping[str, float | None] = RELU,
    tanh: Mapping[str, float | None] = TANH,
    **fields: Any,
) -> list[RunHistory]:
    """Two activations at three rates; the seeds take 1.1 and 1/1.1 of the value, their geometric mean."""
    return [
        make_history(
            variant,
            seed,
            t25=None if t25 is None else t25 * (1.1 if seed else 1 / 1.1),
            gap=0.1 if t25 is None else 0.3,
            learning_rate=rate,
            run_id=f"{variant}-{rate}-{seed}",
            **{**FREE, **fields},
        )
        for variant, values in (("baseline", relu), ("tanh", tanh))
        for rate, t25 in values.items()
        for seed in range(2)
    ]


def side_of(built: Report, section: int = 0) -> Secondary:
    return next(one for one in built.sections[section].claims[1].secondary if one.name == figure1.NAME)


def test_each_activation_gets_its_own_rate_and_the_ratio_is_of_geometric_means() -> None:
    side = side_of(build(sweep_runs()))
    assert side.value == pytest.approx(12 / 3, rel=1e-3)
    assert side.unit == "ratio"
    assert side.note.startswith("tanh at learning rate 0.01 (n = 2) over relu at learning rate 0.03 (n = 2)")
    assert "decides nothing" in side.note
    assert "Figure 1: about 6" in side.note
    assert paper.FIGURE_1 in paper.PAPER_RESULTS
    assert [(sample.title, len(sample.values)) for sample in side.samples] == [
        (f"{activation} at learning rate {rate}", 2) for activation in ("relu", "tanh") for rate in RELU
    ]


def test_a_rate_that_reached_the_mark_before_the_first_measurement_gives_no_ratio() -> None:
    side = side_of(build(sweep_runs({**RELU, "0.03": 0.5})))
    assert (side.value, side.note) == (None, "2 runs of the best rates reached 25% before the first measurement")


def test_the_report_s_own_verdicts_and_table_are_the_same_with_and_without_these_runs() -> None:
    plain, both = build(study(shift=CLEAR)), build([*sweep_runs(), *study(shift=CLEAR)])
    assert len(both.sections) == 1
    for before, after in zip(plain.claims, both.claims, strict=True):
        assert (before.verdict, before.reasons, before.effect) == (after.verdict, after.reasons, after.effect)
        assert (before.larger, before.smaller) == (after.larger, after.smaller)
    assert plain.sections[0].rows == both.sections[0].rows
    assert plain.sections[0].curves == both.sections[0].curves
    assert both.sections[0].provenance.beside == 12
    assert both.sections[0].provenance.excluded == ()
    assert both.sections[0].provenance.states == {"finished": 32}


def test_a_run_that_differs_in_one_setting_is_no_run_of_the_protocol() -> None:
    for fields in ({"dropout": "0.01"}, {"weight_decay": "0.0005"}, {"learning_rate": "0.1"}, {"variant": "four-conv"}):
        config = make_history(**{**FREE, **fields}).record.config
        assert figure1.SWEEP.group_of(config) is None, fields
    assert figure1.SWEEP.group_of(make_history("tanh", **FREE).record.config) == figure1.SWEEP.groups["tanh 0.01"]
    disguised = make_history("baseline", activation="tanh", **FREE).record.config
    assert figure1.SWEEP.group_of(disguised) == figure1.SWEEP.groups["tanh 0.01"], (
        "settings decide, not the variant's name"
    )


def test_the_rate_does_not_depend_on_the_test_set() -> None:
    runs = sweep_runs()
    for run in runs:
        for index in range(EPOCHS):
            run.epochs.columns["test_accuracy"][index] = 0.9 if "0.003" in run.id else 0.1
    assert side_of(build(runs)).value == pytest.approx(12 / 3, rel=1e-3)


@pytest.mark.parametrize("fields", [{"front_end": "same32"}, {"data": "cifar100"}, {"batch_size": "64"}])
def test_other_settings_make_a_section_of_their_own(fields: dict[str, Any]) -> None:
    built = build([*study(shift=CLEAR), *sweep_runs(**fields)])
    assert len(built.sections) == 2
    main, other = side_of(built), side_of(built, 1)
    assert main.value is None
    assert main.note.startswith("no runs of it here; `alexnet-tui study new fig1 --protocol best-learning-rate")
    assert other.value == pytest.approx(4, rel=1e-3)
    assert [claim.headline for claim in built.sections[1].claims] == ["exploratory"] * 3
    assert "learning_rate" not in built.sections[1].settings
    assert any("decide none" in note for note in built.sections[1].notes)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"device_class": "GPU"}, "device class"), ({"precision": "bf16"}, "precision"), ({"data_sha256": "cd"}, "data")],
)
def test_places_are_never_mixed(change: dict[str, object], word: str) -> None:
    odd = make_history("tanh", 7, t25=1.0, learning_rate="0.01", change_started=change, **FREE)
    side = side_of(build([*sweep_runs(), odd]))
    assert side.value is None
    assert f"The runs differ in {word}: " in side.note


def test_censored_tanh_runs_count_as_slowest_and_make_a_bound() -> None:
    side = side_of(build(sweep_runs(tanh=dict.fromkeys(TANH))))
    assert side.value == pytest.approx(EPOCHS / 3, rel=1e-3)
    assert side.note.startswith("at least; 2 of 2 tanh runs not reached; ")
    relu = side_of(build(sweep_runs(relu=dict.fromkeys(RELU))))
    assert relu.value is None
    assert "2 of 2 runs of relu at learning rate 0.003, its best, did not reach 25%" in relu.note


def test_a_diverged_run_counts_as_slowest_and_an_open_one_is_told() -> None:
    runs = [run for run in sweep_runs() if not (run.id.startswith("baseline-0.03"))]
    fast = [make_history("baseline", seed, end=diverged(), learning_rate="0.03", **FREE) for seed in range(2)]
    side = side_of(build([*runs, *fast]))
    assert side.value == pytest.approx(12 / 4, rel=1e-3), "ReLU's best is now 0.01"
    (sample,) = [one for one in side.samples if one.title == "relu at learning rate 0.03"]
    assert [(seen.value, seen.limit) for seen in sample.runs] == [(None, EPOCHS)] * 2
    still = make_history("tanh", 9, finish=False, learning_rate="0.01", **FREE)
    assert "; 1 run not finished or excluded; " in side_of(build([*sweep_runs(), still])).note


def test_a_rate_without_runs_withholds_the_ratio() -> None:
    side = side_of(build([run for run in sweep_runs() if not run.id.startswith("tanh-0.03")]))
    assert side.value is None
    assert side.note == "no finished run of tanh at learning rate 0.03"


def test_without_runs_the_command_repeats_the_settings_of_the_runs_there_are() -> None:
    runs = [make_history(data="mine", front_end="same32", lrn="no", epochs="3", learning_rate="0.02")]
    note = side_of(build(runs)).note
    words = "--protocol best-learning-rate --front-end same32 --data mine --epochs 3 --no-lrn` plans them"
    assert words in note
    assert side_of(build([])).note.startswith(
        "no runs of it here; `alexnet-tui study new fig1 --protocol best-learning-rate`"
    )


def test_explain_names_every_run_behind_the_ratio_and_every_format_has_it() -> None:
    built = build([*study(shift=CLEAR), *sweep_runs()])
    text = "\n".join(explain(built))
    for run in sweep_runs():
        crossing = time_to_accuracy(run).epochs
        assert crossing is not None
        assert f"{run.id} (seed {run.record.config.seed}): {crossing:.4f} epochs" in text
    assert "no dropout, no weight decay: 4.00x" in to_markdown(built)


def test_judge_alone_tells_of_no_tuned_runs() -> None:
    side = judged(study())[1].secondary[-1]
    assert (side.name, side.value) == (figure1.NAME, None)


# ------------------------------------------------------------------- planning


def plan_figure_1(store: Store, seeds: Sequence[int], **overrides: str) -> Plan:
    variants = ("baseline", "tanh")
    return planning.plan_variants(
        store, "fig1", variants=variants, seeds=seeds, overrides=overrides, protocol="best-learning-rate"
    )


def test_a_plan_of_the_protocol_is_both_activations_at_three_rates_in_every_seed(store: Store) -> None:
    plan = planning.plan_variants(
        store,
        "fig1",
        variants=("baseline", "tanh"),
        seeds=range(2),
        overrides={"epochs": "4"},
        protocol="best-learning-rate",
    )
    told = [(one.variant, one.seed, one.learning_rate) for one in plan.configs]
    assert told == [(v, s, r) for s in (0, 1) for v in ("baseline", "tanh") for r in (0.003, 0.01, 0.03)]
    assert {(one.dropout, one.weight_decay, one.epochs) for one in plan.configs} == {(0.0, 0.0, 4)}
    assert {one.activation for one in plan.configs if one.variant == "tanh"} == {"tanh"}
    assert load_plan(store, "fig1") == plan
    assert [cell.swept for cell in planned_runs.status(store, plan)][:3] == [f"learning rate {rate}" for rate in RELU]
    assert {
        cell.swept
        for cell in planned_runs.status(store, planning.plan_variants(store, "x", variants=["tanh"], seeds=[0]))
    } == {""}
    assert len(set(planned_runs.prepare(store, plan))) == 12


def test_a_plan_written_before_there_were_protocols_is_the_report_s(store: Store) -> None:
    plan = planning.plan_variants(store, "old", variants=["tanh"], seeds=[0])
    path = store.root / "studies" / "old.json"
    path.write_text(re.sub(r',\s*"protocol": "report"', "", path.read_text()))
    assert '"protocol"' not in path.read_text()
    assert load_plan(store, "old") == plan


@pytest.mark.parametrize(
    ("variants", "overrides", "protocol", "words"),
    [
        (["four-conv"], {}, "best-learning-rate", "there is no 'four-conv'"),
        (["tanh"], {"dropout": "0.5"}, "best-learning-rate", "the protocol best-learning-rate decides it"),
        (["tanh"], {"learning_rate": "0.1"}, "best-learning-rate", "leave --learning-rate away"),
        (["tanh"], {}, "best-rate", "did you mean best-learning-rate"),
    ],
)
def test_what_contradicts_the_protocol_is_refused(
    store: Store, variants: list[str], overrides: dict[str, str], protocol: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        planning.plan_variants(store, "x", variants=variants, seeds=[0], overrides=overrides, protocol=protocol)
    assert study_files.names(store) == []


def test_every_protocol_names_variants_and_fields_that_exist() -> None:
    for name, spec in protocols.PROTOCOLS.items():
        configs = protocols.plan_configs(name, spec.variants, [0], {})
        assert len(set(configs)) == len(spec.variants) * math.prod(map(len, spec.swept.values()))


def test_from_the_plan_to_the_ratio_on_disk(store: Store) -> None:
    plan = planning.plan_variants(
        store,
        "fig1",
        variants=("baseline", "tanh"),
        seeds=[0],
        overrides={"epochs": "20"},
        protocol="best-learning-rate",
    )
    for config in plan.configs[:-1]:
        write_run(store, config, gap=0.3 if config.activation == "tanh" else 0.39, study="fig1")
    found = select_runs(store, ["fig1"])
    side = side_of(build(found.histories, found.states, missing=found.missing))
    assert side.note == "no finished run of tanh at learning rate 0.03"
    write_run(store, plan.configs[-1], gap=0.38, study="fig1")
    found = select_runs(store, ["fig1"])
    built = build(found.histories, found.states, missing=found.missing)
    side = side_of(built)
    assert side.note.startswith("tanh at learning rate 0.03 (n = 1) over relu at learning rate 0.003 (n = 1)")
    assert side.value is not None
    assert built.sections[0].provenance.beside == 6


def test_the_command_line_plans_it_and_shows_what_each_run_tries(run: Run) -> None:
    done = run("study", "new", "fig1", "--protocol", "best-learning-rate", "--seeds", "2", "--epochs", "3")
    assert done.code == 0
    assert "2 variants x 2 seeds x 3 learning rates = 12 runs" in done.err
    done = run("study", "status", "fig1")
    assert (done.code, done.out.count("learning rate 0.003")) == (0, 4)
    done = run("study", "new", "other", "--protocol", "best-rate")
    assert (done.code, "did you mean best-learning-rate?" in done.err) == (2, True)
    done = run("study", "new", "other", "--protocol", "best-learning-rate", "--variants", "four-conv")
    assert (done.code, "there is no 'four-conv'" in done.err) == (2, True)
