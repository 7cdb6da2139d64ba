"""What is registered: plans of the groups that claims need, their extension, and what people are shown of them."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from cli_caller import Run
from fake_runs import write_run
from fake_work import QUICK, states
from msgspec.structs import replace

from alexnet_tui.analysis.verdict.claim_plan import register_claims
from alexnet_tui.config.claims import ALPHA, RULES_VERSION, load_claims, read_claim_file
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import PROTOCOLS, READINGS, plan_configs, swept_text
from alexnet_tui.errors import ClaimError, ConfigError, RunNotFoundError, UsageError
from alexnet_tui.runs.origin import IMPORTED_FILE
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, planned_runs, planning, study_files
from alexnet_tui.studies.plan import Plan, family_of, load_plan, plan_hash, readable_plans, verify_hash

DECAY = """
[[claim]]
name = "decay-lowers-the-training-error"
statement = "This small amount of weight decay was important for the model to learn."
source = "the 2012 paper, section 5"
metric = "final_train"
group = { weight_decay = 0.0005 }
reference = { weight_decay = 0 }
direction = "higher"
unit = "points"
smallest_effect = 1.0

[[claim]]
name = "decay-reduces-overfitting"
statement = "It regularises, too."
metric = "gap"
group = { weight_decay = 0.0005 }
reference = { weight_decay = 0.0 }
direction = "lower"
unit = "points"
smallest_effect = 1.0
"""


TANH = """
[[claim]]
name = "tanh-is-slower"
statement = "Tanh learns more slowly."
metric = "t25"
group = { activation = "tanh" }
reference = { activation = "relu" }
direction = "higher"
unit = "ratio"
smallest_effect = 1.1
"""


@pytest.fixture
def decay(tmp_path: Path) -> Path:
    path = tmp_path / "decay.toml"
    path.write_text(DECAY)
    return path


def test_a_plan_is_variants_by_seeds_and_reads_back(store: Store, plan: Plan) -> None:
    assert [(config.variant, config.seed) for config in plan.configs] == [
        ("baseline", 0),
        ("tanh", 0),
        ("baseline", 1),
        ("tanh", 1),
    ]
    assert {config.epochs for config in plan.configs} == {2}
    assert plan.configs[1].activation == "tanh"
    assert load_plan(store, "report") == plan
    assert study_files.names(store) == ["report"]
    assert states(store, plan) == ["planned"] * 4
    assert store.ids() == []


def test_a_plan_registers_its_claims_under_a_hash_that_anyone_can_recompute(store: Store, plan: Plan) -> None:
    content = json.loads((store.root / "studies" / "report.json").read_text())
    assert [claim["metric"] for claim in content["claims"]] == ["gap", "t25", "final_test"]
    assert (content["rules"], content["alpha"]) == (RULES_VERSION, 0.05)
    assert content["groups"] == {"baseline": {}, "tanh": {"activation": "tanh"}}
    rest = {name: value for name, value in content.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert content["sha256"] == plan.sha256 == hashlib.sha256(canonical).hexdigest() == plan_hash(content)
    content["claims"][2]["smallest_effect"] = 0.1
    assert plan_hash(content) != plan.sha256
    assert {store.record(one).plan_sha256 for one in planned_runs.prepare(store, plan)} == {plan.sha256}


def test_a_plan_is_written_once(store: Store, plan: Plan) -> None:
    with pytest.raises(UsageError, match="plans do not change"):
        planning.plan_variants(store, "report", variants=["tanh"], seeds=[0])
    assert load_plan(store, "report") == plan


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x" * 65, "-x"])
def test_names_that_are_no_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a study"):
        planning.plan_variants(store, name, variants=["tanh"], seeds=[0])
    with pytest.raises(RunNotFoundError):
        load_plan(store, name)


@pytest.mark.parametrize("word", ["reference", "last", "baseline", "four-conv"])
def test_a_word_for_other_runs_is_no_name_of_a_new_study(store: Store, word: str) -> None:
    with pytest.raises(UsageError, match=f"'{word}' stands for .*; choose another name"):
        planning.plan_variants(store, word, variants=["tanh"], seeds=[0])
    assert study_files.names(store) == []


def test_plans_without_sense_are_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="did you mean tanh"):
        planning.plan_variants(store, "x", variants=["tahn"], seeds=[0])
    with pytest.raises(ConfigError, match="epochs"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[0], overrides={"epochs": "0"})
    with pytest.raises(UsageError, match="each variant and seed once"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[0, 0])
    with pytest.raises(UsageError, match="not 0"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[])
    assert study_files.names(store) == []


def test_the_consoles_queue_names_its_plans(store: Store) -> None:
    plans = [planning.queue_plan(store, [RunConfig(seed=seed)]) for seed in range(3)]
    assert len({plan.name for plan in plans}) == 3
    assert study_files.names(store) == sorted(plan.name for plan in plans)


def test_the_claims_of_the_study_need_its_four_variants_once(store: Store) -> None:
    claims = load_claims("study")
    plan = planning.plan_claims(store, "mine", claims, seeds=[3, 4], overrides=QUICK)
    assert set(plan.groups) == {"baseline", "low-dropout", "tanh", "four-conv"}
    assert len(plan.configs) == 8
    other = planning.plan_variants(store, "usual", variants=sorted(plan.groups), seeds=[3, 4], overrides=QUICK)
    assert set(plan.configs) == set(other.configs)
    assert load_plan(store, "mine") == plan


def test_a_claim_about_any_hyperparameter_plans_its_two_groups(store: Store, decay: Path) -> None:
    claims = read_claim_file(decay)
    plan = planning.plan_claims(store, "mine", claims, seeds=range(2), overrides=QUICK)
    assert plan.groups == {"weight-decay-0": {"weight_decay": 0.0}, "baseline": {}}
    cells = planned_runs.status(store, plan)
    assert [(cell.group, plan.configs[cell.index].weight_decay, cell.seed) for cell in cells] == [
        ("weight-decay-0", 0.0, 0),
        ("baseline", 5e-4, 0),
        ("weight-decay-0", 0.0, 1),
        ("baseline", 5e-4, 1),
    ]
    assert {config.epochs for config in plan.configs} == {2}
    assert verify_hash(store, plan) == ""


def test_a_metric_that_is_none_is_refused_before_anything_is_written(store: Store, decay: Path) -> None:
    decay.write_text(DECAY.replace('"final_train"', '"fine_train"').replace('"gap"', '"gaps"'))
    with pytest.raises(ClaimError) as caught:
        register_claims(store, "mine", str(decay), seeds=[0], overrides={})
    assert len(caught.value.problems) == 2
    assert "did you mean gap?" in caught.value.problems[1]
    assert not (store.root / "studies").exists()


def test_the_time_of_a_plan_is_not_taken_from_runs_that_were_trained_elsewhere(run: Run, store: Store) -> None:
    config = RunConfig.from_text({"variant": "tanh", "epochs": "10"})
    write_run(Store(store.root / REFERENCE), config)
    imported = write_run(store, replace(config, seed=1))
    (store.path(imported.id) / IMPORTED_FILE).write_text("{}")
    new = ("study", "new", "--variants", "tanh", "--seeds", "1", "--first-seed", "5", "--data", "cifar10")
    assert "about" not in run(*new, "first").err
    write_run(store, replace(config, seed=2))
    assert "about 46m 51s one after another (1 run of this network here)" in run(*new, "second").err


def test_a_setting_that_every_group_sets_is_refused_and_one_that_some_set_is_not_said_of_all(
    run: Run, store: Store, decay: Path
) -> None:
    new = ("study", "new", "mine", "--claims", str(decay), "--seeds", "1", "--weight-decay", "0.1")
    refused = run(*new)
    assert (refused.code, "--weight-decay: every group of these claims sets it; leave" in refused.err) == (2, True)
    assert not (store.root / "studies").exists()
    decay.write_text(f"{DECAY}\n{TANH}")
    assert run(*new).code == 0
    shown = run("study", "show", "mine").out
    assert "group weight-decay-0: weight decay 0\n" in shown
    assert "all runs, where their group sets nothing else: weight decay 0.1\n" in shown


def test_what_a_protocol_sets_and_tries_is_shown_with_its_plan(run: Run) -> None:
    for protocol, words in {
        "best-learning-rate": "all runs: dropout 0, weight decay 0, epochs 2; each with learning rate 0.003 or 0.01 or",
        "readings": "all runs: epochs 2; each with front end literal32 or keras-valid or keras-same, with decay of",
        "report": "all runs: epochs 2\n",
    }.items():
        assert run("study", "new", protocol, "--protocol", protocol, "--seeds", "1", "--epochs", "2").code == 0
        shown = run("study", "show", protocol).out
        assert words in shown
        assert "group baseline: as all runs\n" in shown
        assert "group tanh: activation tanh\n" in shown


def test_the_command_line_plans_claims_of_a_file_and_of_a_set(run: Run, store: Store, decay: Path) -> None:
    planned = run("study", "new", "mine", "--claims", str(decay), "--seeds", "2", "--epochs", "2")
    assert planned.code == 0
    plan = load_plan(store, "mine")
    assert "2 groups x 2 seeds = 4 runs, 2 claims registered" in planned.err
    assert plan.sha256 in planned.err
    assert "claim decay-reduces-overfitting: Gap with weight decay 0.0005 is lower" in planned.err
    assert run("study", "new", "other", "--claims", "study", "--seeds", "1").code == 0
    shown = run("study", "show", "mine")
    assert shown.code == 0
    assert "group weight-decay-0: weight decay 0" in shown.out
    found = json.loads(run("study", "show", "mine", "--json").out)
    assert (found["sha256"], found["ledger"]["num_written"]) == (plan.sha256, 1)
    status = json.loads(run("study", "status", "mine", "--json").out)
    assert status["claims"] == ["decay-lowers-the-training-error", "decay-reduces-overfitting"]
    assert {cell["group"] for cell in status["cells"]} == {"baseline", "weight-decay-0"}


def test_a_bad_file_of_claims_is_refused_line_by_line(run: Run, store: Store, decay: Path) -> None:
    decay.write_text(DECAY.replace('"gap"', '"gasp"').replace('"final_train"', '"final"'))
    refused = run("study", "new", "mine", "--claims", str(decay))
    assert refused.code == 2
    lines = [line for line in refused.err.splitlines() if "there is no metric" in line]
    assert [line.split(": ")[-2].split(": ")[-1] for line in lines] == [
        "decay-lowers-the-training-error",
        "decay-reduces-overfitting",
    ]
    for arguments in (("--claims", "stud"), ("--claims", str(decay), "--variants", "tanh"), ("--claims", "/dev/null")):
        assert run("study", "new", "mine", *arguments).code == 2
    assert study_files.names(store) == []


def about(group: str, reference: str) -> str:
    """The file of claims with other groups."""
    changed = DECAY.replace("{ weight_decay = 0.0005 }", f"{{ {group} }}")
    return changed.replace("{ weight_decay = 0 }", f"{{ {reference} }}").replace(
        "{ weight_decay = 0.0 }", f"{{ {reference} }}"
    )


def test_a_variant_in_a_claim_stands_for_its_settings(decay: Path) -> None:
    decay.write_text(about('variant = "tanh", lrn = true', 'variant = "low-dropout", lrn = true'))
    for claim in read_claim_file(decay):
        assert claim.group == {"activation": "tanh", "dropout": 0.5, "lrn": True}
        assert claim.reference == {"activation": "relu", "dropout": 0.01, "lrn": True}


@pytest.mark.parametrize(
    ("group", "reference"),
    [
        ("seed = 1", "seed = 2"),
        ('data = "cifar100"', 'data = "cifar10"'),
        ("train_images = 5000", "train_images = 0"),
        ('precision = "bf16"', 'precision = "fp32"'),
        ("threads = 1", "threads = 2"),
    ],
)
def test_a_claim_whose_groups_cannot_be_compared_is_refused_before_it_is_planned(
    run: Run, store: Store, decay: Path, group: str, reference: str
) -> None:
    decay.write_text(about(group, reference))
    checked = run("claims", "check", str(decay))
    assert (checked.code, len(checked.err.splitlines())) == (2, 2)
    assert run("study", "new", "mine", "--claims", str(decay)).code == 2
    assert study_files.names(store) == []


def test_a_plan_without_the_images_that_a_claim_needs_says_so(run: Run, decay: Path) -> None:
    decay.write_text(DECAY.replace('"gap"', '"val_selected_gap"'))
    for name, options, has_note in (("mine", (), True), ("other", ("--split", "holdout"), False)):
        planned = run("study", "new", name, "--claims", str(decay), *options)
        assert planned.code == 0
        assert ("decay-reduces-overfitting needs images held back for validation" in planned.err) is has_note


def test_an_extension_has_the_further_seeds_and_names_its_parent(run: Run, store: Store, decay: Path) -> None:
    claims = read_claim_file(decay)
    plan = planning.plan_claims(store, "mine", claims, seeds=[0, 1], overrides=QUICK)
    extended = run("study", "extend", "mine", "--seeds", "3")
    assert extended.code == 0
    assert "its verdicts rest on these seeds alone; those of mine keep their own." in extended.err
    more = load_plan(store, "mine-2")
    assert (more.seeds, more.look, more.extends, more.extends_sha256) == ([2, 3, 4], 2, "mine", plan.sha256)
    assert (more.claims, more.groups) == (plan.claims, plan.groups)
    assert [more.group_of(index) for index in range(6)] == ["weight-decay-0", "baseline"] * 3
    assert verify_hash(store, more) == ""
    last = bookkeeping.read(store, plan).entries[-1]
    assert (last.kind, last.study, last.plan_sha256) == ("extended", "mine-2", more.sha256)
    again = planning.extend(store, "mine-2", 1, new_name="third")
    assert (again.seeds, again.look) == ([5], 3)
    assert (again.extends, again.extends_sha256) == ("mine-2", more.sha256)
    beside = planning.extend(store, "mine", 2)
    assert (beside.name, beside.seeds, beside.look) == ("mine-3", [6, 7], 4), "every extension is a look"
    with pytest.raises(UsageError, match="already.*`alexnet-tui study run "):
        planning.extend(store, "mine", 1, new_name="third")


def test_an_extension_of_a_plan_whose_claim_names_no_setting_says_that_no_run_has_it(run: Run, store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=[0], overrides=QUICK)
    path = store.root / "studies" / "mine.json"
    changed = json.loads(path.read_text())
    changed["claims"][0]["group"] = {"warmth": 1}
    path.write_text(json.dumps(changed | {"sha256": plan_hash(changed)}))
    extended = run("study", "extend", "mine", "--seeds", "1")
    assert (extended.code, "no run of this plan has warmth 1, as dropout-reduces" in extended.err) == (0, True)


def test_a_study_whose_seeds_have_other_runs_each_has_no_further_seed(store: Store) -> None:
    configs = [
        RunConfig.from_text({"variant": name, "seed": seed}) for name, seed in (("baseline", "0"), ("tanh", "1"))
    ]
    plan = planning.queue_plan(store, configs)
    with pytest.raises(UsageError, match="do not all have the same runs"):
        planning.extend(store, plan.name, 1)
    assert study_files.names(store) == [plan.name]
    by_group = planning.queue_plan(store, [RunConfig(seed=0), RunConfig(seed=1)])
    assert [config.seed for config in planning.extend(store, by_group.name, 2).configs] == [2, 3]


def test_an_extension_belongs_to_the_plan_whose_hash_it_has(store: Store) -> None:
    mine = planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0, 1], overrides=QUICK)
    planning.extend(store, "mine", 2, new_name="more")
    path = store.root / "studies" / "more.json"
    theirs = json.loads(path.read_text()) | {"extends_sha256": "ab" * 32}
    path.write_text(json.dumps(theirs | {"sha256": plan_hash(theirs)}))
    assert family_of(mine, readable_plans(store)) == [mine]
    assert planning.extend(store, "mine", 1).look == 2


def test_an_extension_is_registered_under_the_rules_of_its_day(store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=[0, 1], overrides=QUICK)
    path = store.root / "studies" / "mine.json"
    old = json.loads(path.read_text()) | {"rules": 2, "alpha": 0.2}
    path.write_text(json.dumps(old | {"sha256": plan_hash(old)}))
    more = planning.extend(store, "mine", 2)
    assert (more.rules, more.alpha) == (RULES_VERSION, ALPHA)
    planning.plan_variants(store, "what", variants=["baseline"], seeds=[0], protocol=READINGS, overrides=QUICK)
    assert (planning.extend(store, "what", 1).rules, load_plan(store, "what").rules) == (0, 0)


def test_a_plan_without_a_hash_has_no_family(store: Store) -> None:
    mine = planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0, 1], overrides=QUICK)
    old = msgspec.structs.replace(mine, v=1, name="old", sha256="")
    assert family_of(old, [old, mine]) == [old]
    assert family_of(mine, [old, mine]) == [mine]


def test_a_plan_of_a_protocol_is_extended_too(store: Store) -> None:
    plan = planning.plan_variants(store, "fig1", variants=["tanh"], seeds=[0, 1], protocol="best-learning-rate")
    more = planning.extend(store, "fig1", 1)
    assert more.configs == plan_configs("best-learning-rate", ["tanh"], [2], {})
    assert len(plan.configs) == 6


def test_readings_are_every_combination_of_what_the_report_does_not_say(store: Store) -> None:
    plan = planning.plan_variants(
        store, "readings", variants=["baseline"], seeds=[0], protocol=READINGS, overrides=QUICK
    )
    assert len(plan.configs) == 3 * 2 * 2 * 3
    decays = {(config.schedule, config.weight_decay) for config in plan.configs}
    assert decays == {("constant", 5e-4), ("inverse-time", 0.0)}
    assert {config.augmentation for config in plan.configs} == {"flip", "none"}
    assert {config.learning_rate for config in plan.configs} == {0.003, 0.006, 0.01}
    assert {config.front_end for config in plan.configs} == {"literal32", "keras-valid", "keras-same"}
    texts = [swept_text(READINGS, config) for config in plan.configs]
    assert len(set(texts)) == 36
    assert texts[0] == "front end literal32, decay of weights, mirroring yes, learning rate 0.003"
    assert all(len(cell.swept) > 50 for cell in planned_runs.status(store, plan))


def test_a_protocol_s_own_settings_cannot_be_overridden(run: Run, store: Store) -> None:
    for name, spec in PROTOCOLS.items():
        for field in spec.fields:
            option = f"--{field.replace('_', '-')}"
            value = "constant" if field == "schedule" else "none" if field == "augmentation" else "0.5"
            value = "same32" if field == "front_end" else value
            assert run("study", "new", "mine", "--protocol", name, option, value).code == 2


def test_the_size_of_a_plan_is_a_product_only_where_its_runs_are_one(store: Store) -> None:
    mine = planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=[0, 1], overrides={})
    assert mine.size_text == "2 variants x 2 seeds = 4 runs"
    queued = planning.queue_plan(store, [RunConfig(seed=0), RunConfig(variant="tanh", seed=1)])
    assert queued.size_text == "2 runs", "not the four of two variants and two seeds"
