"""What is read from folders and archives, and what is refused or left out."""

import gzip
import hashlib
import io
import os
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from image_sets import picture, refusal, small_set, write_folder, write_tar, write_zip
from PIL import Image

from alexnet_tui.datasets import images, sources
from alexnet_tui.datasets.catalog import read_source
from alexnet_tui.datasets.prepare import add_dataset, load_dataset
from alexnet_tui.datasets.sources import SourceContents, read_images
from alexnet_tui.errors import DatasetError
from alexnet_tui.paths import data_root


def left_out(name: str = "pets") -> dict[str, tuple[int, list[str]]]:
    """What the record of a data set says was left out, by reason."""
    source = read_source(data_root(), name)
    assert source is not None
    return {item.reason: (item.count, item.names) for item in source.left_out}


LITTER = {
    ".DS_Store": b"x",
    "__MACOSX/train/cat/._0.png": picture(5),
    "train/.ipynb_checkpoints/0-checkpoint.png": picture(6),
    "train/cat/.ipynb_checkpoints/1-checkpoint.png": picture(6),
    "train/cat/._0.png": b"x",
    "test/@eaDir/0.png": picture(7),
    "test/System Volume Information/0.png": picture(7),
    "test/dog/Thumbs.db": b"x",
}
STRAY = {
    "README": b"x",
    "docs/figure.png": picture(8),
    "train/cat/clip.gif": b"x",
    "train/cat/more/deep.png": picture(9),
    "train/loose.png": picture(9),
    "val/cat/0.png": picture(10),
}


def test_hidden_and_system_entries_are_no_data_in_any_kind_of_source(tmp_path: Path) -> None:
    files = {**small_set(), **LITTER, **STRAY}
    clean = add_dataset(write_folder(tmp_path / "clean", small_set()), "clean")
    folder = write_folder(tmp_path / "pets", files)
    (folder / "train/.empty").mkdir()
    sources = {"folder": folder, "tar": write_tar(tmp_path / "pets.tar.gz", files)}
    sources["zip"] = write_zip(tmp_path / "pets.zip", files)
    for kind, source in sources.items():
        info = add_dataset(source, kind)
        assert (info.kind, info.num_train, info.num_test, info.num_classes) == (kind, 6, 4, 2)
        assert info.sha256 == clean.sha256
        found = left_out(kind)
        assert found.pop("hidden")[0] == 8 + (kind == "folder")
        assert found == {
            "format": (1, ["train/cat/clip.gif"]),
            "deeper": (1, ["train/cat/more/"]),
            "outside": (3, found["outside"][1]),
            "split": (1, ["val/cat/0.png"]),
        }
        assert sorted(found["outside"][1]) == ["README", "docs/figure.png", "train/loose.png"]
        assert info.num_ignored == 14 + (kind == "folder")
        assert "8 hidden" in info.notes[0] or "9 hidden" in info.notes[0]


def test_a_set_of_an_older_version_with_a_hidden_class_is_not_trained_on(tmp_path: Path) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set()), "pets")
    manifest = next(data_root().glob("pets/*/manifest.json"))
    manifest.write_bytes(manifest.read_bytes().replace(b'"cat"', b'".ipynb_checkpoints"'))
    with pytest.raises(DatasetError, match=r"took the hidden folder \.ipynb_checkpoints for a class"):
        load_dataset("pets", 32)


# Links


def test_links_inside_a_folder_are_followed_and_others_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", small_set())
    outside = write_folder(tmp_path / "elsewhere", {"a.png": picture(50), "bird/b.png": picture(51)})
    inside = write_folder(folder, {"pool/c.png": picture(52), "pool/bird/d.png": picture(53)})
    (folder / "train/cat/in.png").symlink_to("../../pool/c.png")
    (folder / "train/cat/chain.png").symlink_to("in.png")
    (folder / "train/cat/hard.png").hardlink_to(outside / "a.png")
    for split in ("train", "test"):
        (folder / split / "bird").symlink_to(inside / "pool/bird")
        (folder / split / "out").symlink_to(outside / "bird")
    (folder / "train/cat/out.png").symlink_to(outside / "a.png")
    (folder / "train/cat/nowhere.png").symlink_to("gone.png")
    (folder / "train/cat/circle.png").symlink_to("circle.png")
    os.mkfifo(folder / "train/cat/pipe.png")
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    info = add_dataset(linked, "pets")
    assert (info.num_train, info.num_test, info.num_classes) == (10, 5, 3)
    found = left_out()
    assert found["link_outside"] == (3, ["test/out", "train/cat/out.png", "train/out"])
    assert found["link_broken"] == (2, ["train/cat/circle.png", "train/cat/nowhere.png"])
    assert found["special"] == (1, ["train/cat/pipe.png"])
    source = read_source(data_root(), "pets")
    assert source is not None
    assert (source.num_links, source.links[:2]) == (4, ["test/bird/", "train/bird/"])
    assert source.num_shared == 1  # The one bird is in both splits.


def test_folders_of_links_that_lead_out_are_refused_with_the_reason(tmp_path: Path) -> None:
    real = write_folder(tmp_path / "real", small_set())
    linked = tmp_path / "linked"
    linked.mkdir()
    for split in ("train", "test"):
        (linked / split).symlink_to(real / split)
    sentence = refusal(linked)
    assert "2 links out of the source, not followed (test, train)" in sentence


def test_attack_08_links_devices_and_names_that_leave_an_archive_are_counted_and_not_read(tmp_path: Path) -> None:
    kinds = {
        "passwd.png": (tarfile.SYMTYPE, "/etc/passwd"),
        "up.png": (tarfile.SYMTYPE, "../../../x.png"),
        "hard.png": (tarfile.LNKTYPE, "train/cat/passwd.png"),
        "device.png": (tarfile.CHRTYPE, ""),
        "same.png": (tarfile.LNKTYPE, "train/cat/0.png"),
        "soft.png": (tarfile.SYMTYPE, "../dog/1.png"),
        "chain.png": (tarfile.SYMTYPE, "soft.png"),
    }
    members = []
    for name, (kind, target) in kinds.items():
        member = tarfile.TarInfo(f"train/cat/{name}")
        member.type, member.linkname = kind, target
        members.append(member)
    bad = {"../train/cat/7.png": picture(7), "/train/cat/8.png": picture(8), "train/../train/cat/9.png": picture(9)}
    info = add_dataset(write_tar(tmp_path / "pets.tar", {**bad, **small_set()}, tuple(members)), "pets")
    assert info.num_train == 6 + 3
    assert left_out() == {
        "link_outside": (2, ["train/cat/passwd.png", "train/cat/up.png"]),
        "link_broken": (1, ["train/cat/hard.png"]),
        "special": (1, ["train/cat/device.png"]),
        "unsafe_name": (3, list(bad)),
    }


def test_links_of_a_zip_are_judged_like_those_of_a_tar(tmp_path: Path) -> None:
    links = {"train/cat/a.png": "0.png", "train/cat/b.png": "/etc/passwd", "train/cat/c.png": "gone.png"}
    info = add_dataset(write_zip(tmp_path / "pets.zip", small_set(), links), "pets")
    assert info.num_train == 7
    assert {reason: count for reason, (count, _) in left_out().items()} == {"link_outside": 1, "link_broken": 1}


# Bombs, damage


@pytest.mark.slow
def test_attack_09_a_bomb_is_cut_off_while_it_inflates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BUDGET_BYTES", 1 << 20)
    path = tmp_path / "bomb.tar.gz"
    member = tarfile.TarInfo("train/cat/0.png")
    member.size = 64 << 20
    with gzip.open(path, "wb") as file:
        file.write(member.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    assert "inflates to more than" in refusal(path)
    zeros = {f"train/cat/{number}.png": bytes(8 << 20) for number in range(8)}
    assert "inflates to more than" in refusal(write_zip(tmp_path / "bomb.zip", zeros))


def test_a_name_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "names.tar.gz"
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with gzip.open(path, "wb") as file:
        file.write(member.tobuf() + bytes(1 << 20))
    assert "a name in it has 1,073,741,824 bytes" in refusal(path)


def test_encrypted_and_unknown_ways_of_a_zip_are_sentences(tmp_path: Path) -> None:
    content = write_zip(tmp_path / "pets.zip", small_set()).read_bytes()
    directory = content.index(b"PK\x01\x02")
    for place, value, word in ((8, 1, "is encrypted"), (10, 97, "is not a whole tar or zip archive")):
        changed = bytearray(content)
        changed[directory + place] = value
        (tmp_path / "changed.zip").write_bytes(changed)
        assert word in refusal(tmp_path / "changed.zip")


def test_truncated_archives_are_refused(tmp_path: Path) -> None:
    files = small_set(num_train=20, num_test=20)
    for suffix in (".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip"):
        write = write_zip if suffix == ".zip" else write_tar
        path = write(tmp_path / f"pets{suffix}", files)
        # A plain archive ends in zeros that nobody misses; cut inside the last member's header instead.
        content = path.read_bytes().rstrip(b"\0")
        for share in (0.1, 0.5, 0.9):
            path.write_bytes(content[: int(len(content) * share)])
            assert "is not a whole tar or zip archive" in refusal(path), (suffix, share)


def test_an_archive_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "pets.tar", small_set())
    with tarfile.open(path) as opened:
        cut = opened.getmembers()[-1].offset
    path.write_bytes(path.read_bytes()[:cut])
    assert "is not a whole tar or zip archive" in refusal(path)


def test_a_damaged_header_does_not_pass_for_the_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "pets.tar", small_set())
    with tarfile.open(path) as opened:
        place = opened.getmembers()[5].offset
    content = bytearray(path.read_bytes())
    content[place : place + 100] = b"\xff" * 100
    path.write_bytes(content)
    assert "is not a whole tar or zip archive" in refusal(path)


def test_a_damaged_checksum_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "pets.tar.gz", small_set())
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    assert refusal(path)
    path = write_zip(tmp_path / "pets.zip", small_set())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 16] ^= 0xFF
    path.write_bytes(content)
    assert "Bad CRC-32" in refusal(path)


NAMES = st.lists(
    st.sampled_from(["train", "test", "val", "cat", "dog", "0.png", "1.JPG", "x.gif", "..", ".", "", ".git", "\udcff"])
    | st.text(max_size=4),
    min_size=1,
    max_size=6,
).map("/".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, max_size=8, unique=True),
    kinds=st.lists(st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, b"6"])),
    flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=4),
    as_zip=st.booleans(),
)
@example(names=[""], kinds=[], flips=[], as_zip=True)
@example(names=["train/cat/0.png", "/train/cat/1.png"], kinds=[], flips=[], as_zip=True)
def test_attack_08_any_names_and_bytes_end_in_images_or_a_sentence(
    names: list[str], kinds: list[bytes], flips: list[tuple[int, int]], as_zip: bool
) -> None:
    """Whatever an archive holds, its images have safe keys, and every entry is read or counted."""
    buffer = io.BytesIO()
    if as_zip:
        with zipfile.ZipFile(buffer, "w") as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                opened.writestr(zipfile.ZipInfo(name.encode(errors="replace").decode()), b"x")
    else:
        with tarfile.open(fileobj=buffer, mode="w") as opened:
            for name, kind in zip(names, [*kinds, *[tarfile.REGTYPE] * len(names)], strict=False):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, "train/cat/0.png"
                member.size = 1 if kind == tarfile.REGTYPE else 0
                opened.addfile(member, io.BytesIO(b"x"))
    content = bytearray(buffer.getvalue())
    for place, value in flips:
        content[place % len(content)] = value
    contents = SourceContents(name="x")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source"
        path.write_bytes(content)
        try:
            found = [key for key, _ in read_images(path, contents)]
        except DatasetError:
            return
    for key in found:
        assert key.split in {"train", "test", "val"}
        assert not any(part in {"", ".", ".."} or part.startswith(".") or "/" in part for part in key)
    if not flips:
        assert all(item.count >= len(item.names) > 0 for item in contents.left_out.result())


# Layout


def test_what_is_no_data_set_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    no_test = {name: data for name, data in small_set().items() if name.startswith("train")}
    flat = {"a.png": picture(1), "train/b.png": picture(2)}
    for path, sentence in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "pipe", "is neither a folder nor an archive"),
        (Path("/dev/zero"), "is neither a folder nor an archive"),
        (tmp_path / "empty", "there are no training images"),
        (tmp_path / "text", "is not a whole tar or zip archive"),
        (write_folder(tmp_path / "flat", flat), "there are no training images"),
        (write_folder(tmp_path / "no-test", no_test), "there are no test images"),
    ):
        assert sentence in refusal(path)


def test_empty_and_unmatched_classes_are_named(tmp_path: Path) -> None:
    empty = write_folder(tmp_path / "empty", small_set())
    (empty / "train/bird").mkdir()
    folder = tarfile.TarInfo("train/bird")
    folder.type = tarfile.DIRTYPE
    one = {name: data for name, data in small_set().items() if "cat" in name}
    for path, sentence in (
        (empty, "train/bird holds no image"),
        (write_tar(tmp_path / "e.tar", small_set(), (folder,)), "train/bird holds no image"),
        (
            write_folder(tmp_path / "a", {**small_set(), "test/cow/0.png": picture(3)}),
            "cow is in test but not in train",
        ),
        (write_folder(tmp_path / "b", {**small_set(), "train/cow/0.png": picture(3)}), "cow is in train but not in"),
        (write_folder(tmp_path / "one", one), "there is one class"),
    ):
        assert sentence in refusal(path)


def test_names_of_classes_that_no_record_could_hold_are_refused_before_decoding(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for number in range(4_500):
            for split in ("train", "test"):
                archive.addfile(tarfile.TarInfo(f"{split}/{number:0200}/a.png"))
    with pytest.raises(DatasetError, match=r"names of its 4,500 classes take 913,501 bytes, more than 800,000\."):
        add_dataset(tmp_path / "set.tar", "mine")
    assert not (tmp_path / "data" / "mine").exists()


def test_a_name_that_stands_twice_or_under_two_tops_is_refused(tmp_path: Path) -> None:
    two = {f"{top}/{name}": data for top in ("a", "b") for name, data in small_set().items()}
    assert "a and b" in refusal(write_folder(tmp_path / "two", two))
    path = write_tar(tmp_path / "twice.tar", {**small_set(), "./train/cat/0.png": picture(5)})
    assert "train/cat/0.png twice" in refusal(path)


def folders_of(files: dict[str, bytes]) -> tuple[tarfile.TarInfo, ...]:
    """An entry for each folder, as tar writes them."""
    found = []
    for parent in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
        found.append(tarfile.TarInfo(parent))
        found[-1].type = tarfile.DIRTYPE
    return tuple(found)


def added(kind: str, path: Path, files: dict[str, bytes]) -> tuple[str, int, int, int, dict[str, int]]:
    """What `add` finds in an archive or a folder."""
    source = write_folder(path, files) if kind == "folder" else write_tar(path, files, folders_of(files))
    info = add_dataset(source, path.stem)
    return (
        info.sha256,
        info.num_train,
        info.num_test,
        info.num_classes,
        {one.reason: one.count for one in info.left_out},
    )


@pytest.mark.parametrize("kind", ["tar", "folder"])
@pytest.mark.parametrize("top", ["train", "test", "val"])
def test_a_set_whose_top_folder_is_called_as_a_split_is_read_as_any_other(tmp_path: Path, kind: str, top: str) -> None:
    extra = {
        "train/loose.png": picture(20, (9, 9)),
        "train/cat/more/deep.png": picture(21),
        "test/cat/more/deep.png": picture(22),
    }
    files = {**small_set(), **extra}
    plain = added(kind, tmp_path / "plain", {f"pets/{name}": data for name, data in files.items()})
    named = added(kind, tmp_path / "named", {f"{top}/{name}": data for name, data in files.items()})
    assert named == plain
    assert plain[1:] == (6, 4, 2, {"outside": 1, "deeper": 2})
    stored = [read_source(data_root(), name) for name in ("plain", "named")]
    assert {source.native_size for source in stored if source} == {8}


def test_a_broken_link_beside_the_classes_of_a_top_folder_called_test_is_one_entry_left_out(tmp_path: Path) -> None:
    link = tarfile.TarInfo("test/train/gone.png")
    link.type, link.linkname = tarfile.SYMTYPE, "nowhere.png"
    files = {f"test/{name}": data for name, data in small_set().items()}
    add_dataset(write_tar(tmp_path / "pets.tar", files, (link,)), "pets")
    assert left_out() == {"link_broken": (1, ["test/train/gone.png"])}


@pytest.mark.parametrize("kind", ["tar", "folder"])
def test_classes_that_are_called_as_splits_are_classes(tmp_path: Path, kind: str) -> None:
    renamed = {name.replace("/cat/", "/test/").replace("/dog/", "/train/"): data for name, data in small_set().items()}
    assert added(kind, tmp_path / "set", renamed)[1:] == (6, 4, 2, {})
    assert load_dataset("set", 32).class_names == ("test", "train")
    (tmp_path / "empty").mkdir()
    empty = write_folder(tmp_path / "empty", {**small_set(), "train/val/a.gif": b"x"})
    assert "train/val holds no image" in refusal(empty, "empty")


def test_images_beside_a_top_folder_that_is_called_as_a_split_are_a_second_set(tmp_path: Path) -> None:
    files = {**{f"test/{name}": data for name, data in small_set().items()}, "val/train/0.png": picture(30)}
    assert "there are train, test or val folders in the top and test" in refusal(write_folder(tmp_path / "two", files))


def test_hostile_class_names_are_stored_printable(tmp_path: Path) -> None:
    files = {name.replace("dog", "\x1b[2J\u202edog"): data for name, data in small_set().items()}
    add_dataset(write_tar(tmp_path / "pets.tar", files), "pets")
    assert load_dataset("pets", 32).class_names == ("\\x1b[2J\\u202edog", "cat")


# Images


def test_unreadable_images_are_named_and_refused_or_left_out(tmp_path: Path) -> None:
    files = small_set()
    files["train/cat/1.png"] = files["train/cat/1.png"][:60]
    files["train/dog/0.png"] = b"\x1b]0;not an image\x07"
    folder = write_folder(tmp_path / "pets", files)
    sentence = refusal(folder)
    for word in ("2 images", "train/cat/1.png", "train/dog/0.png", "--skip-unreadable"):
        assert word in sentence
    assert "\x1b" not in sentence

    info = add_dataset(folder, "pets", skip_unreadable=True)
    assert (info.num_train, info.num_test, info.num_skipped) == (4, 4, 2)
    opened = load_dataset("pets", 32)
    kept = ["train/cat/0.png", "train/cat/2.png", "train/dog/1.png", "train/dog/2.png"]
    expected = np.stack([images.decode_image(files[name], 8) for name in kept])
    assert np.array_equal(opened.train.images, expected)
    assert opened.train.labels.tolist() == [0, 0, 1, 1]
    count, names = left_out()["unreadable"]
    assert (count, [name.split(" ")[0] for name in names]) == (2, ["train/cat/1.png", "train/dog/0.png"])


def png(colours: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A picture of 8x8 pixels in these chunks and a head; 2 are colours, 3 colours of a palette."""
    head = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (head, *chunks, (b"IEND", b""))
    )


COLOURS = (b"IDAT", zlib.compress((b"\0" + bytes(24)) * 8))
PALETTE = (b"IDAT", zlib.compress((b"\0" + bytes(8)) * 8))
DAMAGED = {
    "an empty profile behind the pixels": png(2, COLOURS, (b"iCCP", b"")),
    "no palette for its colours": png(3, (b"tRNS", b"\0"), PALETTE),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_an_image_at_which_pillow_fails_by_mistake_is_damaged(tmp_path: Path, what: str) -> None:
    assert images.decode_image(png(2, COLOURS), 8).shape == (3, 8, 8), "but for the fault it is an image"
    folder = write_folder(tmp_path / "pets", {**small_set(), "train/cat/bad.png": DAMAGED[what]})
    assert "train/cat/bad.png (it is damaged)" in refusal(folder)
    info = add_dataset(folder, "pets", skip_unreadable=True)
    assert (info.num_train, info.num_skipped) == (6, 1)
    assert left_out()["unreadable"] == (1, ["train/cat/bad.png (it is damaged)"])


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("x"), MemoryError()])
def test_whatever_an_image_library_raises_is_of_the_image_but_for_a_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bad, opened = picture(99), Image.open

    def fail(file: io.BytesIO, formats: tuple[str, ...]) -> Image.Image:
        if file.getvalue() == bad:
            raise error
        return opened(file, formats=formats)

    monkeypatch.setattr(Image, "open", fail)
    folder = write_folder(tmp_path / "pets", {**small_set(), "train/cat/bad.png": bad})
    if isinstance(error, MemoryError):
        with pytest.raises(MemoryError):
            add_dataset(folder, "pets", skip_unreadable=True)
    else:
        assert add_dataset(folder, "pets", skip_unreadable=True).num_skipped == 1


def test_a_class_without_any_readable_image_is_refused_even_when_skipping(tmp_path: Path) -> None:
    files = {name: (b"x" if name.startswith("test/dog") else data) for name, data in small_set().items()}
    path = write_folder(tmp_path / "pets", files)
    assert "no image of test/dog can be read" in refusal(path, skip_unreadable=True)


def test_webp_and_bmp_are_images_whatever_their_ending(tmp_path: Path) -> None:
    files = small_set()
    for number, kind in enumerate(("BMP", "WEBP")):
        files[f"train/cat/{kind}.{kind.lower()}"] = picture(60 + number, kind=kind)
        files[f"train/dog/{kind}.jpg"] = picture(70 + number, kind=kind)
    info = add_dataset(write_folder(tmp_path / "pets", files), "pets")
    assert (info.num_train, info.num_ignored) == (10, 0)
    train = load_dataset("pets", 32).train
    rows = [(train.images[row] == images.decode_image(picture(60), 8)).all() for row in range(len(train.images))]
    assert rows.count(True) == 1


def test_exif_orientation_turns_an_image_and_enters_the_hash(tmp_path: Path) -> None:
    upright = Image.frombytes("RGB", (8, 8), bytes(np.random.default_rng(0).integers(0, 256, 192, dtype=np.uint8)))
    plain = io.BytesIO()
    upright.save(plain, "PNG")
    contents = {1: plain.getvalue()}
    # How a camera that was held otherwise stores the picture.
    stored_as = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    stored_as |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    for orientation, turn in stored_as.items():
        exif, buffer = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        upright.transpose(Image.Transpose[turn]).save(buffer, "PNG", exif=exif)
        contents[orientation] = buffer.getvalue()
        assert (images.decode_image(contents[orientation], 8) == images.decode_image(plain.getvalue(), 8)).all()
    hashes = {}
    for orientation, content in contents.items():
        folder = write_folder(tmp_path / str(orientation), {**small_set(), "train/cat/0.png": content})
        hashes[orientation] = add_dataset(folder, f"s{orientation}").sha256
    assert len(set(hashes.values())) == 8
    # The hash of upright images is the one of version 1, of names and file hashes alone; that of turned ones is not.
    for orientation, content in contents.items():
        before = hashlib.sha256()
        for name, data in sorted({**small_set(), "train/cat/0.png": content}.items()):
            before.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
        assert (hashes[orientation] == before.hexdigest()) == (orientation == 1)


def test_a_damaged_exif_block_leaves_the_image_as_it_is() -> None:
    for content in (b"Exif\0\0damaged", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert images.decode_image(buffer.getvalue(), 8).shape == (3, 8, 8)


def test_test_images_that_are_training_images_are_named(tmp_path: Path) -> None:
    files = small_set()
    files["test/dog/copy.png"] = files["train/cat/1.png"]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(files["train/dog/2.png"])).save(buffer, "BMP")
    files["test/cat/other.bmp"] = buffer.getvalue()
    info = add_dataset(write_folder(tmp_path / "pets", files), "pets")
    source = read_source(data_root(), "pets")
    assert source is not None
    assert source.num_shared == 2
    assert source.shared == ["test/cat/other.bmp = train/dog/2.png", "test/dog/copy.png = train/cat/1.png"]
    assert any("2 test images also in training" in note for note in info.notes)


def test_an_image_of_too_many_pixels_or_bytes_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = bytearray(picture(1))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    folder = write_folder(tmp_path / "pets", {**small_set(), "train/cat/bomb.png": bytes(bomb)})
    assert "60000x60000 pixels are more than 64,000,000" in refusal(folder)
    assert add_dataset(folder, "pets", skip_unreadable=True).num_train == 6
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 200)
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 200)
    files = {**small_set((4, 4)), "train/cat/9.png": picture(9, (40, 40))}
    assert "it has more than 200 bytes" in refusal(write_folder(tmp_path / "large", files), "large")


def test_pillow_never_warns_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(buffer, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        sentence = refusal(write_folder(tmp_path / "pets", {**small_set(), "train/cat/9.png": buffer.getvalue()}))
    assert "13000x13000 pixels" in sentence
    assert "Warning" not in capfd.readouterr().err


if sys.platform != "darwin":  # Names there are text.

    def test_names_that_are_no_text_are_read(tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "pets", small_set())
        with open(os.fsencode(folder / "train/cat") + b"/latin-\xe9.png", "wb") as file:
            file.write(picture(80))
        with open(os.fsencode(folder / "train/cat") + b"/latin-\xe9.gif", "wb") as file:
            file.write(b"x")
        assert add_dataset(folder, "pets").num_train == 7
        assert left_out()["format"] == (1, ["train/cat/latin-\\udce9.gif"])


def test_images_that_are_left_out_do_not_decide_the_native_size(tmp_path: Path) -> None:
    files = {**small_set((8, 8)), "val/cat/0.png": picture(10, (9, 7))}
    found = images.scan("pets", write_folder(tmp_path / "pets", files), lambda progress: None)
    assert found.native_size == 8
