"""Workers on studies whose trainers are played, and what became of the runs."""

import sys
import textwrap
from collections import Counter

import fake_trainer
from fork_server import Forked

from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan
from alexnet_tui.studies.planned_runs import PlannedRun

QUICK = {"epochs": "2", "data": "synthetic"}


def work(store: Store, plan: Plan, script: str = "normal", **options: object) -> list[PlannedRun]:
    """Train a study in this process; where its cells stand then."""
    command = fake_trainer.command(script)
    return study_worker.work(store, plan, command=command, poll_seconds=0.02, **options)  # type: ignore[arg-type]


def serve(store: Store, script: str = "normal", **options: object) -> None:
    """Serve the orders of a folder in this process."""
    command = fake_trainer.command(script)
    study_worker.serve(store, command=command, poll_seconds=0.02, **options)  # type: ignore[arg-type]


def place_orders(store: Store, *plans: Plan, parallel: int = 1) -> None:
    """Place orders as the console does, without a worker of their own."""
    for one in plans:
        orders.place(store, orders.Order(study=one.name, parallel=parallel))


def spawn_worker(store: Store, plan: Plan, script: str, parallel: int = 1) -> Forked:
    """A worker in a process of its own, to be killed."""
    return spawn(
        store,
        f"study_worker.work(store, load_plan(store, {plan.name!r}), parallel={parallel},"
        f" command=fake_trainer.command({script!r}), poll_seconds=0.02)",
    )


def spawn(store: Store, statement: str) -> Forked:
    """A process that does something with a runs folder."""
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {fake_trainer.SEARCH_PATH}
        from pathlib import Path
        import fake_trainer
        from alexnet_tui.studies import planning, study_files
        from alexnet_tui.studies import worker as study_worker
        from alexnet_tui.studies.plan import load_plan
        from alexnet_tui.runs.store import Store
        store = Store(Path({str(store.root)!r}))
        {statement}
        """
    )
    return Forked([sys.executable, "-c", code])


def states(store: Store, plan: Plan) -> list[str]:
    """The state of each cell."""
    return [cell.state for cell in planned_runs.status(store, plan)]


def kinds(store: Store, run_id: str) -> Counter[type]:
    """How many events of each kind a run's record has."""
    return Counter(type(event) for event in store.reader(run_id).read_new())


def assert_each_cell_finished_once(store: Store, plan: Plan) -> None:
    cells = planned_runs.status(store, plan)
    assert {cell.state for cell in cells} == {"finished"}
    assert len({cell.run_id for cell in cells}) == len(plan.configs)
    mine = [record for record in store.list().runs if record.study == plan.name]
    assert len(mine) == len(plan.configs)
    assert sorted(str(record.config) for record in mine) == sorted(map(str, plan.configs))
    for record in mine:
        assert kinds(store, record.id)[ev.Finished] == 1
        epochs = load(store, record.id)[0].epochs["epoch"]
        assert list(epochs) == [1, 2]
