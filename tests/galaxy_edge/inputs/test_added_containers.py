"""Labels of images in containers added to folders: the same image, its label, and its split."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import ImageError
from galaxy_edge.inputs.added import join
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.mixed import MixedImages
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.label_file import COLUMNS
from galaxy_edge.inputs.labelled import LabelledFile, load, scan
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.outputs.text import csv_line
from tests.conftest import encoded, make_data
from tests.galaxy_edge.inputs.containers.kinds import KINDS, Packed, parquet
from tests.galaxy_edge.inputs.containers.packing import packed as archive_of
from tests.galaxy_edge.inputs.containers.packing import tarred

CLASSES = ("Fake", "Real")
COUNT = 45
#: Not in the order of the rows, and two images have one identifier.
IDS = [str(900 + (7 * number) % COUNT) for number in range(COUNT - 1)] + ["900"]


def labels(path: Path, *rows: tuple[object, str, str]) -> Path:
    """A file of labels with paths, labels and identifiers."""
    lines = [
        csv_line((str(name), label, key, "ok", "Real", 0.9, "2026-11-26T12:00:00Z"))
        for name, label, key in rows
    ]
    path.write_bytes((",".join(COLUMNS) + "\n" + "".join(lines)).encode())
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", train=3, valid=2, test=2)


@pytest.fixture(params=KINDS)
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Packed:
    return KINDS[request.param](tmp_path, IDS)


def test_each_label_is_of_its_image(root: Path, tmp_path: Path, packed: Packed) -> None:
    listed, _ = scan(root, CLASSES)
    chosen = [44, 3, 20, 19, 0]
    given = [(packed.paths[one], "Real" if one % 2 else "Fake", IDS[one]) for one in chosen]
    # The first one is corrected later, as a review appends it.
    table = labels(tmp_path / "l.csv", (given[0][0], "Real", IDS[44]), *given)
    images = MixedImages(packed.layout)
    joined = join(listed, [table], CLASSES, images)
    assert (joined.problems, joined.relabelled, joined.new) == ([], 0, 5)
    assert {split: joined.splits[split] for split in ("Valid", "Test")} == {
        split: listed[split] for split in ("Valid", "Test")
    }
    added = joined.splits["Train"][6:]
    numbers = [packed.paths.index(str(file.path)) for file in added]
    assert sorted(numbers) == sorted(chosen)
    for _ in range(2):
        found = list(images.of(joined.splits["Train"]))
        assert [Path(str(one.path)) for one in found] == [
            file.path for file in joined.splits["Train"]
        ]
        for file, number, source in zip(added, numbers, found[6:], strict=True):
            assert file.label == number % 2
            np.testing.assert_array_equal(np.asarray(read(source)), packed.looks[number])


def test_a_row_that_is_not_what_was_labelled_is_named(
    root: Path, tmp_path: Path, packed: Packed
) -> None:
    """As if the container had been sorted since the review, or an option were missing."""
    table = labels(
        tmp_path / "l.csv",
        (packed.paths[1], "Real", IDS[2]),
        (packed.paths[3], "Real", "x"),
        (packed.path + "#99", "Real", ""),
        (packed.paths[4], "Star", IDS[4]),
    )
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [table], CLASSES, MixedImages(packed.layout))
    first, second, third, fourth = joined.problems
    assert f"{packed.paths[1]}: it was labelled with the identifier {IDS[2]}, and" in first
    assert f"the container has the identifier {IDS[3]} in this place" in second
    assert "not found in the container" in third
    assert "Star is not one of the classes" in fourth
    assert all(one.startswith("row ") for one in joined.problems)
    assert joined.splits == listed


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz", "a.zip", "parquet"])
@pytest.mark.parametrize("split", ["Train", "Valid", "Test"])
def test_a_copy_of_a_listed_image_keeps_its_split(
    root: Path, tmp_path: Path, kind: str, split: str
) -> None:
    file = root / split / "Real" / "001.png"
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet as pq

        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"picture": [b"x", file.read_bytes()], "name": ["a", "b"]}), path)
        place, images = f"{path}#1", MixedImages(Layout("picture", "name"))
    else:
        path = archive_of(tmp_path / kind, {"x.png": b"x", "b.png": file.read_bytes()})
        place, images = f"{path}#b.png", MixedImages()
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [labels(tmp_path / "l.csv", (place, "Fake", "b"))], CLASSES, images)
    assert (joined.problems, joined.relabelled, joined.new) == ([], 1, 0)
    for name, files in joined.splits.items():
        changed = [one for one, old in zip(files, listed[name], strict=True) if one != old]
        assert changed == ([LabelledFile(file, 0)] if name == split else [])


def test_one_image_in_two_containers_has_its_last_label(root: Path, tmp_path: Path) -> None:
    content = (root / "Train" / "Real" / "000.png").read_bytes() + b"another"
    first = archive_of(tmp_path / "a.tar.gz", {"x.png": content})
    second = archive_of(tmp_path / "b.zip", {"y.png": content})
    plain = tmp_path / "z.png"
    plain.write_bytes(content)
    rows = [(f"{first}#x.png", "Real", "x"), (f"{second}#y.png", "Fake", "y")]
    listed, _ = scan(root, CLASSES)
    for given, place, label in (
        (rows, rows[1][0], 0),
        (rows[::-1], rows[0][0], 1),
        ([*rows, (plain, "Real", str(plain))], plain, 1),
    ):
        joined = join(listed, [labels(tmp_path / "l.csv", *given)], CLASSES)
        assert joined.problems == []
        assert joined.splits["Train"][6:] == [LabelledFile(Path(place), label)]


def test_a_name_that_an_archive_has_twice_and_a_label_that_was_taken_away(
    root: Path, tmp_path: Path
) -> None:
    one = tarred({"a.png": b"1", "b.png": b"2"})
    other = tarred({"a.png": b"3"})
    path = tmp_path / "a.tar"
    path.write_bytes(one[: 4 * 512] + other)
    table = labels(
        tmp_path / "l.csv", (f"{path}#a.png", "Real", "a"), (f"{path}#b.png", "Real", "b"),
        (f"{path}#b.png", "", "b"),
    )  # fmt: skip
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [table], CLASSES)
    (problem,) = joined.problems
    assert "has this name more than once" in problem
    assert joined.splits == listed


def test_options_that_are_missing_are_named(root: Path, tmp_path: Path) -> None:
    packed = parquet(tmp_path, IDS)
    listed, _ = scan(root, CLASSES)
    table = labels(tmp_path / "l.csv", (packed.paths[0], "Real", IDS[0]))
    (problem,) = join(listed, [table], CLASSES).problems
    assert "--image-column" in problem
    (problem,) = join(listed, [table], CLASSES, MixedImages(Layout("picture"))).problems
    assert "--id-column" in problem
    (tmp_path / "m.fits").write_bytes(b"")
    table = labels(tmp_path / "l.csv", (tmp_path / "m.fits#0", "Real", "1"))
    (problem,) = join(listed, [table], CLASSES).problems
    assert "--catalogue" in problem


def test_an_image_that_is_gone_at_the_second_reading_is_a_fault(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.tar", {f"{n}.png": b"x" for n in range(3)})
    files = [LabelledFile(Path(f"{path}#{n}.png"), 0) for n in range(3)]
    archive_of(path, {"0.png": b"x", "2.png": b"x"})
    first, second, third = MixedImages().of(files)
    assert isinstance(second.content, ImageError)
    assert (first.content, third.content) == (b"x", b"x")
    with pytest.raises(ValueError, match="must come after"):
        list(MixedImages().of([files[0], LabelledFile(tmp_path / "x.png", 0)]))


def test_digests_are_those_of_the_rows(tmp_path: Path) -> None:
    """`export` compares them with those that the run has recorded."""
    packed = parquet(tmp_path, IDS)
    files = [LabelledFile(Path(packed.paths[number]), 0) for number in (0, 21)]
    loaded = load(files, Preprocessing(12), sources=MixedImages(packed.layout).of(files))
    assert loaded.digests == tuple(
        hashlib.sha256(encoded(packed.looks[number])).hexdigest() for number in (0, 21)
    )
