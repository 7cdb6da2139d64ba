"""What the console looks up for reports and studies, and how little it reads to do so."""

import threading

import pytest
from fake_runs import curve, open_writer, write_run
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, planning
from alexnet_tui.tui.screens.report import source as report_source
from alexnet_tui.tui.screens.studies import source as study_source
from alexnet_tui.tui.study_lookup import finder


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each fold took in, as they happen."""
    sizes: list[int] = []
    fold = RunHistory.fold

    def counting(history: RunHistory, events: list[object]) -> RunHistory:
        sizes.append(len(events))
        return fold(history, events)  # type: ignore[arg-type]

    monkeypatch.setattr(RunHistory, "fold", counting)
    return sizes


def test_a_look_at_a_study_reads_only_what_is_new_in_a_long_run(store: Store, folded: list[int]) -> None:
    plan = planning.plan_variants(
        store, "mine", variants=["baseline"], seeds=[0], overrides={"epochs": "1000", "data": "synthetic"}
    )
    (run_id,) = planned_runs.prepare(store, plan)
    with open_writer(store.path(run_id)) as writer:
        for epoch in range(1, 501):
            writer.write(curve(epoch, 1000))
        find = finder(store, {}, {})

        def epochs_done() -> int:
            found = study_source.load(store, study_source.Engines(), "mine", find).now
            assert found is not None
            return found.cells[0].num_epochs_done

        assert epochs_done() == 500
        assert sum(folded) == 500
        folded.clear()
        assert [epochs_done() for _ in range(5)] == [500] * 5
        assert sum(folded) == 0
        writer.write(curve(501, 1000))
        assert epochs_done() == 501
        assert sum(folded) == 1


def test_a_finished_run_that_the_console_knows_is_not_read_at_all(store: Store, folded: list[int]) -> None:
    run_id = write_run(store, RunConfig(epochs=2)).id
    known = load(store, run_id)
    folded.clear()
    find = finder(store, {run_id: known[0]}, {run_id: known[1]})
    assert find(run_id) == (known[0], State.FINISHED)
    assert report_source.make(store, report_source.OWN, find)[0].sections[0].rows[0].num_runs == 1
    assert folded == []


class WatchedLock:
    """A lock that counts those who came to it."""

    def __init__(self) -> None:
        self.lock, self.arrived = threading.Lock(), list[int]()

    def __enter__(self) -> None:
        self.arrived.append(threading.get_ident())
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_reports_are_made_one_after_the_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = write_run(store, RunConfig(epochs=2)).id
    known, inside, most = load(store, run_id), list[str](), list[int]()
    monkeypatch.setattr(report_source, "_MAKING", lock := WatchedLock())

    def find(run_id: str) -> tuple[RunHistory, State]:
        inside.append(run_id)
        wait_for(lambda: len(lock.arrived) == 4)
        most.append(len(inside))
        inside.pop()
        return known

    makers = [threading.Thread(target=report_source.make, args=(store, report_source.OWN, find)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert most == [1] * 4


def test_a_run_that_is_gone_is_not_found(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=2), epochs_done=1).id
    find = finder(store, {}, {})
    assert find(run_id) is not None
    store.delete(run_id)
    assert find(run_id) is None
