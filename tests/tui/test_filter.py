"""Rows of the runs table: which of them each word of the filter keeps, their order, and the widths of their columns."""

from collections.abc import Sequence

import msgspec
import pytest
from fake_runs import started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.state import State
from alexnet_tui.tui.run_names import Name
from alexnet_tui.tui.screens.runs.columns import COLUMNS, Context, columns_for, sorted_rows
from alexnet_tui.tui.screens.runs.filter import HELP, QueryError, completed, parse, without_last_word
from alexnet_tui.tui.screens.runs.rows import RunRow, group_rows, run_row
from alexnet_tui.tui.widgets.columns import fit


def row(run_id: str = "baseline-s0-1122-101010", **changes: object) -> RunRow:
    config = RunConfig.from_text(changes.pop("config", {}))  # type: ignore[arg-type]
    plain = RunRow(
        short_name="",
        id=run_id,
        name=run_id,
        is_labelled=False,
        config=config,
        state=State.FINISHED,
        epochs_done=100,
        progress=1.0,
        best=0.6,
        last=0.59,
        final=0.595,
        gap=0.3,
        t25=25.0,
        seconds=3600.0,
        curve=(),
        created=0.0,
        begun=0.0,
        tags=(),
        note="",
        is_reference=False,
        members=(run_id,),
    )
    if "created" in changes:
        changes.setdefault("begun", changes["created"])
    return msgspec.structs.replace(plain, **changes)


TANH = row(
    "tanh-s3-1122-101010",
    config={"variant": "tanh", "seed": "3", "learning_rate": "0.02"},
    best=0.512,
    state=State.RUNNING,
    epochs_done=40,
    progress=0.4,
    t25=None,
    tags=("paper", "night"),
    note="Second sweep",
    studies=("readings-gpu",),
    hosts=("node1",),
    devices=("cuda:0", "cuda", "NVIDIA H200"),
)
BASE = row(config={"dropout": "0.3", "lrn": "yes"}, name="Paper init", is_labelled=True, is_reference=True)
ALL = [TANH, BASE]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ALL),
        ("   ", ALL),
        ("variant=tanh", [TANH]),
        ("VARIANT=TANH", [TANH]),
        ("v:tan", [TANH]),
        ("variant!=tanh", [BASE]),
        ("lr=0.02", [TANH]),
        ("lr>=0.01", ALL),
        ("lr>0.01", [TANH]),
        ("learning-rate<2e-2", [BASE]),
        ("dropout<=0.3", [BASE]),
        ("lrn=yes", [BASE]),
        ("seed:3", [TANH]),
        ("best>60", []),
        ("best>=60", [BASE]),
        ("best>=60%", [BASE]),
        ("acc<55", [TANH]),
        ("gap>29.5", ALL),
        ("t25<30", [BASE]),
        ("t25>0", [BASE]),
        ("time>=1h", ALL),
        ("time<61m", ALL),
        ("seconds>3600", []),
        ("done<50", [TANH]),
        ("epoch=40", [TANH]),
        ("is:running", [TANH]),
        ("is:live", [TANH]),
        ("is=finished", [BASE]),
        ("is:reference", [BASE]),
        ("is:own", [TANH]),
        ("-is:running", [BASE]),
        ("is:grouped", []),
        ("tag:pap", [TANH]),
        ("tag=paper", [TANH]),
        ("tag=pap", []),
        ("tag!=paper", [BASE]),
        ("note:sweep", [TANH]),
        ("label:paper", [BASE]),
        ("study:readings", [TANH]),
        ("study=readings-gpu", [TANH]),
        ("study=readings", []),
        ("-study:readings", [BASE]),
        ("device=cuda", [TANH]),
        ("device:h200", [TANH]),
        ("device!=cuda", [BASE]),
        ("host:node", [TANH]),
        ("id:s3", [TANH]),
        ("paper", ALL),
        ('"paper init"', [BASE]),
        ('note:"second sweep"', [TANH]),
        ("-paper", []),
        ("night is:running lr>0.01", [TANH]),
        ("night is:finished", []),
        ("fe=literal32", ALL),
        ("-1122", ALL),
        ("[/]", []),
        ("best > 55", [BASE]),
        ("best >=60", [BASE]),
        ("best>= 60", [BASE]),
        ("-is : running", [BASE]),
        ("night lr >  0.01 is:running", [TANH]),
        ('note: "second sweep"', [TANH]),
        ('"or" tanh', []),
        ("x\x1b]0;P\x07=1", []),  # No key has such a name: it is text to look for.
    ],
)
def test_what_each_word_keeps(text: str, kept: list[RunRow]) -> None:
    assert parse(text).select(ALL) == kept


def test_settings_of_another_programs_run_match_nothing() -> None:
    theirs, longer = row("their-run", foreign="csv training.log"), row("longer", extends=BASE.id)
    every = [BASE, theirs, longer]
    found = {
        text: [one.id for one in parse(text).select(every)]
        for text in ("is:foreign", "is:extended", "variant=baseline", "seed=0", "training.log", "best>=60")
    }
    assert found == {
        "is:foreign": ["their-run"],
        "is:extended": ["longer"],
        "variant=baseline": [BASE.id, "longer"],
        "seed=0": [BASE.id, "longer"],
        "training.log": ["their-run"],
        "best>=60": [BASE.id, "their-run", "longer"],
    }
    assert [one.members for one in group_rows([theirs, row("their-other", foreign="csv x")])] == [
        ("their-run",),
        ("their-other",),
    ]
    for key in ("variant", "front_end", "data", "seed"):
        for is_descending in (True, False):
            assert sorted_rows(every, Context(), key, is_descending=is_descending)[-1] == theirs, "it has no such value"
    assert not BASE.is_comparable(theirs)
    assert not theirs.is_comparable(theirs)


def test_an_extended_run_is_grouped_only_where_its_schedule_does_not_depend_on_its_length() -> None:
    for schedule, sizes in (("constant", [2]), ("step", [1, 1])):
        config = {"schedule": schedule}
        rows = [row("whole", config=config), row("longer", config={**config, "seed": "1"}, extends="parent")]
        assert [len(one.members) for one in group_rows(rows)] == sizes


def test_a_group_is_named_by_what_its_runs_are_and_not_by_how_they_were_recorded() -> None:
    config = {"data": "cifar10-jpeg", "threads": "1", "log_steps": "100", "checkpoint_epochs": "5"}
    (group,) = group_rows([row(f"run-{seed}", config={**config, "seed": str(seed)}) for seed in (0, 1)])
    assert group.name == "baseline"


def test_groups_of_one_variant_are_told_apart_by_the_settings_in_which_they_differ() -> None:
    ways: list[dict[str, str]] = [
        {"variant": "four-conv", "data": "cifar10-jpeg"},
        {"data": "cifar10-jpeg"},
        {"data": "synthetic", "epochs": "12", "train_images": "250"},
        {"data": "synthetic", "epochs": "24", "train_images": "250"},
    ]
    rows = [row(f"{seed}-{at}", config={**way, "seed": str(seed)}) for at, way in enumerate(ways) for seed in (0, 1)]
    assert [group.name for group in group_rows(rows)] == [
        "four-conv",
        "baseline · cifar10-jpeg",
        "baseline · synthetic, epochs 12",
        "baseline · synthetic, epochs 24",
    ]
    alone = row("alone", name="four-conv s7", config={"variant": "four-conv", "seed": "7"})
    assert [group.name for group in group_rows([*rows[:2], alone])] == ["four-conv · cifar10-jpeg", "four-conv s7"]
    named = [msgspec.structs.replace(one, name="Mine", is_labelled=True) for one in rows[:2]]
    assert [group.name for group in group_rows(named)] == ["Mine"]


def test_a_group_is_of_one_experiment_however_its_runs_were_recorded_or_computed() -> None:
    ways: list[dict[str, str]] = [
        {},
        {"threads": "1", "log_steps": "7", "checkpoint_epochs": "5"},
        {"device": "cpu"},
        {"precision": "fp32"},
    ]
    rows = [row(f"run-{seed}", config={"seed": str(seed), **way}) for seed, way in enumerate(ways)]
    (group,) = group_rows(rows)
    assert group.members == ("run-0", "run-1", "run-2", "run-3")
    assert group.runs == tuple(rows)
    assert (group.name, group.num_counted) == ("baseline", 4)
    others = [row("other", config={name: value}) for name, value in (("variant", "tanh"), ("dropout", "0.3"))]
    assert [one.members for one in group_rows([*rows, *others])] == [group.members, ("other",), ("other",)]


def test_of_a_seed_the_first_made_finished_run_counts_and_a_row_has_them_all() -> None:
    rows = [
        row("again", best=0.9, created=3.0),
        row("first", best=0.6, created=1.0),
        row("cut", best=0.1, created=0.0, epochs_done=4, state=State.STOPPED),
        row("other", best=0.7, created=2.0, config={"seed": "1"}),
    ]
    (group,) = group_rows(rows)
    assert (group.members, group.num_counted) == (("cut", "first", "again", "other"), 2)
    assert group.best == pytest.approx(0.65)
    assert group.spread == pytest.approx(0.1 / 2**0.5)
    lost = [msgspec.structs.replace(one, state=State.LOST) for one in rows if one.id in {"cut", "first", "other"}]
    (group,) = group_rows(lost)
    assert group.num_counted == 2
    assert group.best == pytest.approx(0.65), "of what was cut short, what got furthest"


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("", "0123"),
        ("is:grouped", "0123"),
        ("-is:grouped", ""),
        ("best>60", "0123"),  # The mean of three, not the one that passes.
        ("best>65", ""),
        ("best<61", ""),
        ("-best>65", "0123"),
        ("seed=2", "2"),
        ("seed=7", ""),
        ("seed!=2", ""),
        ("-seed!=2", "2"),
        ("seed!=7", "0123"),
        ("seed>1", "23"),
        ("threads=1", "1"),
        ("is:failed", "3"),
        ("is:finished", "012"),
        ("-is:failed", ""),
        ("-is:running", "0123"),
        ("is:marked", "12"),
        ("-is:marked", ""),
        ("label:mine", "0"),
        ("tag:paper", "0"),
        ("tag!=paper", ""),
        ("tag!=night", "0123"),
        ("-tag:paper", ""),
        ("note:odd", "1"),
        ("id:run-1", "1"),
        ("run-2", "2"),
        ('"literal32"', "0123"),  # What only the group is called.
        ("literal32", "0123"),
        ("variant=baseline best>60 seed=0", "0"),
        ("is:finished seed>1 best>60", "2"),
        ("is:failed seed=0", ""),  # No run is both.
        ("is:failed -seed=7", "3"),
        ("variant=tanh", ""),
    ],
)
def test_of_a_group_figures_are_its_means_and_other_words_are_asked_of_its_runs(text: str, hits: str) -> None:
    runs = [
        row("run-0", best=0.60, name="mine", is_labelled=True, tags=("paper",)),
        row("run-1", best=0.66, config={"seed": "1", "threads": "1"}, note="odd", created=1.0),
        row("run-2", best=0.62, config={"seed": "2"}, created=2.0),
        row("run-3", best=0.20, config={"seed": "3"}, created=3.0, state=State.FAILED),
    ]
    groups = group_rows(runs)
    assert [one.best for one in groups] == [pytest.approx(0.6267, abs=1e-4)]
    query = parse(text)
    query.marked = frozenset({"run-1", "run-2"})
    found = query.select(groups)
    assert [run_id for one in found for run_id in one.acted_on] == [f"run-{seed}" for seed in hits]
    assert [msgspec.structs.replace(one, hits=None) for one in found] == (groups if hits else [])


def test_marked_and_pinned_are_asked_of_the_console() -> None:
    query = parse("is:marked")
    assert query.select(ALL) == []
    query.marked = frozenset({TANH.id})
    assert query.select(ALL) == [TANH]
    query = parse("is:pinned")
    query.pinned = BASE.id
    assert query.select(ALL) == [BASE]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("varaint=tanh", "there is no 'varaint' to filter by; did you mean variant?"),
        ("lr>=", "lr>= needs a value behind it."),
        ("lr>=high", "learning_rate needs a number, not 'high'."),
        ("best>", "best> needs a value behind it."),
        ("is:runing", "a run is never 'runing'; did you mean running?"),
        ("best > 6x", "best needs a number, not '6x'."),
        ("best>nan", "best needs a number, not 'nan'."),
        ("best >", "best> needs a value behind it."),
        ("> 60", "'>' needs a name before it, as in best>60."),
        ("tanh or baseline", "words must all match; there is no 'or'."),
        ("tanh AND night", "words must all match; there is no 'AND', and none is needed."),
        ("not tanh", "words must all match; there is no 'not': a minus negates a word, as in -is:failed."),
        ("state=failed", "there is no 'state' to filter by; is:failed asks for the state."),
        ("status:bad", "there is no 'status' to filter by; is:running asks for the state."),
        ("tag>a", "words have no order; use : or =."),
        ("variant>tanh", "words have no order; use : or =."),
    ],
)
def test_a_word_that_means_nothing_is_answered(text: str, sentence: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert str(caught.value) == sentence


def test_a_name_like_no_other_is_answered_with_all_there_are() -> None:
    with pytest.raises(QueryError) as caught:
        parse("colour=blue")
    sentence = str(caught.value)
    assert "did you mean" not in sentence
    for name in ("is", "tag", "best", "t25", "seconds", "variant", "seed"):
        assert f" {name}," in sentence
    assert len(sentence) < 3 * 72, "three lines hold it"


def test_the_word_being_typed_is_the_one_with_blanks_around_its_operator() -> None:
    assert without_last_word("tanh best > 6x") == "tanh"


def test_every_example_of_the_help_can_be_read() -> None:
    for example, _ in HELP:
        parse(example)


def test_the_word_being_typed_is_finished() -> None:
    for text, whole in {
        "var": "variant=",
        "variant=ta": "variant=tanh",
        "best>60 is:ru": "best>60 is:running",
        "-is:fa": "-is:failed",
        "be": "best>",
        "ta": "tag:",
        "v=four": "v=four-conv",
        "learn": "learning_rate=",
    }.items():
        assert completed(text) == whole
        parse(whole if whole[-1] not in "=:>" else f"{whole}1")
    assert [completed(text) for text in ("", "tanh ", "zzz", "is:", "best>6", "tag:p", "is:running")] == [None] * 7


def test_a_deviation_keeps_its_column_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    column = next(column for column in COLUMNS if column.key == "spread")
    monkeypatch.setenv("ALEXNET_TUI_ASCII", "1")
    for spread, text in ((0.0038, "+-0.38"), (0.1234, "12.34")):
        assert column.cell(row(spread=spread), Context(), column.width) == (text, "muted")


def widths_of(rows: Sequence[RunRow], width: int) -> dict[str, int]:
    offered = [column for column in columns_for(rows) if column.is_offered(Context())]
    return {column.key: cells for column, cells in fit(offered, width)}


@pytest.mark.parametrize(
    ("name", "name_cells", "curve_cells"),
    [
        ("baseline s0", 16, 17),
        ("low-dropout s0, mine", 20, 13),
        ("baseline s0 · synthetic", 23, 10),
        ("baseline s0 · cifar10-jpeg", 25, 8),
    ],
)
def test_a_name_has_what_it_needs_before_the_curve_has_its_width(name: str, name_cells: int, curve_cells: int) -> None:
    widths = widths_of([row(name=name)], 80)
    assert (widths["name"], widths["curve"], widths["state"]) == (name_cells, curve_cells, 10)


def test_settings_in_names_have_room_before_less_important_columns() -> None:
    name = "baseline s0 · synthetic, epochs 12, learning rate 0.05, train images 2500"
    for state, shown in ((State.FINISHED, "last"), (State.RUNNING, "progress")):
        rows = [row(name=name, state=State.FINISHED), row(name="tanh s0", state=state)]
        widths = widths_of(rows, 78)
        assert widths["name"] >= 24
        assert {"last", "progress"} & widths.keys() == {shown}
    assert {"last", "progress"} <= widths_of([row(name="tanh s0"), row(name="tanh s1")], 78).keys()


def test_a_run_is_found_by_the_machine_and_the_device_that_it_trained_on() -> None:
    config = RunConfig()
    queued = RunHistory(RunRecord(id="a", created=1.0, config=config, host="node1"))
    trained = RunHistory(RunRecord(id="b", created=2.0, config=config, host="node2"))
    trained.fold([started(config, device="cuda:1", device_class="NVIDIA H200")])
    rows = [run_row(one, State.QUEUED, Notes(), Name("x", "x")) for one in (queued, trained)]
    found = {
        text: [row.id for row in parse(text).select(rows)] for text in ("device=auto", "device=cuda", "host=node2")
    }
    assert found == {"device=auto": ["a"], "device=cuda": ["b"], "host=node2": ["b"]}
    (group,) = group_rows(rows)
    assert (group.hosts, group.devices) == (("node1", "node2"), ("auto", "cuda:1", "cuda", "NVIDIA H200"))
