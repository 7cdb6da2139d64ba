"""The README's pictures, drawn from real runs: ``python tests/screenshots.py``; and the accepted screens.

Without an option it writes tests/screenshots/*.svg from the runs in runs/reference; the same runs give the same bytes.
``--draw FOLDER [SCENE...]`` draws the screens of made-up runs, to look at them, and ``--accept [SCENE...]`` stores them
for tests/tui/test_snapshots.py to compare with.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[1])]

from scenes import SCENES, SIZES, Gallery, Scene, capture, fixed_world, look, snapshot, svg, write_gallery  # noqa: E402

from alexnet_tui.config.variants import VARIANTS  # noqa: E402
from alexnet_tui.runs.follow import load  # noqa: E402
from alexnet_tui.runs.history import RunHistory  # noqa: E402
from alexnet_tui.runs.run_files import PREDICTIONS_FILE  # noqa: E402
from alexnet_tui.runs.run_ids import REFERENCE  # noqa: E402
from alexnet_tui.runs.store import Store  # noqa: E402

HERE = Path(__file__).parent
PICTURES = HERE / "screenshots"
REFERENCE_RUNS = HERE.parent / "runs" / REFERENCE
_WIDE, _MIDDLE, _LOW = SIZES[0], (124, 36), (124, 26)
_DOG_AND_CAT = ("down",) * 5 + ("right",) * 3
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


def real_runs(root: Path) -> Gallery:
    """Copies of the reference runs.

    Raises:
        SystemExit: None of them has finished, or none has predictions.
    """
    store = Store(root / "runs")
    shutil.copytree(REFERENCE_RUNS, store.root)
    histories = [load(store, record.id)[0] for record in store.list().runs]
    finished = sorted((one for one in histories if one.final is not None), key=lambda one: one.record.created)
    newest = {_rank(history): history for history in finished}  # Of runs of one variant and seed.
    compared = [newest[rank] for rank in sorted(newest)]
    with_pictures = [one.id for one in compared if (store.path(one.id) / PREDICTIONS_FILE).exists()]
    if not with_pictures:
        raise SystemExit(f"no finished run with predictions in {REFERENCE_RUNS}")
    return Gallery(
        store,
        tuple(history.id for history in compared),
        opened=next((one.id for one in compared if one.record.config.activation == "tanh"), compared[-1].id),
        pictured=with_pictures[0],
        now=max(history.last_wall for history in finished) + _LATER_SECONDS,
    )


def _rank(history: RunHistory) -> tuple[int, int]:
    """By seed, then by variant in the study's order."""
    config = history.record.config
    return config.seed, list(VARIANTS).index(config.variant)


def _real_scenes(gallery: Gallery) -> Iterator[tuple[str, Scene, tuple[int, int]]]:
    """Names, scenes and sizes of the README's pictures."""
    seeds = {gallery.store.record(run_id).config.seed for run_id in gallery.compared}
    size = _WIDE[0], min(_WIDE[1], len(gallery.store.list().runs) + _PREVIEW_LINES)
    yield "runs", Scene(shown=("finished", "Test accuracy", "best")), size
    yield "run", Scene(shown=("last steps", "T25", "Load %"), opens=True), _WIDE
    keys = ("g",) if len(seeds) > 1 else ()
    yield "compare", Scene(keys=keys, shown=("Test loss", "differences"), compares=True), _WIDE
    page = ("right_square_bracket",)
    yield "kernels", Scene(keys=page, shown=("after epoch",), opens_pictured=True), _MIDDLE
    matrix = (*page, "m", *_DOG_AND_CAT)
    yield "confusion", Scene(keys=matrix, shown=("dog taken for cat", "Most confused"), opens_pictured=True), _LOW
    yield "report", Scene(keys=("6", "enter"), shown=("Claim 1", "Claim 3", "Means")), _WIDE


def _readme_pictures(root: Path) -> Iterator[tuple[Path, str]]:
    gallery = real_runs(root)
    with fixed_world(root, gallery.now):
        for name, scene, size in _real_scenes(gallery):
            yield PICTURES / f"{name}.svg", capture(gallery, scene, size, svg, ("dark",))["dark"]


def _made_up_pictures(root: Path, folder: Path, scenes: Sequence[str]) -> Iterator[tuple[Path, str]]:
    with fixed_world(root):
        gallery = write_gallery(root)
        for name in scenes:
            for size in SIZES:
                for theme, picture in capture(gallery, name, size, svg, themes_at(size)).items():
                    yield folder / f"{name}-{size[0]}x{size[1]}-{theme}.svg", picture


def _accepted(root: Path, scenes: Sequence[str]) -> Iterator[tuple[Path, str]]:
    with fixed_world(root):
        gallery = write_gallery(root)
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
