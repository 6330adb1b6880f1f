from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.config import NetworkConfig, TrainConfig
from galaxy_edge_train.dataset import load
from tests.conftest import encoded, galaxy, make_data

CONFIG = TrainConfig(preprocessing=Preprocessing(size=24), network=NetworkConfig(filters=(4,)))
SKIPPING = TrainConfig(
    preprocessing=CONFIG.preprocessing, network=CONFIG.network, skip_unreadable=True
)


def test_the_manifest_has_the_digest_of_every_file_and_the_class_counts(data: Path):
    manifest = load(data, CONFIG).manifest()
    assert manifest["counts"] == {
        "Train": {"Fake": 12, "Real": 12},
        "Valid": {"Fake": 8, "Real": 8},
    }
    entry = manifest["files"]["Valid"][-1]
    assert entry["path"] == "Valid/Real/007.png"
    assert entry["label"] == 1
    content = (data / entry["path"]).read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_digest_depends_on_contents_not_on_names(data: Path, tmp_path: Path):
    before = load(data, CONFIG).manifest()["digest"]
    moved = data.rename(tmp_path / "elsewhere")
    (moved / "Train" / "Fake" / "000.png").rename(moved / "Train" / "Fake" / "zzz.png")
    assert load(moved, CONFIG).manifest()["digest"] == before
    (moved / "Train" / "Fake" / "zzz.png").write_bytes(encoded(galaxy(999)))
    assert load(moved, CONFIG).manifest()["digest"] != before


def test_folders_match_in_any_case_and_test_is_optional(tmp_path: Path):
    root = make_data(tmp_path / "data", test=2)
    (root / "Train").rename(root / "tRAIN")
    (root / "Valid" / "Real").rename(root / "Valid" / "REAL")
    assert set(load(root, CONFIG).splits) == {"Train", "Valid", "Test"}


def test_images_below_a_class_folder_count_and_other_files_do_not(data: Path):
    deep = data / "Train" / "Fake" / "diffusion"
    deep.mkdir()
    (deep / "x.PNG").write_bytes(encoded(galaxy(999)))
    (data / "Train" / "Fake" / "notes.txt").write_text("not an image")
    (data / "Train" / "Fake" / ".hidden.png").write_text("not an image")
    assert load(data, CONFIG).manifest()["counts"]["Train"]["Fake"] == 13


def test_all_faulty_folders_are_reported_at_once(tmp_path: Path):
    root = make_data(tmp_path / "data")
    for path in (root / "Train" / "Fake").iterdir():
        path.unlink()
    for path in (root / "Valid" / "Real").iterdir():
        path.unlink()
    (root / "Valid" / "Real").rmdir()
    (root / "Valid" / "fake").mkdir()
    with pytest.raises(DatasetError) as caught:
        load(root, CONFIG)
    assert len(caught.value.problems) == 3
    for words in ("Fake holds no images", "no folder Real", "Fake and fake: keep one"):
        assert words in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(DatasetError, match="no such folder"):
        load(tmp_path / "absent", CONFIG)


def test_unreadable_images_and_duplicates_are_reported_at_once(data: Path):
    (data / "Train" / "Fake" / "000.png").write_bytes(b"")
    (data / "Valid" / "Real" / "000.png").write_bytes(b"rubbish")
    duplicate = (data / "Train" / "Real" / "001.png").read_bytes()
    (data / "Valid" / "Real" / "001.png").write_bytes(duplicate)
    with pytest.raises(DatasetError) as caught:
        load(data, CONFIG)
    assert len(caught.value.problems) == 3
    for words in ("empty", "not an image", "in two splits", "--skip-unreadable"):
        assert words in str(caught.value)


def test_faults_of_folders_and_files_are_reported_together(data: Path):
    for path in (data / "Valid" / "Real").iterdir():
        path.unlink()
    (data / "Train" / "Fake" / "000.png").write_bytes(b"")
    with pytest.raises(DatasetError) as caught:
        load(data, CONFIG)
    assert len(caught.value.problems) == 2


def test_an_image_in_both_classes_is_reported(data: Path):
    folder = data / "Train"
    (folder / "Fake" / "x.png").write_bytes((folder / "Real" / "000.png").read_bytes())
    with pytest.raises(DatasetError, match="in two classes"):
        load(data, CONFIG)


def test_skipping_lists_what_it_left_out(data: Path, capsys: pytest.CaptureFixture[str]):
    (data / "Train" / "Fake" / "000.png").write_bytes(b"")
    dataset = load(data, SKIPPING)
    assert dataset.manifest()["counts"]["Train"] == {"Fake": 11, "Real": 12}
    (left_out,) = dataset.manifest()["left_out"]
    assert left_out["path"] == "Train/Fake/000.png"
    assert "empty" in left_out["reason"]
    assert "000.png" in capsys.readouterr().err


def test_skipping_must_leave_images_of_each_class(data: Path):
    for path in (data / "Train" / "Fake").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="no readable image of Fake"):
        load(data, SKIPPING)


def test_a_duplicate_within_one_split_is_allowed(data: Path):
    folder = data / "Train" / "Real"
    (folder / "again.png").write_bytes((folder / "000.png").read_bytes())
    assert load(data, CONFIG).manifest()["counts"]["Train"]["Real"] == 13


def test_a_long_list_of_faults_is_shortened_only_in_print(tmp_path: Path):
    error = DatasetError("data", [f"fault {number}" for number in range(30)])
    assert len(error.problems) == 30
    assert "and 10 more" in str(error)
    assert "fault 29" not in str(error)
