"""Draw the console's screens: ``python tests/screenshots.py``.

Writes tests/screenshots/*.svg, which the README shows. ``--accept`` also takes the screens as they are now for
what tests/tui/test_snapshots.py compares with; ``--check`` writes nothing and says which SVG files are old.
Names of scenes (runs, new-run, run, compare, report) draw only these.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from pictures import SCENES, SIZES, Gallery, Look, capture, fixed_world, hang, look, snapshot, svg  # noqa: E402

HERE = Path(__file__).parent
SCREENSHOTS, SNAPSHOTS = HERE / "screenshots", HERE / "tui" / "snapshots"
_LIGHT_SIZE = SIZES[0]


def snapshot_path(name: str, size: tuple[int, int]) -> Path:
    """Where a scene's stored form is."""
    return SNAPSHOTS / f"{name}-{size[0]}x{size[1]}.txt"


def draw(gallery: Gallery, name: str, size: tuple[int, int]) -> dict[Path, str]:
    """Every file of a scene at one size: its stored form, and its pictures; small ones only in the dark."""
    both: dict[str, tuple[Look, str]] = capture(gallery, name, size, lambda driver: (look(driver), svg(driver)))
    files = {snapshot_path(name, size): snapshot({theme: one for theme, (one, _) in both.items()})}
    for theme, (_, picture) in both.items():
        if size == _LIGHT_SIZE or theme == "dark":
            files[SCREENSHOTS / f"{name}-{size[0]}x{size[1]}-{theme}.svg"] = picture
    return files


def main() -> int:
    """Draw, compare or accept; 1 where something is old."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="what to draw; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing; say which files are old")
    parser.add_argument("--accept", action="store_true", help="store the snapshots of the tests too")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    old = 0
    with tempfile.TemporaryDirectory() as folder, fixed_world(Path(folder)):
        gallery = hang(Path(folder))
        for name in options.scenes or SCENES:
            for size in SIZES:
                for path, content in draw(gallery, name, size).items():
                    if path.suffix == ".txt" and not (options.accept or options.check):
                        continue
                    if path.exists() and path.read_text(encoding="utf-8") == content:
                        continue
                    old += 1
                    print(path.relative_to(HERE.parent), "is old" if options.check else "written")
                    if not options.check:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_text(content, encoding="utf-8")
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
