"""The report as data and in its formats: the numbers are right, traceable, and never mixed."""

import html.parser
import io
import json
import re
import shutil
import time
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from fake_claims import own_claim, planned
from fake_histories import CLEAR, diverged, make_history, study
from fake_runs import write_run
from rich.console import Console

from alexnet_tui.analysis.metrics import METRICS, smoothed
from alexnet_tui.analysis.samples import RunValue, make_sample, sample_text
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.cli.report_view import print_report
from alexnet_tui.config.claims import Claim, load_claims
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import RunNotFoundError
from alexnet_tui.report import charts as report_svg
from alexnet_tui.report.build import build, build_selection
from alexnet_tui.report.content import Report
from alexnet_tui.report.formats import Format, render
from alexnet_tui.report.html import to_html
from alexnet_tui.report.latex import escape_latex, to_latex
from alexnet_tui.report.markdown import escape_markdown, to_markdown
from alexnet_tui.report.trace import explain
from alexnet_tui.report.wording import families, provenance, registered, section_title
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning

HOSTILE = '<script>alert(1)</script>|$\\x_{1}&"'


@pytest.fixture(scope="module")
def clear() -> Report:
    return build_planned(study(shift=CLEAR), title="clear")


def build_planned(histories: Sequence[RunHistory], **options: Any) -> Report:
    """The report on a registered study."""
    return build(histories, planned=[planned(histories)], **options)


def test_rows_hold_our_numbers_beside_the_report_s(clear: Report) -> None:
    rows = {row.group: row for row in clear.sections[0].rows}
    assert list(rows) == ["baseline", "low-dropout", "tanh", "four-conv"]
    baseline = rows["baseline"]
    assert baseline.num_runs == 5
    assert baseline.cells["final_test"].ours.mean == pytest.approx(0.6)
    assert baseline.cells["final_test"].ours.sd == pytest.approx(0.001 * (10 / 4) ** 0.5)
    assert baseline.cells["max_test"].published == "59.33"
    assert baseline.cells["max_test"].place == "4.1.1, table and text"
    assert baseline.cells["t25"].ours.mean == pytest.approx(6.0, rel=1e-3)
    assert baseline.cells["time"].ours.mean == 50.0
    assert baseline.time_ratio is None, "20 epochs are not the report's 100"
    assert {run.run_id for run in baseline.cells["gap"].ours.runs} == {f"baseline-literal32-s{i}" for i in range(5)}


@pytest.mark.parametrize("changed", [{"epochs": 99}, {"num_train_images": 45_000}, {"num_test_images": 5_000}])
def test_times_are_compared_only_over_the_same_work(changed: dict[str, object]) -> None:
    def ratio(**changed: object) -> float | None:
        work = {"num_train_images": 50_000, "num_test_images": 10_000, **changed}
        section = build([make_history(epochs="100", change_started=work)]).sections[0]
        return next(row for row in section.rows if row.group == "baseline").time_ratio

    assert ratio() == pytest.approx(12_153 / 250)
    assert ratio(**changed) is None


def test_front_ends_get_a_section_each_and_verdicts_of_their_own() -> None:
    other = study(shift={"four-conv": {"final": 0.7, "gap": 0.2}}, front_end="same32")
    mine = study(shift=CLEAR)
    built = build([*other, *mine], planned=[planned(mine)])
    assert [section.front_ends for section in built.sections] == [("literal32",), ("same32",)]
    assert [section.claims[2].headline for section in built.sections] == ["supported", "exploratory"]
    assert built.num_families == 2
    assert "2 families of tests" in families(built)
    assert built.claims == built.sections[0].claims
    assert all(section.provenance.states == {"finished": 20} for section in built.sections)


def test_mixed_devices_stay_in_one_section_and_say_so() -> None:
    histories = [*study(shift=CLEAR), make_history("tanh", 7, final=0.58, change_started={"device_class": "GPU"})]
    built = build(histories)
    assert len(built.sections) == 1
    assert built.claims[1].headline == "exploratory"
    assert "cpu (10 runs), GPU (1 run)" in built.claims[1].reasons[0]
    assert built.sections[0].provenance.conditions["device class"] == {"cpu": 20, "GPU": 1}


def test_provenance_counts_every_run_and_says_why_one_does_not_count() -> None:
    later = make_history("baseline", 0, created=1.8e9, run_id="later")
    broken = make_history("tanh", 8, end=diverged(), run_id="broken")
    odd = make_history("baseline", 3, dropout="0.25", run_id="odd")
    found = build([*study(), later, broken, odd]).sections[0].provenance
    assert found.states == {"finished": 22, "diverged": 1}
    assert {one.run_id for one in found.excluded} == {"later", "odd"}
    assert [(one.run_id, one.reason) for one in found.unfinished] == [("broken", "diverged")]
    assert found.total_seconds == pytest.approx(23 * 50)


def test_conditions_are_those_of_the_runs_that_numbers_rest_on() -> None:
    elsewhere: dict[str, object] = {
        "device_class": "GPU",
        "fingerprint": "gpu/1",
        "versions": {"torch": "1"},
        "data_sha256": "cd" * 32,
    }
    broken = make_history("tanh", 8, end=diverged(), change_started=elsewhere)
    odd = make_history("baseline", 9, dropout="0.25", change_started=elsewhere)
    beside = make_history("tanh", 7, dropout="0", weight_decay="0", change_started=elsewhere)
    found = build([*study(1), broken, odd, beside]).sections[0].provenance
    assert found.conditions["device class"] == {"cpu": 4}
    assert found.hosts == ("cpu/fake/2",)
    assert "torch 1" not in found.versions
    assert found.data == (f"cifar10 sha256 {'ab' * 32}",)
    assert found.seeds == (0,)
    assert sum(found.states.values()) == 7
    assert build([beside]).sections[0].provenance.seeds == (7,)


def test_time_beside_claim_2_is_counted_once() -> None:
    beside = make_history("tanh", 7, dropout="0", weight_decay="0")
    built = build([make_history(), make_history(learning_rate="0.03"), beside])
    assert [section.provenance.total_seconds for section in built.sections] == [100, 50]
    assert [section.provenance.beside for section in built.sections] == [1, 0]


def test_provenance_counts_in_words_what_began_and_each_state() -> None:
    def runs_line(*histories: RunHistory) -> str:
        return dict(provenance(build(histories).sections[0].provenance))["Runs"]

    broken = [make_history("tanh", seed, end=diverged()) for seed in range(2)]
    queued = RunHistory(RunRecord(id="queued", created=1.0, config=broken[0].record.config))
    assert runs_line(*study(1)) == "4 started, 4 finished"
    assert runs_line(make_history(), *broken) == "3 started, 1 finished, 2 diverged"
    assert runs_line(make_history(), queued) == "1 started, 1 finished, 1 queued"
    assert runs_line(broken[0]) == "1 started, 0 finished, 1 diverged"


def test_provenance_names_the_day_or_the_days_on_which_runs_were_made() -> None:
    day = 86400.0
    for last, words in ((day + 1, "1970-01-02"), (2 * day, "1970-01-02 to 1970-01-03")):
        runs = [make_history(seed=seed, created=created) for seed, created in enumerate((day, last))]
        assert dict(provenance(build(runs).sections[0].provenance))["Made"] == words


@pytest.mark.parametrize(
    ("bit_exact", "words"),
    [
        ((True,), "1 run, 0 of them not bit for bit"),
        ((True, False), "2 runs, 1 of them not bit for bit"),
    ],
)
def test_provenance_tells_how_many_runs_were_resumed(bit_exact: tuple[bool, ...], words: str) -> None:
    runs = [make_history(seed=seed) for seed in range(3)]
    for run, is_exact in zip(runs, bit_exact, strict=False):
        run.attempts, run.bit_exact = 2, is_exact
    assert dict(provenance(build(runs).sections[0].provenance))["Resumed"] == words


def test_a_schedule_that_follows_the_test_error_is_told() -> None:
    def notes(**fields: str) -> str:
        return " ".join(build([make_history(**fields)]).sections[0].notes)  # type: ignore[arg-type]

    assert "plateau" not in notes()
    assert "The plateau schedule lowered the learning rate by the error on the test set" in notes(schedule="plateau")
    assert "plateau" not in notes(schedule="plateau", split="holdout")


def test_curves_are_means_over_seeds_of_every_epoch(clear: Report) -> None:
    curve = next(c for c in clear.sections[0].curves if (c.group, c.column) == ("tanh", "test_accuracy"))
    assert curve.epochs == tuple(range(1, 21))
    assert curve.means[-1] == pytest.approx(0.58)
    assert curve.sds[-1] == pytest.approx(0.001 * (10 / 4) ** 0.5)


def test_convergence_and_overfitting_by_their_definitions() -> None:
    run = make_history()
    column = run.epochs.columns["test_accuracy"]
    column[:] = type(column)("d", [index / 40 for index in range(20)])
    assert METRICS["converged"].value(run) is None  # Still climbing at the end: neither an epoch nor a bound.
    assert METRICS["converged"].limit(run) is None
    # Up to a plateau at epoch 8 and slowly down: smoothed, epoch 8 is 0.6 - 0.0063 and epoch 7 is 0.6 - 0.016.
    column[:] = type(column)("d", [0.6 - 0.01 * max(0, 8 - e) - 0.001 * max(0, e - 8) for e in range(1, 21)])
    assert METRICS["converged"].value(run) == 8
    assert METRICS["overfits"].value(run) == 9


def test_losses_that_add_up_to_more_than_a_float_are_no_end_of_overfitting() -> None:
    run = make_history()
    run.epochs.columns["test_loss"] = array("d", [1.7e308] * 20)
    assert METRICS["overfits"].value(run) is None


def test_smoothing_shortens_the_window_at_the_edges() -> None:
    assert smoothed([1, 2, 3, 4, 5, 6]) == pytest.approx([2, 2.5, 3, 4, 4.5, 5])


@pytest.mark.parametrize(
    ("values", "num_not_reached", "metric", "text"),
    [
        ([0.61, 0.62], 0, "final_test", "61.50 ±0.71"),
        ([0.61], 0, "final_test", "61.00"),
        ([40.0, 42.0], 0, "t25", "41.0 ±1.4"),
        ([40.0, None], 1, "t25", "40.0 (1 of 2)"),
        ([None, None], 2, "t25", "not reached"),
        ([None], 0, "t25", "–"),
        ([12_153.0], 0, "time", "03:22:33"),
        ([], 0, "time", "–"),
    ],
)
def test_cells_in_words(values: list[float | None], num_not_reached: int, metric: str, text: str) -> None:
    runs = [RunValue(f"run{seed}", seed, value) for seed, value in enumerate(values)]
    found = make_sample(runs, num_not_reached=num_not_reached)
    assert sample_text(found, METRICS[metric]) == text


def test_markdown_uses_the_challenge_s_headings_and_warns_of_selection(clear: Report) -> None:
    text = to_markdown(clear)
    for heading in (
        "## Reproducibility Summary",
        "### Scope of Reproducibility",
        "### Methodology",
        "### Results",
        "### What was easy",
        "### What was difficult",
        "### Communication with original authors",
        "## Results reproducing original paper",
    ):
        assert f"\n{heading}\n" in text
    assert "| Original model | study | 95.76 | 59.33 | 48 |" in text
    assert "| 03:22:33 | 1x |" in text
    assert "| Original model | ours, n=5 |" in text
    assert "| Parameters, two groups, 1000 classes | 60,965,224 | from section 3.5 |" in text
    assert "| ILSVRC-2010 test, top-1 error | 37.5% | Table 1 |" in text
    assert "selected on test" in text
    assert text.count("**Supported.**") == 3
    assert "925 s, ratio 1.18" in text


def test_json_carries_three_claims_with_everything_behind_them(clear: Report) -> None:
    data = json.loads(msgspec.json.encode(clear))
    assert [claim["verdict"] for claim in data["claims"]] == ["supported"] * 3
    second = data["claims"][1]
    assert [seen["seed"] for seen in second["larger"]["runs"]] == [0, 1, 2, 3, 4]
    assert second["effect"]["p"] == pytest.approx(1 / 252)
    assert second["claim"]["smallest_effect"] == 1.1
    assert len(data["contradictions"]) == 24
    assert data["sections"][0]["rows"][0]["cells"]["max_test"]["published"] == "59.33"


def test_the_study_s_contradictions_are_told_only_beside_its_own_claims(clear: Report) -> None:
    assert "## Contradictions" in to_markdown(clear)
    other = build([], planned=[planned(study(), claims=load_claims("paper2012"))])
    assert other.claims
    assert other.contradictions == ()
    assert "## Contradictions" not in to_markdown(other)
    assert ["see below" in to_markdown(one) for one in (clear, other)] == [True, False]
    assert "contradicts itself" not in to_html(other)


def test_explain_names_every_run_behind_a_verdict_with_its_value(clear: Report) -> None:
    text = "\n".join(explain(clear))
    for verdict in clear.claims:
        for sample in (verdict.larger, verdict.smaller):
            for seen in sample.runs:
                value = seen.value if verdict.unit == "ratio" else 100 * (seen.value or 0.0)
                assert f"{seen.run_id} (seed {seen.seed}): {value:.4f}" in text
    assert "252 splits" in text
    assert "Original model, Test max *, study: 59.33 (section 4.1.1, table and text)" in text


def test_explain_writes_values_in_the_unit_of_their_metric() -> None:
    fields = {"group": {"activation": "tanh"}, "reference": {"activation": "relu"}, "direction": "higher"}
    claims = [
        Claim(name=name, statement="so", metric=metric, unit="ratio", smallest_effect=1.1, **fields)  # type: ignore[arg-type]
        for name, metric in (("epochs", "t25"), ("seconds", "t25_seconds"), ("rate", "rate"))
    ]
    text = "\n".join(explain(build([], planned=[planned(study(shift=CLEAR), claims=claims)])))
    found = re.findall(r"baseline-literal32-s2 \(seed 2\): [\d.]+ (\S+)", text)
    assert sorted(set(found)) == ["epochs", "images/s", "seconds"]


class Page(html.parser.HTMLParser):
    """Counts what opens and closes, and collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "path", "line", "rect", "circle", "polyline", "polygon"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag in self.open:
            raise AssertionError(f"</{tag}> inside <{self.open[-1]}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_html_is_whole_self_contained_and_charted(clear: Report) -> None:
    text = to_html(clear)
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.addresses == []
    assert page.tags.count("svg") == 3 + 1 + 4  # A card each, all together, one each experiment.
    assert page.tags.count("article") == 3
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_charts_mark_what_the_report_says_where_our_epochs_reach() -> None:
    text = to_html(build(study(1, epochs="100")))
    assert text.count("study (single run)") == 1 + 4  # The common chart, and one each experiment.
    for mark in ("study: max training 85.62%", "study: max 61.02% at 81", "study: 25% training error"):
        assert mark in text
    assert len(re.findall(r'class="mark m[0-3]"', text)) == 4
    common = next(svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if "all experiments</title>" in svg)
    # Epoch 48 of 100 between x = 40 and 830; 59.33% of 70% between y = 300 and 14; the path begins 6 px above.
    x, y = 40 + 790 * 0.48, 300 - 286 * 0.5933 / 0.7
    assert f'<path class="mark m0" d="M{x:.1f} {y - 6:.1f}' in common
    short = to_html(build(study(1)))
    assert "study: max 61.02% at 81" not in short
    assert not re.findall(r'class="mark m[0-3]"', short)


def test_foreign_text_is_escaped_in_every_format() -> None:
    built = build(study(), title=HOSTILE, problems=[HOSTILE])
    page = Page()
    page.feed(to_html(built))
    assert "script" not in page.tags
    assert "\\<script\\>" in to_markdown(built)
    assert escape_markdown("a|b\n# c") == "a\\|b \\# c"
    assert escape_markdown("[a](b) <i> *x*\x1b") == r"\[a\](b) \<i\> \*x\*\\x1b"
    assert escape_latex("50% & {x}_\\") == r"50\% \& \{x\}\_\textbackslash{}"
    assert escape_latex("50% & x_1 \\ $") == r"50\% \& x\_1 \textbackslash{} \$"


def test_latex_balances_and_marks_the_best_of_ours(clear: Report) -> None:
    text = to_latex(clear)
    assert text.count(r"\begin{") == text.count(r"\end{") == 5
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    line = next(line for line in text.splitlines() if line.startswith("Original model & ours"))
    assert r"\textbf{60.00" in line
    assert r"supported & +3.00 points" in text


def test_a_report_without_runs_says_what_to_do() -> None:
    built = build([])
    assert [claim.headline for claim in built.claims] == ["exploratory"] * 3
    assert "study reproduce" in built.sections[0].notes[0]
    assert "No run has finished yet" in to_markdown(built)
    for text in (to_html(built), to_markdown(built), to_latex(built), "\n".join(explain(built))):
        assert text


@pytest.mark.parametrize("last", [1, 2, 3, 7, 20, 99, 100, 137, 100_000])
def test_ticks_are_whole_and_different(last: int) -> None:
    ticks = report_svg.whole_ticks(last)
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 8
    assert ticks[-1] <= last


def fill(store: Store, *, seeds: int = 1, study_name: str = "", **fields: str) -> None:
    for variant in ("baseline", "tanh"):
        for seed in range(seeds):
            config = RunConfig.from_text({"variant": variant, "seed": str(seed), "epochs": "6", **fields})
            write_run(store, config, study=study_name)


def test_gather_prefers_own_finished_runs_to_the_reference_runs(store: Store) -> None:
    fill(Store(store.root / "reference"))
    assert select_runs(store).title == "the reference runs"
    write_run(store, RunConfig(epochs=6, seed=9), epochs_done=2)
    assert len(select_runs(store).histories) == 2  # An unfinished run of one's own is nothing to report yet.
    write_run(store, RunConfig(epochs=6, seed=8))
    assert select_runs(store).title == "all runs"
    assert len(select_runs(store).histories) == 2
    assert len(select_runs(store, ["reference"]).histories) == 2


def test_gather_takes_studies_and_runs_by_name(store: Store) -> None:
    fill(store, study_name="mine")
    fill(store)
    mine = select_runs(store, ["mine"])
    assert {history.record.study for history in mine.histories} == {"mine"}
    assert len(mine.histories) == 2
    run_id = store.ids()[0]
    assert [history.id for history in select_runs(store, [run_id]).histories] == [run_id]
    with pytest.raises(RunNotFoundError, match="no study and no run 'nothing'"):
        select_runs(store, ["nothing"])


def test_what_is_inconclusive_comes_with_the_command_that_plans_enough_seeds(clear: Report) -> None:
    four = {"gap": 0.25, "t25": 6.0, "final": 0.595}
    (section,) = build_planned(study(spread=0.005, shift={**CLEAR, "four-conv": four})).sections
    assert section.registration is not None
    needed = max(one.seeds_needed or 0 for one in section.claims)
    assert needed > section.registration.num_seeds
    command = f"`alexnet-tui study extend {section.registration.study} --seeds {needed}`"
    assert command in registered(section)
    assert "study extend" not in registered(clear.sections[0]), "each claim is decided"
    four["final"] = 0.5952
    (section,) = build_planned(study(shift={**CLEAR, "four-conv": four})).sections
    assert section.claims[2].verdict is Verdict.INCONCLUSIVE
    assert "study extend" not in registered(section), "there are seeds enough"


def test_a_planned_run_that_is_not_there_withholds_the_verdict(store: Store) -> None:
    plan = planning.plan_variants(
        store, "short", variants=["baseline", "four-conv"], seeds=range(6), overrides={"epochs": "6"}
    )
    for config in plan.configs[:-1]:
        write_run(store, config, study="short", plan_sha256=plan.sha256, final=0.5 + 0.001 * config.seed)
    built = build_selection(select_runs(store, ["short"]))
    assert built.claims[2].headline == "not assessed"
    reason = "'Four convolutional layers': 5 of the 6 planned runs count (not begun: seed 5)."
    assert reason in built.claims[2].reasons


def test_an_unreadable_run_is_told_and_left_out(store: Store) -> None:
    fill(store)
    (store.path(store.ids()[0]) / "run.json").write_text("{")
    found = select_runs(store)
    assert len(found.histories) == 1
    assert "cannot be read" in found.problems[0]


def test_forty_runs_of_a_hundred_epochs_take_less_than_a_second(store: Store) -> None:
    first = store.path(write_run(store, RunConfig()).id) / "events.jsonl"
    for variant in ("baseline", "low-dropout", "tanh", "four-conv"):
        for front_end in ("literal32", "same32"):
            for seed in range(1, 6):
                config = RunConfig.from_text({"variant": variant, "front_end": front_end, "seed": str(seed)})
                shutil.copy(first, store.path(store.create(config).id))
    begin = time.process_time()
    found = select_runs(store)
    text = to_html(build(found.histories, found.states))
    assert time.process_time() - begin < 1.0
    assert len(found.histories) == 41
    assert text.count("<article") == 6


def test_what_could_not_be_read_stands_in_every_format() -> None:
    built = build(study(), problems=["run x: its record cannot be read."])
    screen = io.StringIO()
    print_report(Console(file=screen, width=100), built)
    texts = {str(form): render(built, form) for form in Format}
    texts |= {"terminal": screen.getvalue(), "explain": "\n".join(explain(built))}
    assert [form for form, text in texts.items() if "run x: its record cannot be read." not in text] == []


def test_the_scope_names_the_claims_that_are_judged() -> None:
    def scope(built: Report) -> list[str]:
        text = to_markdown(built)
        return text[text.index("### Scope") : text.index("### Methodology")].split("\n\n")[1:-1]

    theirs = "- Claim 1: Adding dropout helps reducing over-fitting.\n- Claim 2: ReLU provides faster convergence"
    of_the_study = "The claims of the study, each made there from single runs, tested over seeds with fixed rules:"
    mine = [of_the_study, *scope(build_planned(study()))[1:]]
    assert scope(build_planned(study())) == mine
    assert mine[1].startswith(theirs)
    own = planned(study(), claims=[own_claim()])
    registered_as = "The claims registered as mine, tested over seeds with fixed rules:"
    judged_alone = [registered_as, "- Claim 1: Weight decay lowers the training error."]
    assert scope(build([], planned=[own])) == judged_alone
    assert scope(build(study(front_end="same32"), planned=[own])) == [*judged_alone, *mine]
    assert scope(build(study(front_end="same32"), planned=[planned(study())])) == mine, "each set of claims once"


def test_a_registered_study_in_the_cell_of_the_sweep_is_judged_and_shows_its_settings() -> None:
    cell = {"dropout": "0", "weight_decay": "0"}
    runs = [make_history(one, seed, **cell) for one in ("baseline", "tanh") for seed in range(5)]  # type: ignore[arg-type]
    groups = {"baseline": {}, "tanh": {"activation": "tanh"}}
    overrides = {"epochs": "20", "data": "cifar10", **cell}
    (section,) = build([], planned=[planned(runs, groups=groups, overrides=overrides)]).sections
    assert not any("decide none" in note for note in section.notes)
    assert (section.settings["dropout"], section.settings["weight_decay"]) == ("0", "0")
    assert section_title(section).endswith("split paper, dropout 0, weight decay 0")
    (beside,) = build(runs).sections
    assert beside.notes[0].startswith("These runs stand beside claim 2 and decide none")
    assert section_title(beside) == "Front end literal32 on cifar10, 20 epochs, split paper"


def test_a_section_whose_groups_differ_in_length_or_front_end_says_both() -> None:
    kinds = {"short": {}, "long": {"epochs": "100"}, "same": {"front_end": "same32"}, "part": {"train_images": "500"}}
    runs = [make_history(seed=seed, run_id=f"{name}{seed}", **of) for name, of in kinds.items() for seed in range(2)]  # type: ignore[arg-type]
    groups = {
        "baseline": {},
        "long": {"epochs": 100},
        "same": {"front_end": "same32"},
        "part": {"train_images": 500},
    }
    (section,) = build([], planned=[planned(runs, groups=groups, claims=[own_claim()])]).sections
    assert section.front_ends == ("literal32", "same32")
    assert section.epochs == (20, 100)
    assert section_title(section) == (
        "Study mine: Front ends literal32 and same32 on cifar10, 20 and 100 epochs, split paper"
    )
    assert section.notes[:2] == (
        "These runs have 20 and 100 epochs; the study's have 100.",
        "Training uses all and 500 training images, where the study used all; like the study's, accuracy is measured on"
        " the test set.",
    )
