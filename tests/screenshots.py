"""The README's pictures, drawn from real runs: ``python tests/screenshots.py``; and the accepted screens.

Without an option it writes tests/screenshots/*.svg from the runs in runs/reference. The kernels and the confusion
matrix are those of the first of these runs that has them, else of the one in tests/screenshots/runs. The same runs
give the same bytes. ``--draw FOLDER [SCENE...]`` draws the screens of made-up runs, to look at them, and ``--accept
[SCENE...]`` stores them for tests/tui/test_snapshots.py to compare with.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[1])]

from scenes import SCENES, SIZES, Gallery, Scene, capture, fixed_world, hang, look, snapshot, svg  # noqa: E402

from alexnet_tui.config.variants import VARIANTS  # noqa: E402
from alexnet_tui.runs.follow import load  # noqa: E402
from alexnet_tui.runs.history import RunHistory  # noqa: E402
from alexnet_tui.runs.store import PREDICTIONS_FILE, REFERENCE, Store  # noqa: E402

HERE = Path(__file__).parent
PICTURES = HERE / "screenshots"
RUN_WITH_PICTURES = PICTURES / "runs"
REFERENCE_RUNS = HERE.parent / "runs" / REFERENCE
_WIDE, _MIDDLE = SIZES[0], (120, 36)
_PREVIEW_LINES = 28
_LATER_SECONDS = 3600.0


def themes_at(size: tuple[int, int]) -> Sequence[str]:
    """Themes that are compared at a size: both on the large screen, on the small one the dark one."""
    return ("dark", "light") if size == _WIDE else ("dark",)


def snapshot_path(name: str, size: tuple[int, int]) -> Path:
    """Where a scene's accepted screen is stored."""
    return HERE / "tui" / "snapshots" / f"{name}-{size[0]}x{size[1]}.txt"


def draw(gallery: Gallery, name: str, size: tuple[int, int]) -> str:
    """The text form of a scene at a size."""
    return snapshot(capture(gallery, name, size, look, themes_at(size)))


def real_runs(root: Path) -> tuple[Gallery, Gallery | None]:
    """Copies of the reference runs, and of the run that has pictures.

    Raises:
        SystemExit: There are no reference runs, or none has finished.
    """
    runs = root / "runs"
    shutil.copytree(REFERENCE_RUNS, runs)
    store = Store(runs)
    histories = [load(store, record.id)[0] for record in store.list().runs]
    finished = sorted((one for one in histories if one.final is not None), key=_rank)
    if not finished:
        raise SystemExit(f"no finished run in {REFERENCE_RUNS}")
    ids = tuple(history.id for history in finished)
    now = max(history.last_wall for history in finished) + _LATER_SECONDS
    opened = next((one.id for one in finished if one.record.config.activation == "tanh"), ids[-1])
    gallery = Gallery(store, ids, opened=opened, pictured=ids[0], now=now)
    if with_pictures := [run_id for run_id in ids if (store.path(run_id) / PREDICTIONS_FILE).exists()]:
        return gallery, replace(gallery, pictured=with_pictures[0])
    if not RUN_WITH_PICTURES.exists():
        return gallery, None
    other = Store(root / "pictured")
    shutil.copytree(RUN_WITH_PICTURES, other.root)
    pictured, *_ = [record.id for record in other.list().runs]
    return gallery, Gallery(other, (pictured,), opened=pictured, pictured=pictured, now=now)


def _rank(history: RunHistory) -> tuple[object, ...]:
    """By seed, then by variant in the study's order."""
    config = history.record.config
    return config.seed, list(VARIANTS).index(config.variant), history.record.created


def _real_scenes(gallery: Gallery, pictured: Gallery | None) -> Iterator[tuple[str, Scene, Gallery, tuple[int, int]]]:
    """Names, scenes, runs and sizes of the README's pictures."""
    seeds = {run_id.split("-s")[-1].split("-")[0] for run_id in gallery.compared}
    size = _WIDE[0], min(_WIDE[1], len(gallery.compared) + _PREVIEW_LINES)
    yield "runs", Scene(shown=("finished", "Test accuracy", "best")), gallery, size
    yield "run", Scene(shown=("last steps", "T25", "Load %"), opens=True), gallery, _WIDE
    keys = ("g",) if len(seeds) > 1 else ()
    yield "compare", Scene(keys=keys, shown=("Test loss", "differences"), compares=True), gallery, _WIDE
    yield "report", Scene(keys=("6", "enter"), shown=("Claim 1", "Claim 3", "Means")), gallery, _WIDE
    if pictured is not None:
        page = ("right_square_bracket",)
        yield "kernels", Scene(keys=page, shown=("after epoch",), opens_pictured=True), pictured, _MIDDLE
        matrix = Scene(keys=(*page, "m"), shown=("test images right",), opens_pictured=True)
        yield "confusion", matrix, pictured, _MIDDLE


def _readme_pictures(root: Path) -> Iterator[tuple[Path, str]]:
    gallery, pictured = real_runs(root)
    with fixed_world(root, gallery.now):
        for name, scene, runs, size in _real_scenes(gallery, pictured):
            yield PICTURES / f"{name}.svg", capture(runs, scene, size, svg, ("dark",))["dark"]


def _made_up_pictures(root: Path, folder: Path, scenes: Sequence[str]) -> Iterator[tuple[Path, str]]:
    with fixed_world(root):
        gallery = hang(root)
        for name in scenes:
            for size in SIZES:
                for theme, picture in capture(gallery, name, size, svg, themes_at(size)).items():
                    yield folder / f"{name}-{size[0]}x{size[1]}-{theme}.svg", picture


def _accepted(root: Path, scenes: Sequence[str]) -> Iterator[tuple[Path, str]]:
    with fixed_world(root):
        gallery = hang(root)
        for name in scenes:
            yield from ((snapshot_path(name, size), draw(gallery, name, size)) for size in SIZES)


def main() -> None:
    """Draw the pictures, or accept the screens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}; all without one")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--draw", type=Path, metavar="FOLDER", help="draw the screens of made-up runs, to look at them")
    chosen.add_argument("--accept", action="store_true", help="store these screens for the tests")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    if options.scenes and not (options.draw or options.accept):
        parser.error("scenes go with --draw or --accept")
    scenes = options.scenes or tuple(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        if options.accept:
            files = _accepted(Path(folder), scenes)
        elif options.draw:
            options.draw.mkdir(parents=True, exist_ok=True)
            files = _made_up_pictures(Path(folder), options.draw, scenes)
        else:
            files = _readme_pictures(Path(folder))
        for path, content in files:
            path.write_text(content, encoding="utf-8")
            print("written:", path)


if __name__ == "__main__":
    main()
