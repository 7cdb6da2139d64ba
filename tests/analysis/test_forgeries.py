"""Forged records and honest mistakes: none ends as "supported", and each is named. Honest users get their verdict."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_histories import CLEAR, EPOCHS, TRAIN_IMAGES, make_history

from alexnet_tui.analysis.copies import check_together
from alexnet_tui.analysis.integrity import Result
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import load_claims
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.report.build import build_selection
from alexnet_tui.report.content import Report, Section
from alexnet_tui.runs.history import EPOCH_COLUMNS
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, deletion, ledger, planning, study_files
from alexnet_tui.studies.ledger import Entry
from alexnet_tui.studies.plan import LEDGER_SINCE, PLAN_VERSION, Plan, load_plan, plan_hash

Event = dict[str, Any]
OVERRIDES = {"epochs": str(EPOCHS), "data": "cifar10"}


def events_of(config: RunConfig, wall: float) -> list[Event]:
    """The events of a run under which all three claims hold, clearly and with some spread."""
    values = CLEAR[config.variant]
    wobble = 0.001 * ((config.seed * 7) % 5 - 2)
    fields: dict[str, Any] = {name: text for name, text in config.to_text().items() if name not in ("variant", "seed")}
    run = make_history(
        config.variant,
        config.seed,
        final=values["final"] + wobble,
        gap=values["gap"] + wobble,
        t25=values["t25"] * (1 + 5 * wobble),
        **fields,
    )
    events = [msgspec.to_builtins(run.segments[0])]
    for row in range(len(run.epochs)):
        numbers = {name: run.epochs[name][row] for name in EPOCH_COLUMNS}
        event = {name: value for name, value in numbers.items() if math.isfinite(value)}
        events.append({"kind": "epoch", **event, "epoch": row + 1, "step": int(event["step"])})
    steps, seconds = events[-1]["step"], run.epochs["train_seconds"][-1]
    end = {"kind": "finished", "epoch": len(run.epochs), "step": steps}
    events.append({**end, "train_seconds": seconds, "elapsed_seconds": 1.25 * seconds})
    return [
        {**event, "v": 1, "seq": number, "attempt": 1, "t": float(number), "wall": wall + number}
        for number, event in enumerate(events)
    ]


def read(store: Store, run_id: str) -> list[Event]:
    return [json.loads(line) for line in (store.path(run_id) / EVENTS_FILE).read_text().splitlines()]


def write(store: Store, run_id: str, events: list[Event]) -> None:
    (store.path(run_id) / EVENTS_FILE).write_text("".join(f"{json.dumps(event)}\n" for event in events))


def edit(store: Store, run_id: str, change: Callable[[Event], None]) -> None:
    events = read(store, run_id)
    for event in events:
        change(event)
    write(store, run_id, events)


def edit_record(store: Store, run_id: str, **changes: Any) -> None:
    path = store.path(run_id) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def add(store: Store, config: RunConfig, plan: Plan | None = None, name: str = "") -> str:
    """A finished run, of a plan or only with its name."""
    sha256 = plan.sha256 if plan else ""
    record = store.create(config, study=plan.name if plan else name, plan_sha256=sha256)
    write(store, record.id, events_of(config, record.created))
    return record.id


def configs(seeds: int = 5) -> Iterator[RunConfig]:
    for seed in range(seeds):
        for variant in CLEAR:
            yield RunConfig.from_text({**OVERRIDES, "variant": variant, "seed": str(seed)})


@contextmanager
def unseen(store: Store) -> Iterator[None]:
    """The runs that are there now are elsewhere meanwhile, as before an import."""
    away = store.root.with_name("away")
    store.root.rename(away)
    yield
    for folder in away.iterdir():
        folder.rename(store.root / folder.name)


def plan_mine(store: Store) -> Plan:
    return planning.plan_variants(store, "mine", variants=tuple(CLEAR), seeds=range(5), overrides=OVERRIDES)


def hand_made(store: Store, seeds: int = 5, name: str = "") -> None:
    for config in configs(seeds):
        add(store, config, name=name)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registered study of five seeds whose three claims hold; its ledger knows nothing of the runs yet."""
    store = Store(tmp_path_factory.mktemp("honest") / "runs")
    plan = plan_mine(store)
    for config in plan.configs:
        add(store, config, plan)
    return store.root


@pytest.fixture
def honest(template: Path, store: Store) -> Store:
    shutil.copytree(template, store.root)
    return store


def report(store: Store, *names: str) -> Report:
    return build_selection(select_runs(store, names or ("mine",)))


def section(store: Store, *names: str) -> Section:
    return report(store, *names).sections[0]


def verdicts(store: Store, *names: str) -> list[Verdict]:
    return [claim.verdict for claim in section(store, *names).claims]


def ids(store: Store, *variants: str) -> list[str]:
    """Runs of the plan, by seed."""
    runs = [record for record in store.list().runs if not variants or record.config.variant in variants]
    return [record.id for record in sorted(runs, key=lambda record: record.config.seed)]


def told(found: Section) -> str:
    """Everything a reader is told beside the numbers."""
    claims = (one for claim in found.claims for one in (*claim.reasons, *claim.remarks))
    return "\n".join([*claims, *(f"{one.run_id}: {one.reason}" for one in found.provenance.excluded)])


def test_an_honest_study_supports_its_claims(honest: Store) -> None:
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3
    assert section(honest).registration is not None
    assert section(honest).provenance.excluded == ()


# ------------------------------------------------------------------ forged


def take(store: Store, run_id: str, other: str) -> None:
    """Give a run what another one came to; its start stays its own."""
    write(store, run_id, [read(store, run_id)[0], *read(store, other)[1:]])


def copies(store: Store, variant: str, change: Callable[[Event], None]) -> None:
    first, *others = ids(store, variant)
    for run_id in others:
        take(store, run_id, first)
        edit(store, run_id, change)


def shifted(column: str, amount: float, every: int = 1) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        if column in event and event["epoch"] % every == 0:
            event[column] = round(event[column] + amount, 6)

    return change


def equal_curves(store: Store) -> None:
    for variant in CLEAR:
        copies(store, variant, lambda event: None)


def equal_curves_shifted_by_two_points(store: Store) -> None:
    equal_curves(store)
    for number, run_id in enumerate(ids(store, "four-conv")):
        edit(store, run_id, shifted("test_accuracy", -0.02 - 0.0001 * number))


def copies_with_their_losses_shifted(store: Store) -> None:
    for number, run_id in enumerate(ids(store, "baseline")[1:], start=1):
        take(store, run_id, ids(store, "baseline")[0])
        edit(store, run_id, shifted("test_loss", 0.001 * number))
        edit(store, run_id, shifted("train_loss", 0.001 * number))


def another_group_with_other_accuracies(store: Store) -> None:
    for run_id, other in zip(ids(store, "four-conv"), ids(store, "baseline"), strict=True):
        take(store, run_id, other)
        edit(store, run_id, shifted("test_accuracy", -0.03))


def setting(kind: str, **changes: Any) -> Callable[[Event], None]:
    """A change of every event of a kind."""
    return lambda event: event.update(changes) if event["kind"] == kind else None


def started(store: Store, variant: str, **changes: Any) -> None:
    for run_id in ids(store, variant):
        edit(store, run_id, setting("started", **changes))


def twice_the_steps(store: Store) -> None:
    started(store, "four-conv", steps_per_epoch=782, total_steps=782 * EPOCHS)


def epochs_that_end_elsewhere(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, lambda event: event.update(step=2 * event["step"]) if "step" in event else None)


def an_epoch_told_twice(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, lambda event: event.update(epoch=7) if event.get("epoch") == 8 else None)


def five_layers_in_the_four_layer_network(store: Store) -> None:
    started(store, "four-conv", num_parameters=21_622_154)


def accuracies_that_no_image_count_gives(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, shifted("test_accuracy", -0.00003, every=3))


def precision_that_run_json_denies(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        config = json.loads((store.path(run_id) / "run.json").read_text())["config"]
        edit_record(store, run_id, config={**config, "precision": "bf16"})


def another_torch(store: Store) -> None:
    started(store, "four-conv", versions={"torch": "1.7.0"}, fingerprint="old", threads=64)


def another_arithmetic(store: Store) -> None:
    started(store, "four-conv", arithmetic=2)


def another_device(store: Store) -> None:
    started(store, "four-conv", device="cuda:0", device_class="NVIDIA H100")


def two_dirty_trees_without_an_arithmetic(store: Store) -> None:
    for number, variant in enumerate(CLEAR):
        started(store, variant, commit=f"c0ffee{number % 2}+", arithmetic=0)


def two_dirty_trees(store: Store) -> None:
    for number, variant in enumerate(CLEAR):
        started(store, variant, commit=f"c0ffee{number % 2}+")


def two_commits_without_an_arithmetic(store: Store) -> None:
    for number, variant in enumerate(CLEAR):
        started(store, variant, commit=f"c0ffee{number % 2}", arithmetic=0)


def diverged_before_they_finished(store: Store) -> None:
    plan = load_plan(store, "mine")
    for run_id in ids(store, "baseline"):
        for _ in range(4):
            record = store.create(store.record(run_id).config, study="mine", plan_sha256=plan.sha256)
            events = read(store, run_id)[:4]
            end = {**events[-1], "kind": "failed", "reason": "diverged", "message": "so", "seq": 4, "epoch": 3}
            write(store, record.id, [*events, end])


def repeated_until_it_pleases(store: Store) -> None:
    """A second run of each cell on another machine, with better numbers; the first one deleted."""
    plan = load_plan(store, "mine")
    bookkeeping.update(store, plan)
    for run_id in ids(store, "four-conv"):
        again = add(store, store.record(run_id).config, plan)
        edit(store, again, setting("started", fingerprint="x"))
        bookkeeping.update(store, plan)
        deletion.delete_run(store, run_id)


def an_unwanted_run_deleted(store: Store) -> None:
    bookkeeping.update(store, load_plan(store, "mine"))
    deletion.delete_run(store, ids(store, "four-conv")[-1])


def a_folder_removed_by_hand(store: Store) -> None:
    bookkeeping.update(store, load_plan(store, "mine"))
    shutil.rmtree(store.path(ids(store, "four-conv")[-1]))


def the_ledger_removed(store: Store) -> None:
    shutil.rmtree(store.root / "studies" / "mine")


def events_edited_after_the_end(store: Store) -> None:
    bookkeeping.update(store, load_plan(store, "mine"))
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, shifted("test_accuracy", -0.01))


def plan_edited(**changes: Any) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        path = store.root / "studies" / "mine.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def plan_edited_with_its_hash(store: Store) -> None:
    path = store.root / "studies" / "mine.json"
    content = {**json.loads(path.read_text()), "alpha": 0.2}
    content["sha256"] = plan_hash(content)
    path.write_text(json.dumps(content))
    for run_id in ids(store):
        edit_record(store, run_id, plan_sha256=content["sha256"])


def another_plan(version: int, **changes: Any) -> Callable[[Store], None]:
    """Another plan in place of the registered one, whose ledger is made anew or, of an old version, left as it is."""

    def change(store: Store) -> None:
        path = store.root / "studies" / "mine.json"
        content = {**json.loads(path.read_text()), **changes, "v": version}
        content["sha256"] = plan_hash(content)
        path.write_text(json.dumps(content))
        for run_id in ids(store):
            edit_record(store, run_id, plan_sha256=content["sha256"])
        if version >= LEDGER_SINCE:
            folder = study_files.make_folder(store, "mine")
            (folder / "ledger.jsonl").unlink()
            ledger.append(folder, Entry(kind="registered", plan_sha256=content["sha256"]))

    return change


def made_before_the_plan(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit_record(store, run_id, created=1.0)


def trained_before_the_plan(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, lambda event: event.update(wall=100.0 + event["seq"]))


def few_test_images(store: Store) -> None:
    def change(event: Event) -> None:
        if "test_accuracy" in event:
            event["test_accuracy"] = round(event["test_accuracy"] * 500) / 500

    for variant in CLEAR:
        started(store, variant, num_test_images=500)
    for run_id in ids(store):
        edit(store, run_id, change)


def an_untrained_baseline(store: Store) -> None:
    for run_id in ids(store, "baseline"):
        edit(store, run_id, setting("epoch", test_accuracy=0.1))


def throughput_of_another_batch(store: Store) -> None:
    for run_id in ids(store, "four-conv"):
        edit(store, run_id, setting("epoch", images_per_second=99.0))


FORGERIES: dict[Callable[[Store], None], str] = {
    equal_curves: "its losses are those of",
    equal_curves_shifted_by_two_points: "its losses are those of",
    copies_with_their_losses_shifted: "its losses are those of",
    another_group_with_other_accuracies: "its losses are those of",
    twice_the_steps: "make 391 of 7,820",
    epochs_that_end_elsewhere: "epoch 1 ends at update 782, not at 391",
    an_epoch_told_twice: "should",
    five_layers_in_the_four_layer_network: "this architecture has 20,294,666",
    accuracies_that_no_image_count_gives: "is no whole number of 10,000",
    precision_that_run_json_denies: "the plan has no such run",
    another_torch: "differ in torch",
    another_arithmetic: "differ in arithmetic",
    another_device: "differ in device class",
    two_dirty_trees_without_an_arithmetic: "a program with uncommitted changes (c0ffee",
    two_dirty_trees: "a program with uncommitted changes (c0ffee",
    two_commits_without_an_arithmetic: "the code is not one commit",
    diverged_before_they_finished: "one diverged where the other went on",
    repeated_until_it_pleases: "deleted",
    an_unwanted_run_deleted: "1 run of this plan was deleted",
    a_folder_removed_by_hand: "found missing",
    the_ledger_removed: "does not name this plan",
    events_edited_after_the_end: "its events were changed after it had finished",
    plan_edited(alpha=0.2): "it was changed after it was written",
    plan_edited(seeds=[0, 1, 2, 3, 4], claims=[]): "exploratory",
    plan_edited_with_its_hash: "does not name this plan",
    another_plan(PLAN_VERSION, alpha=0.2): "asks for an alpha of 0.2; by the rules it is 0.05",
    another_plan(2, label="another"): "does not name this plan",
    made_before_the_plan: "made before its plan was registered",
    trained_before_the_plan: "made before its plan was registered",
    few_test_images: "500 test images are fewer than 1,000",
    an_untrained_baseline: "learned nothing",
    throughput_of_another_batch: "times their images over their seconds",
}
"""What is done to an honest study, and what a reader is told of it."""


@pytest.mark.slow
def test_no_forged_study_supports_the_claim_it_was_forged_for(template: Path, tmp_path: Path) -> None:
    """Claim 3 for most; a copied baseline concerns all."""
    for number, (forge, words) in enumerate(FORGERIES.items()):
        store = Store(tmp_path / str(number))
        shutil.copytree(template, store.root)
        forge(store)
        name = getattr(forge, "__name__", str(number))
        found = section(store)
        third = found.claims[2]
        assert third.verdict not in (Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.NEGLIGIBLE), name
        text = told(found) + third.headline
        assert words in text, f"{name}: {text}"


def test_outside_a_plan_nothing_is_more_than_exploratory(store: Store) -> None:
    """Disjoint seeds, best of many, a study's name on the runs: numbers, and no verdict."""
    hand_made(store, 8, name="mine")
    best, worst = ids(store, "baseline")[:5], ids(store, "four-conv")[3:]
    for names in ((), ("mine",), (*best, *worst), ("baseline", "four-conv")):
        built = build_selection(select_runs(store, names))
        assert {claim.verdict for one in built.sections for claim in one.claims} == {Verdict.EXPLORATORY}
        assert "study new mine" in built.sections[0].register
    assert "The two groups have different seeds." in section(store, *best, *worst).claims[2].remarks


def test_a_plan_registered_after_its_runs_counts_none_of_them(store: Store) -> None:
    hand_made(store, name="mine")
    with unseen(store):
        plan_mine(store)
    assert verdicts(store) == [Verdict.NOT_ASSESSED] * 3
    assert "not the hash of its plan" in told(section(store))


def test_runs_that_repeat_known_ones_do_not_count(honest: Store) -> None:
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3
    long_ago = load_plan(honest, "mine").created - 1000
    config = honest.record(ids(honest, "tanh")[3]).config
    known = honest.create(config).id  # Made by hand, and brought here from another folder.
    edit_record(honest, known, created=long_ago)
    write(honest, known, events_of(config, long_ago))
    assert verdicts(honest) == [Verdict.SUPPORTED, Verdict.NOT_ASSESSED, Verdict.SUPPORTED]
    assert f"run {known} of its seed was trained alike before the plan was registered" in told(section(honest))


@pytest.mark.parametrize(
    ("settings", "seconds", "counts"),
    [
        ({"schedule": "inverse-time", "rate_decay": "1e-12"}, -1000.0, False),
        ({"data": "cifar10-again"}, -1000.0, False),
        ({"schedule": "inverse-time", "rate_decay": "1e-12"}, 1000.0, True),
        ({"seed": "9"}, -1000.0, True),
    ],
)
def test_settings_that_change_no_number_make_no_known_run_unknown(
    honest: Store, settings: dict[str, str], seconds: float, counts: bool
) -> None:
    """What a setting changes is seen by the loss of the first epoch, which two trainings never share by chance."""
    made = load_plan(honest, "mine").created + seconds
    planned = honest.record(ids(honest, "tanh")[3]).config
    known = honest.create(RunConfig.from_text({**planned.to_text(), **settings})).id
    edit_record(honest, known, created=made)
    write(honest, known, events_of(planned, made))
    assert (verdicts(honest)[1] is Verdict.SUPPORTED) is counts
    assert (f"run {known} of its seed was trained alike" in told(section(honest))) is not counts


@pytest.mark.parametrize(
    ("finished", "imported", "counts"), [(-1000.0, None, False), (1000.0, None, True), (-1000.0, 5.0, True)]
)
def test_a_run_that_had_finished_before_the_plan_and_is_gone_is_known_by_its_ledger(
    honest: Store, finished: float, imported: float | None, counts: bool
) -> None:
    registered = load_plan(honest, "mine").created
    early = planning.queue_plan(honest, [honest.record(ids(honest, "tanh")[3]).config])
    folder = study_files.folder_path(honest, early.name)
    end = Entry(kind="ended", cell=0, run="gone", attempt=1, outcome="finished", wall=registered + finished)
    ledger.append(folder, end)
    if imported is not None:
        (folder / "imported.json").write_text(json.dumps({"v": 1, "imported": registered + imported}))
    assert (verdicts(honest)[1] is Verdict.SUPPORTED) is counts
    assert ("run gone of its seed was trained alike" in told(section(honest))) is not counts


def test_runs_beyond_the_plan_do_not_count(honest: Store) -> None:
    before = section(honest).claims
    plan = load_plan(honest, "mine")
    for seed in (5, 6, 7):
        for variant in CLEAR:
            config = RunConfig.from_text({**OVERRIDES, "variant": variant, "seed": str(seed)})
            add(honest, config, plan)
    after = section(honest).claims
    assert [claim.effect for claim in after] == [claim.effect for claim in before]
    assert told(section(honest)).count("the plan has no such run") == 12
    assert all("12 runs made for this plan do not count" in "".join(claim.remarks) for claim in after)


def test_an_excluded_run_is_not_called_not_begun(honest: Store) -> None:
    plan = load_plan(honest, "mine")
    config = next(one for one in plan.configs if one.variant == "tanh" and one.seed == 3)
    run_id = next(record.id for record in honest.list().runs if record.config == config)
    events = read(honest, run_id)
    events[5]["test_accuracy"] = 1 / 3
    write(honest, run_id, events)
    assert "'Tanh activation': 4 of the 5 planned runs count (excluded: seed 3); a verdict needs 5." in (
        section(honest).claims[1].reasons
    )


def test_a_run_that_was_away_and_comes_back_as_it_was_counts(honest: Store, tmp_path: Path) -> None:
    plan = load_plan(honest, "mine")
    bookkeeping.update(honest, plan)
    run_id = ids(honest, "tanh")[0]
    shutil.move(honest.path(run_id), tmp_path / "away")
    bookkeeping.update(honest, plan)
    assert bookkeeping.account(bookkeeping.read(honest, plan)).deleted == {run_id: "found missing"}
    shutil.move(tmp_path / "away", honest.root / run_id)
    for _ in range(2):  # Before the ledger has noted its return, and after.
        assert verdicts(honest) == [Verdict.SUPPORTED] * 3
        assert not any("deleted" in remark for claim in section(honest).claims for remark in claim.remarks)
        bookkeeping.update(honest, plan)
    shutil.move(honest.path(run_id), tmp_path / "away")
    bookkeeping.update(honest, plan)
    shutil.move(tmp_path / "away", honest.root / run_id)
    edit(honest, run_id, lambda event: event.update(test_loss=1.0) if event["kind"] == "epoch" else None)
    assert verdicts(honest)[1] is Verdict.NOT_ASSESSED
    assert f"{run_id}: it was made anew under the id of a run that had finished and was deleted" in told(
        section(honest)
    )


def test_a_run_that_was_away_while_it_trained_counts_once_it_finishes(honest: Store, tmp_path: Path) -> None:
    plan, run_id = load_plan(honest, "mine"), ids(honest, "tanh")[0]
    whole = read(honest, run_id)
    write(honest, run_id, whole[:4])
    bookkeeping.update(honest, plan)
    shutil.move(honest.path(run_id), tmp_path / "away")
    bookkeeping.update(honest, plan)
    shutil.move(tmp_path / "away", honest.root / run_id)
    write(honest, run_id, whole)
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3


def test_runs_that_are_equal_until_their_rates_part_are_no_copies(store: Store) -> None:
    constant, plateau = (RunConfig.from_text({**OVERRIDES, "schedule": name}) for name in ("constant", "plateau"))
    drop = EPOCHS * 3 // 4
    first = events_of(constant, 1e9)
    later = [dict(event) for event in first]
    for event in later:
        if event["kind"] == "epoch" and event["epoch"] > drop:
            lower = {name: event[name] * (1 - 0.001 * event["epoch"]) for name in ("train_loss", "test_loss")}
            event.update(lower, learning_rate=event["learning_rate"] / 10)
    for config, events in ((constant, first), (plateau, later)):
        write(store, store.create(config).id, events)
    histories = select_runs(store).histories
    assert {check.result for check in check_together(histories).values()} == {Result.PASSED}
    write(store, store.create(RunConfig.from_text({**OVERRIDES, "weight_decay": "0"})).id, first)
    checks = check_together(select_runs(store).histories).values()
    assert [check.result for check in checks] == [Result.FAILED] * 3, (
        "a copy under another setting that changes every update is one"
    )


def test_a_log_of_another_seed_or_other_settings_is_not_this_run_s(honest: Store) -> None:
    first, second = ids(honest, "baseline")[:2]
    (tanh, *_), text = ids(honest, "tanh"), {run: (honest.path(run) / EVENTS_FILE).read_text() for run in ids(honest)}
    for run, other, what in ((first, second, "seed 1"), (tanh, first, "activation relu")):
        (honest.path(run) / EVENTS_FILE).write_text(text[other])
        assert verdicts(honest)[1] is Verdict.NOT_ASSESSED
        assert f"{run}: its record does not agree with itself." in told(section(honest))
        assert f"{what} in the events" in told(section(honest))
        (honest.path(run) / EVENTS_FILE).write_text(text[run])
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3


def again(events: list[Event], from_epoch: int, *, is_equal: bool) -> list[Event]:
    """A run that is begun anew after all but its end, or goes on from an earlier epoch."""
    first = [event for event in events if event["kind"] != "finished"]
    second = [dict(event) for event in events if event["kind"] != "epoch" or event["epoch"] > from_epoch]
    step = max((event["step"] for event in first if event.get("epoch") == from_epoch), default=0)
    second.insert(1, {"kind": "resumed", "epoch": from_epoch, "step": step, "checkpoint": "", "bit_exact": True})
    for event in second:
        if event["kind"] == "epoch" and not is_equal:
            event["train_loss"] += 1e-4 * (1 + event["epoch"])
    every = [*first, *({**event, "attempt": 2} for event in second)]
    shared = {"v": 1, "t": 1.0, "wall": first[-1]["wall"]}
    return [{**shared, **event, "seq": number} for number, event in enumerate(every)]


@pytest.mark.parametrize(("from_epoch", "is_equal", "counts"), [(0, False, False), (0, True, True), (15, False, True)])
def test_a_run_is_not_begun_anew_for_other_numbers(
    honest: Store, from_epoch: int, is_equal: bool, counts: bool
) -> None:
    run = ids(honest, "tanh")[0]
    write(honest, run, again(read(honest, run), from_epoch, is_equal=is_equal))
    found = section(honest)
    assert (found.claims[1].verdict is Verdict.SUPPORTED) is counts
    assert ("were trained, given up, and trained again with other numbers" in told(found)) is not counts
    assert found.provenance.num_not_bit_exact == (not is_equal)


def test_the_end_of_a_run_is_not_trained_again_until_it_pleases(honest: Store) -> None:
    run = ids(honest, "tanh")[0]
    once = again(read(honest, run), 18, is_equal=False)
    last = [dict(event) for event in once[-5:]]
    assert [event["kind"] for event in last] == ["started", "resumed", "epoch", "epoch", "finished"]
    for event in last:
        event.update(attempt=3, **({"train_loss": event["train_loss"] / 2} if event["kind"] == "epoch" else {}))
    twice = [{**event, "seq": number} for number, event in enumerate([*once[:-1], *last])]
    for events, counts in ((once, True), (twice, False)):
        write(honest, run, events)
        assert (verdicts(honest)[1] is Verdict.SUPPORTED) is counts, told(section(honest))
    assert "epoch 19 was given up and trained again until it had come to 3 different results." in told(section(honest))


def test_another_study_of_the_same_claims_is_told(honest: Store) -> None:
    other = planning.plan_variants(honest, "other", variants=tuple(CLEAR), seeds=range(5, 10), overrides=OVERRIDES)
    assert not any("registered as other too" in remark for claim in section(honest).claims for remark in claim.remarks)
    add(honest, other.configs[0], other)
    bookkeeping.update(honest, other)
    sentence = "A claim about the same groups and metric is registered as other too, of which 1 run was started."
    assert all(sentence in claim.remarks for claim in section(honest).claims)


def test_another_study_whose_numbers_are_known_from_runs_made_by_hand_is_told(honest: Store) -> None:
    """Of several plans, written before any number was known, the one with the best seeds could be trained alone."""
    other = planning.plan_variants(honest, "other", variants=tuple(CLEAR), seeds=range(5, 10), overrides=OVERRIDES)
    for config in other.configs[:2]:
        add(honest, config)
    sentence = (
        "A claim about the same groups and metric is registered as other too, of which 2 runs are known from runs with"
        " the same settings."
    )
    assert all(sentence in claim.remarks for claim in section(honest).claims)
    add(honest, other.configs[2], other)
    bookkeeping.update(honest, other)
    both = "of which 1 run was started and 2 runs are known from runs with the same settings."
    assert all(any(both in remark for remark in claim.remarks) for claim in section(honest).claims)


def test_a_twin_with_the_same_seeds_that_was_not_begun_is_no_other_look(honest: Store) -> None:
    twin = load_plan(honest, "mine")
    content = {**msgspec.to_builtins(twin), "name": "twin", "label": "twin", "sha256": ""}
    path = honest.root / "studies" / "twin.json"
    path.write_text(json.dumps({**content, "sha256": plan_hash(content)}))
    assert not any("registered as twin too" in remark for claim in section(honest).claims for remark in claim.remarks)


@pytest.mark.parametrize(("data", "is_told"), [("cifar10", True), ("cifar100", False)])
def test_a_study_of_the_same_number_in_other_words_is_told_and_one_of_other_images_is_not(
    honest: Store, data: str, is_told: bool
) -> None:
    third = load_claims("study")[2]
    claim = msgspec.structs.replace(third, name="error", metric="test_error", direction="higher")
    other = planning.plan_claims(honest, "other", [claim], seeds=range(5, 10), overrides={**OVERRIDES, "data": data})
    add(honest, other.configs[0], other)
    bookkeeping.update(honest, other)
    told = [one for one in section(honest).claims[2].remarks if "is registered as other too" in one]
    assert len(told) == is_told


def test_an_extension_is_told_and_so_is_what_it_extends(honest: Store) -> None:
    more = planning.extend(honest, "mine", 5)
    assert not any("extended by" in remark for claim in section(honest).claims for remark in claim.remarks)
    add(honest, more.configs[0], more)
    bookkeeping.update(honest, more)
    sentence = "This study was extended by mine-2, of which 1 run was started; "
    for claim in section(honest).claims:
        assert any(remark.startswith(sentence) and "report mine-2" in remark for remark in claim.remarks)


def test_runs_that_came_later_from_elsewhere_take_no_verdict_away(honest: Store) -> None:
    plan = load_plan(honest, "mine")
    theirs = honest.create(plan.configs[0]).id
    edit_record(honest, theirs, created=plan.created - 1000)
    write(honest, theirs, events_of(plan.configs[0], plan.created - 1000))
    mark = {"v": 1, "source": "theirs.tar.gz", "imported": plan.created + 5}
    (honest.path(theirs) / "imported.json").write_text(json.dumps(mark))
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3


def test_a_run_that_paused_while_a_plan_was_registered_tells_what_it_had_done_by_then(honest: Store) -> None:
    plan = load_plan(honest, "mine")
    config = honest.record(ids(honest, "tanh")[0]).config
    early = honest.create(config).id
    for num_done, counts in ((0, True), (1, False), (15, False)):
        edit_record(honest, early, created=plan.created - 1000)
        events = events_of(config, plan.created - 1000)
        for event in events:
            event["wall"] = plan.created + (-900 if event.get("epoch", 0) <= num_done else 900)
        write(honest, early, events)
        assert (verdicts(honest)[1] is Verdict.SUPPORTED) is counts, num_done


def test_a_deleted_run_that_is_restored_as_it_was_counts(honest: Store, tmp_path: Path) -> None:
    plan, run = load_plan(honest, "mine"), ids(honest, "tanh")[0]
    bookkeeping.update(honest, plan)
    shutil.copytree(honest.path(run), tmp_path / "backup")
    deletion.delete_run(honest, run)
    assert verdicts(honest)[1] is Verdict.NOT_ASSESSED
    shutil.copytree(tmp_path / "backup", honest.root / run)
    assert verdicts(honest) == [Verdict.SUPPORTED] * 3


def test_a_copy_under_another_number_of_images_is_one(store: Store) -> None:
    whole, few = (RunConfig.from_text({**OVERRIDES, "train_images": text}) for text in ("0", "640"))
    events = events_of(whole, 1e9)
    for config, images in ((whole, TRAIN_IMAGES), (few, 640)):
        write(store, store.create(config).id, [{**events[0], "num_train_images": images}, *events[1:]])
    checks = check_together(select_runs(store).histories).values()
    assert [check.result for check in checks] == [Result.FAILED] * 2


def test_runs_that_are_rightly_equal_or_rightly_not_are_not_accused(store: Store) -> None:
    config = RunConfig.from_text(OVERRIDES)
    events = events_of(config, 1e9)
    diverged = [{**event, "test_loss": "nan"} if event["kind"] == "epoch" else event for event in events]
    for _ in range(2):
        write(store, store.create(config).id, diverged)  # Its last test losses are no numbers, and equal all the same.
    histories = select_runs(store).histories
    assert all(math.isnan(run.epochs["test_loss"][-1]) for run in histories)
    assert "other numbers" not in "".join(check.sentence for check in check_together(histories).values())
    others = [{**event, "test_loss": 1.0} if event["kind"] == "epoch" else event for event in events]
    write(store, store.create(config).id, [{**others[0], "data_sha256": "cd" * 32}, *others[1:]])
    assert "other numbers" not in "".join(one.sentence for one in check_together(select_runs(store).histories).values())


def test_three_epochs_are_no_verdict(store: Store) -> None:
    plan = planning.plan_variants(
        store, "mine", variants=tuple(CLEAR), seeds=range(5), overrides={**OVERRIDES, "epochs": "3"}
    )
    for config in plan.configs:
        add(store, config, plan)
    assert verdicts(store) == [Verdict.NOT_ASSESSED] * 3


def test_a_plan_of_an_earlier_version_is_shown_and_exploratory(honest: Store) -> None:
    path = honest.root / "studies" / "mine.json"
    content = json.loads(path.read_text())
    old = {name: value for name, value in content.items() if name not in ("claims", "groups", "sha256")}
    path.write_text(json.dumps({**old, "v": 1, "rules": 0}))
    assert verdicts(honest) == [Verdict.EXPLORATORY] * 3
    assert all(claim.effect for claim in section(honest).claims)


# ------------------------------------------------------------------ honest


def commits_between_the_runs(store: Store) -> None:
    for number, run_id in enumerate(ids(store)):
        edit(store, run_id, setting("started", commit=f"c0ffee{number}"))


def a_stray_run(store: Store) -> None:
    """Stopped after three epochs, with a seed of its own."""
    record = store.create(RunConfig.from_text({**OVERRIDES, "seed": "17"}))
    write(store, record.id, events_of(record.config, record.created)[:4])


def resumed_twice(store: Store) -> None:
    run_id = ids(store, "baseline")[2]
    start, *rest = read(store, run_id)
    position = {"epoch": 10, "step": 3910, "checkpoint": "e0010", "bit_exact": True}
    again = [start, {"v": 1, "kind": "resumed", "wall": start["wall"], **position}]
    events = [start, *rest[:12], *again, *rest[10:14], *again, *rest[10:]]
    write(store, run_id, [{**event, "seq": number} for number, event in enumerate(events)])


def another_processor(store: Store) -> None:
    started(store, "four-conv", fingerprint="cpu / Intel / 8 threads", threads=8)


def a_machine_busy_during_the_first_epoch(store: Store) -> None:
    """Every run's first epoch takes 60 seconds more; an epoch's throughput is the mean since training began."""

    def later(event: Event) -> None:
        if event["kind"] in ("epoch", "finished"):
            event["train_seconds"] += 60
            event["elapsed_seconds"] += 60
        if event["kind"] == "epoch":
            event["images_per_second"] = TRAIN_IMAGES * event["epoch"] / event["train_seconds"]

    for run_id in ids(store):
        edit(store, run_id, later)


def labels_and_notes(store: Store) -> None:
    for run_id in ids(store):
        (store.path(run_id) / "notes.json").write_text('{"label": "my best", "tags": ["x"], "note": "y"}')


def a_torn_last_line(store: Store) -> None:
    path = store.root / "studies" / "mine" / "ledger.jsonl"
    bookkeeping.update(store, load_plan(store, "mine"))
    path.write_bytes(path.read_bytes() + b'{"v":1,"seq"')


HONEST = (
    commits_between_the_runs,
    a_stray_run,
    resumed_twice,
    another_processor,
    a_machine_busy_during_the_first_epoch,
    labels_and_notes,
    a_torn_last_line,
)


@pytest.mark.slow
def test_honest_users_get_their_verdict(template: Path, tmp_path: Path) -> None:
    for happened in HONEST:
        store = Store(tmp_path / happened.__name__)
        shutil.copytree(template, store.root)
        happened(store)
        (found, *_) = report(store).sections
        assert [claim.verdict for claim in found.claims] == [Verdict.SUPPORTED] * 3, f"{happened}: {told(found)}"


def test_without_a_name_planned_runs_get_verdicts_and_others_numbers(honest: Store) -> None:
    a_stray_run(honest)
    hand_made(honest)
    built = build_selection(select_runs(honest))
    kinds = [[claim.verdict for claim in one.claims] for one in built.sections]
    assert kinds == [[Verdict.SUPPORTED] * 3, [Verdict.EXPLORATORY] * 3]
    assert built.num_families == 2


@pytest.mark.parametrize("name", ["mine", "reference"])
def test_a_shipped_reference_study_is_judged_by_its_own_plan(template: Path, store: Store, name: str) -> None:
    store.root.mkdir(parents=True)
    shutil.copytree(template, store.root / "reference")
    shipped = Store(store.root / "reference")
    for path in (shipped.root / "studies").glob("mine*"):
        path.rename(path.with_name(path.name.replace("mine", name)))
    for run_id in ids(shipped):
        record = shipped.path(run_id) / "run.json"
        record.write_text(record.read_text().replace('"study": "mine"', f'"study": "{name}"'))
    assert verdicts(store, "reference") == [Verdict.SUPPORTED] * 3
    assert os.listdir(store.root) == ["reference"]


def card(claims: tuple[ClaimVerdict, ...]) -> list[Any]:
    return [(claim.headline, claim.reasons, claim.effect) for claim in claims]


def test_the_same_records_give_the_same_report(honest: Store) -> None:
    assert card(section(honest).claims) == card(section(honest).claims)
