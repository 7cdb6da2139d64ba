"""Every screen at two sizes and in both themes looks as it did when a person last accepted it."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import SCENES, SIZES, Gallery, capture, fixed_world, hang, look, snapshot
from screenshots import snapshot_path

from alexnet_tui.store import Notes

_HOW = (
    "The screen is not what {path} holds. If it is as it should be, accept it: "
    "python tests/screenshots.py --accept {name}"
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return hang(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(autouse=True)
def world(gallery: Gallery, isolated: None, terminal: None) -> Iterator[None]:
    with fixed_world(gallery.store.root.parent):
        yield


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("name", SCENES)
def test_the_screen_is_as_accepted(gallery: Gallery, name: str, size: tuple[int, int]) -> None:
    path = snapshot_path(name, size)
    found = snapshot(capture(gallery, name, size, look))
    stored = path.read_text(encoding="utf-8") if path.exists() else ""
    if found != stored:
        lines = difflib.unified_diff(stored.splitlines(), found.splitlines(), "accepted", "now", n=0, lineterm="")
        relative = path.relative_to(Path(__file__).parents[2])
        pytest.fail("\n".join([_HOW.format(path=relative, name=name), *list(lines)[:120]]), pytrace=False)


def test_drawing_twice_is_the_same_and_a_changed_name_is_not(gallery: Gallery) -> None:
    before, again = (snapshot(capture(gallery, "runs", SIZES[1], look)) for _ in range(2))
    assert again == before
    run_id = gallery.study[-1]
    gallery.store.save_notes(run_id, Notes(label="another name"))
    try:
        after = snapshot(capture(gallery, "runs", SIZES[1], look))
    finally:
        (gallery.store.path(run_id) / "notes.json").unlink()
    lines = set(after.splitlines()) - set(before.splitlines())
    assert any("another name" in line for line in lines)
