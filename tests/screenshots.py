"""The README's pictures and the accepted screens: ``python tests/screenshots.py [SCENE...]``.

Writes tests/screenshots/*.svg of the scenes that the README shows. ``--accept`` writes, in their place, the screens
that tests/tui/test_snapshots.py compares with.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[1])]

from scenes import SCENES, SIZES, Gallery, capture, fixed_world, hang, look, snapshot, svg  # noqa: E402

HERE = Path(__file__).parent
IN_THE_README = ("runs", "run", "compare")
_WIDE = SIZES[0]


def themes_at(size: tuple[int, int]) -> Sequence[str]:
    """Themes that are compared at a size: both on the large screen, on the small one the dark one."""
    return ("dark", "light") if size == _WIDE else ("dark",)


def snapshot_path(name: str, size: tuple[int, int]) -> Path:
    """Where a scene's accepted screen is stored."""
    return HERE / "tui" / "snapshots" / f"{name}-{size[0]}x{size[1]}.txt"


def draw(gallery: Gallery, name: str, size: tuple[int, int]) -> str:
    """The text form of a scene at a size."""
    return snapshot(capture(gallery, name, size, look, themes_at(size)))


def _files(gallery: Gallery, scenes: Sequence[str], *, accept: bool) -> Iterator[tuple[Path, str]]:
    for name in scenes:
        if accept:
            yield from ((snapshot_path(name, size), draw(gallery, name, size)) for size in SIZES)
        else:
            picture = capture(gallery, name, _WIDE, svg, ("dark",))["dark"]
            yield HERE / "screenshots" / f"{name}-{_WIDE[0]}x{_WIDE[1]}-dark.svg", picture


def main() -> None:
    """Draw the pictures, or accept the screens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--accept", action="store_true", help="store the snapshots of the tests instead")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    scenes = options.scenes or (tuple(SCENES) if options.accept else IN_THE_README)
    with tempfile.TemporaryDirectory() as folder, fixed_world(Path(folder)):
        for path, content in _files(hang(Path(folder)), scenes, accept=options.accept):
            path.write_text(content, encoding="utf-8")
            print("written:", path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
