"""Labels added to folders: the added label wins, and no test image is trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.added import join
from galaxy_edge.inputs.catalogue import read
from galaxy_edge.inputs.label_file import COLUMNS
from galaxy_edge.inputs.labelled import scan
from galaxy_edge.inputs.tables import Columns
from tests.conftest import encoded, galaxy, make_data

CLASSES = ("Fake", "Real")
HEADER = ",".join(COLUMNS)


def labels(path: Path, *pairs: tuple[object, str]) -> Path:
    lines = [f"{name},{label},,ok,Real,0.9,2026-11-26T12:00:00Z" for name, label in pairs]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def image(path: Path, seed: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(galaxy(seed)))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", train=3, valid=2, test=2)


def test_a_new_image_joins_train(root: Path, tmp_path: Path) -> None:
    image(tmp_path / "night" / "new.png", 900)
    table = labels(tmp_path / "labels.csv", ("night/new.png", "fake"))
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [table], CLASSES)
    assert (joined.problems, joined.relabelled, joined.new) == ([], 0, 1)
    assert joined.splits["Train"][-1].path == tmp_path / "night" / "new.png"
    assert joined.splits["Train"][-1].label == 0
    assert joined.splits["Valid"] == listed["Valid"]
    assert joined.splits["Test"] == listed["Test"]


@pytest.mark.parametrize("split", ["Train", "Valid", "Test"])
@pytest.mark.parametrize("copied", [False, True])
def test_the_added_label_wins_and_the_split_stays(
    root: Path, tmp_path: Path, split: str, copied: bool
) -> None:
    file = root / split / "Real" / "001.png"
    named = file
    if copied:
        named = tmp_path / "copy.png"
        shutil.copy(file, named)
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [labels(tmp_path / "labels.csv", (named, "Fake"))], CLASSES)
    assert (joined.problems, joined.relabelled, joined.new) == ([], 1, 0)
    for name, files in joined.splits.items():
        changed = [one for one, old in zip(files, listed[name], strict=True) if one != old]
        assert [(one.path, one.label) for one in changed] == ([(file, 0)] if name == split else [])


def test_the_last_catalogue_wins(root: Path, tmp_path: Path) -> None:
    new = image(tmp_path / "new.png", 900)
    first = labels(tmp_path / "a.csv", (new, "Real"), (new, "Fake"), (new, "Real"))
    (tmp_path / "b.csv").write_text(f"label,path\nFake,{new}\n")
    listed, _ = scan(root, CLASSES)
    for tables, label in (([first], 1), ([first, tmp_path / "b.csv"], 0)):
        joined = join(listed, tables, CLASSES)
        assert [file.label for file in joined.splits["Train"][6:]] == [label]


def test_a_label_that_was_taken_away_adds_nothing(root: Path, tmp_path: Path) -> None:
    new = image(tmp_path / "new.png", 900)
    listed, _ = scan(root, CLASSES)
    joined = join(listed, [labels(tmp_path / "a.csv", (new, "Real"), (new, ""))], CLASSES)
    assert (joined.splits, joined.new) == (listed, 0)


def test_every_row_that_cannot_be_used_is_named(root: Path, tmp_path: Path) -> None:
    new = image(tmp_path / "new.png", 900)
    table = labels(
        tmp_path / "a.csv", ("gone.png", "Real"), (new, "Star"), ("night.tar#m51.png", "Real")
    )
    first, second, third = join(scan(root, CLASSES)[0], [table], CLASSES).problems
    assert first == f"row 1 of {table}: gone.png: there is no such file"
    assert second == f"row 2 of {table}: {new}: Star is not one of the classes (Fake, Real)"
    assert "night.tar#m51.png: not found in the container" in third
    with pytest.raises(UsageError, match="no column"):
        (tmp_path / "b.csv").write_text("file,type\na,b\n")
        join({}, [tmp_path / "b.csv"], CLASSES)


def test_a_class_that_loses_all_its_images_is_a_problem(root: Path, tmp_path: Path) -> None:
    pairs = [(root / "Valid" / "Real" / f"{one:03}.png", "Fake") for one in range(2)]
    joined = join(scan(root, CLASSES)[0], [labels(tmp_path / "a.csv", *pairs)], CLASSES)
    assert joined.problems == ["Valid has no image of Real with the added labels"]


def test_a_file_of_labels_alone_is_a_catalogue_of_its_last_lines(tmp_path: Path) -> None:
    images = [image(tmp_path / f"{one}.png", one) for one in range(40)]
    pairs = [(file, "Real" if one % 2 else "Fake") for one, file in enumerate(images)]
    table = labels(tmp_path / "a.csv", *pairs, (images[0], "Real"), (images[1], ""))
    found = read(table, Columns("path", "label"))
    files = {file.path: file.label for files in found.splits.values() for file in files}
    assert found.problems == ()
    assert files[images[0]] == 1
    assert images[1] not in files
    assert len(files) == 39
