"""Every screen at two sizes, the large one in both themes, looks as it did when a person last accepted it."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import SCENES, SIZES, Gallery, fixed_world, write_gallery
from screenshots import draw, snapshot_path

from alexnet_tui.runs.notes import Notes

ROOT = Path(__file__).parents[2]
_MOST_LINES = 120
_HOW = (
    "The screen is not what {path} holds. If it is as it should be, accept it:"
    " python tests/screenshots.py --accept {name}"
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return write_gallery(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(autouse=True)
def world(gallery: Gallery, isolated: None, terminal: None) -> Iterator[None]:
    with fixed_world(gallery.store.root.parent):
        yield


@pytest.mark.parametrize(
    "size",
    [pytest.param(SIZES[0], marks=pytest.mark.slow), SIZES[1]],
    ids=[f"{width}x{height}" for width, height in SIZES],
)
@pytest.mark.parametrize("name", SCENES)
def test_the_screen_is_as_accepted(gallery: Gallery, name: str, size: tuple[int, int]) -> None:
    path, found = snapshot_path(name, size), draw(gallery, name, size)
    accepted = path.read_text(encoding="utf-8")
    if accepted != found:
        lines = difflib.unified_diff(accepted.splitlines(), found.splitlines(), "accepted", "now", n=0, lineterm="")
        how = _HOW.format(path=path.relative_to(ROOT), name=name)
        pytest.fail("\n".join([how, *list(lines)[:_MOST_LINES]]), pytrace=False)


@pytest.mark.slow
def test_drawing_twice_is_the_same_and_a_changed_name_is_not(gallery: Gallery) -> None:
    before, again = (draw(gallery, "runs", SIZES[1]) for _ in range(2))
    assert again == before
    run_id = gallery.compared[-1]
    gallery.store.change_notes(run_id, lambda _: Notes(label="another name"))
    try:
        after = draw(gallery, "runs", SIZES[1])
    finally:
        (gallery.store.path(run_id) / "notes.json").unlink()
    lines = set(after.splitlines()) - set(before.splitlines())
    assert any("another name" in line for line in lines)
