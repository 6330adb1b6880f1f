from __future__ import annotations

import csv
from pathlib import Path

import pytest

from galaxy_edge.errors import DatasetError, UsageError
from galaxy_edge.inputs.catalogue import Catalogue, read
from galaxy_edge.inputs.tables import Columns
from tests.conftest import encoded, galaxy

COLUMNS = Columns("file", "type")
SPLIT = Columns("file", "type", "split")


def catalogue(folder: Path, rows: list[tuple[str, ...]], header=("file", "type")) -> Path:
    path = folder / "catalogue.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def images(folder: Path, count: int) -> list[str]:
    (folder / "stamps").mkdir()
    names = [f"stamps/{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(encoded(galaxy(number, 8)))
    return names


def names_of(found: Catalogue, split: str) -> set[str]:
    return {file.path.name for file in found.splits[split]}


def test_classes_are_sorted_and_paths_are_relative_to_the_catalogue(tmp_path: Path):
    names = images(tmp_path, 60)
    types = ("spiral", "elliptical", "irregular")
    path = catalogue(tmp_path, [(name, types[n % 3]) for n, name in enumerate(names)])
    found = read(path, COLUMNS)
    assert found.classes == ("elliptical", "irregular", "spiral")
    assert (found.root, found.problems) == (tmp_path, ())
    files = [file for split in ("Train", "Valid") for file in found.splits[split]]
    assert len(files) == 60
    for file in files:
        assert file.path.exists()
        assert found.classes[file.label] == types[int(file.path.stem) % 3]


def test_two_classes_called_fake_and_real_keep_their_order(tmp_path: Path):
    names = images(tmp_path, 40)
    path = catalogue(tmp_path, [(name, ("real", "FAKE")[n % 2]) for n, name in enumerate(names)])
    assert read(path, COLUMNS).classes == ("Fake", "Real")


def test_the_split_follows_from_the_content_alone(tmp_path: Path):
    names = images(tmp_path, 200)
    rows = [(name, "ab"[n % 2]) for n, name in enumerate(names)]
    whole = read(catalogue(tmp_path, rows), COLUMNS)
    assert 20 <= len(whole.splits["Valid"]) <= 60
    # Others come and go, and the order changes; no image changes sides.
    part = read(catalogue(tmp_path, rows[:100][::-1]), COLUMNS)
    assert names_of(part, "Valid") == names_of(whole, "Valid") & {
        Path(name).name for name in names[:100]
    }
    more = read(catalogue(tmp_path, rows), Columns("file", "type", valid=0.5))
    assert names_of(whole, "Valid") < names_of(more, "Valid")


def test_equal_images_are_in_one_split(tmp_path: Path):
    names = images(tmp_path, 40)
    for name in names:
        (tmp_path / f"{name}.copy.png").write_bytes((tmp_path / name).read_bytes())
    rows = [
        (f"{name}{end}", "ab"[n % 2]) for n, name in enumerate(names) for end in ("", ".copy.png")
    ]
    found = read(catalogue(tmp_path, rows), COLUMNS)
    valid = names_of(found, "Valid")
    assert all(f"{name}.copy.png" in valid for name in valid if "copy" not in name)
    assert len(valid) % 2 == 0


def test_a_column_may_name_the_split(tmp_path: Path):
    names = images(tmp_path, 12)
    splits = ("train", "Valid", "TEST")
    rows = [(name, "ab"[n % 2], splits[n // 2 % 3]) for n, name in enumerate(names)]
    found = read(catalogue(tmp_path, rows, ("file", "type", "split")), SPLIT)
    assert {split: len(files) for split, files in found.splits.items()} == {
        "Train": 4, "Valid": 4, "Test": 4,
    }  # fmt: skip


def test_all_bad_rows_are_reported_together(tmp_path: Path):
    names = images(tmp_path, 8)
    rows = [(name, "ab"[n % 2], ("Train", "Valid")[n // 2 % 2]) for n, name in enumerate(names)]
    rows += [
        ("stamps/absent.png", "a", "Train"),
        ("", "a", "Train"),
        ("stamps/0.png", "", "Train"),
        ("stamps/1.png", "unique", "Train"),
        ("stamps/2.png", "a", "Holdout"),
    ]
    found = read(catalogue(tmp_path, rows, ("file", "type", "split")), SPLIT)
    assert found.problems == (
        "row 9: stamps/absent.png: there is no such file",
        "row 10: file is empty",
        "row 11: stamps/0.png: type is empty",
        "row 12: stamps/1.png: it is the only image of its class, unique",
        "row 13: stamps/2.png: 'Holdout' is not a split (Train, Valid, Test)",
    )
    assert found.classes == ("a", "b")


def test_a_split_without_a_class_is_a_problem(tmp_path: Path):
    names = images(tmp_path, 8)
    rows = [(name, "ab"[n % 2], "Train") for n, name in enumerate(names)]
    found = read(catalogue(tmp_path, rows, ("file", "type", "split")), SPLIT)
    assert found.problems == ("Valid has no image of a", "Valid has no image of b")


def test_given_classes_are_the_only_ones(tmp_path: Path):
    names = images(tmp_path, 60)
    path = catalogue(tmp_path, [(name, "abc"[n % 3]) for n, name in enumerate(names)])
    found = read(path, COLUMNS, ("c", "a"))
    assert found.classes == ("c", "a")
    assert len(found.problems) == 20
    assert "b is not one of the classes" in found.problems[0]


def test_a_catalogue_of_one_class_is_refused(tmp_path: Path):
    names = images(tmp_path, 3)
    with pytest.raises(DatasetError, match="fewer than two classes"):
        read(catalogue(tmp_path, [(name, "a") for name in names]), COLUMNS)
    with pytest.raises(UsageError, match="--valid"):
        Columns("file", "type", valid=1.0)


def test_a_column_can_name_the_source(tmp_path: Path):
    names = images(tmp_path, 40)
    rows = [(name, "ab"[n % 2], ("north", "south", "")[n % 3]) for n, name in enumerate(names)]
    path = catalogue(tmp_path, rows, ("file", "type", "survey"))
    found = read(path, Columns("file", "type", source="survey"))
    for files in found.splits.values():
        for file in files:
            assert file.source == ("north", "south", "")[int(file.path.stem) % 3]
    assert {file.source for file in read(path, COLUMNS).splits["Train"]} == {""}
    with pytest.raises(UsageError, match="no column field"):
        read(path, Columns("file", "type", source="field"))
