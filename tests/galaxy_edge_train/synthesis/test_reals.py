"""Real cutouts: splits by content, duplicates, and the folders that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.synthesis.reals import SPLITS, read, split_of
from tests.galaxy_edge_train.synthesis.cutouts import PREPROCESSING, digests_by_split, opened, reals


def test_a_quarter_is_for_validation_and_images_keep_their_split(tmp_path: Path):
    few = digests_by_split(reals(tmp_path / "few", 40))
    many = digests_by_split(reals(tmp_path / "many", 200))
    assert not many["Train"] & many["Valid"]
    assert 30 <= len(many["Valid"]) <= 70
    for split in SPLITS:
        assert few[split] <= many[split]


def test_duplicates_are_in_one_split_whatever_their_file_format(tmp_path: Path):
    folder = reals(tmp_path / "reals", 40)
    before = digests_by_split(folder)
    for path in list(folder.iterdir()):
        opened(path).save(folder / f"again-{path.stem}.tiff")
    assert digests_by_split(folder) == before


def test_existing_splits_are_kept_and_images_in_both_are_not_trained_on(tmp_path: Path):
    folder = tmp_path / "reals"
    reals(folder / "train", 10)
    reals(folder / "VALID", 5, first=8)
    found = digests_by_split(folder)
    assert (len(found["Train"]), len(found["Valid"])) == (8, 5)


def test_the_size_of_the_cutouts_does_not_change_the_split(tmp_path: Path):
    folder = reals(tmp_path / "reals", 40)
    small, large = (
        read([folder], Preprocessing(size=size, resize="lanczos"))[0] for size in (16, 32)
    )
    for split in SPLITS:
        assert [c.path for c in small.splits[split]] == [c.path for c in large.splits[split]]


def test_validation_images_of_one_source_are_not_trained_on_in_another(tmp_path: Path):
    for name, first in (("near", 0), ("far", 6)):
        reals(tmp_path / name / "Train", 10, first=first)
        reals(tmp_path / name / "Valid", 4, first=first + 12)
    near, far = read([tmp_path / "near", tmp_path / "far"], PREPROCESSING)
    digests = [c.digest for s in (near, far) for cutouts in s.splits.values() for c in cutouts]
    assert len(digests) == len(set(digests))
    # Images 12 to 15 validate near, so far's training split loses them; 6 to 9 stay with near.
    assert (len(near.splits["Train"]), len(near.splits["Valid"])) == (10, 4)
    assert (len(far.splits["Train"]), len(far.splits["Valid"])) == (2, 4)


@given(st.integers(0, 2**256 - 1))
def test_the_digest_alone_decides_the_split(number: int):
    digest = f"{number:064x}"
    assert split_of(digest) == ("Valid" if number < 2**254 else "Train")


def test_too_few_images_are_refused(tmp_path: Path):
    folder = reals(tmp_path / "reals" / "train", 5).parent
    reals(folder / "valid", 1, first=10)
    with pytest.raises(DatasetError, match="1 readable images for Valid"):
        read([folder], PREPROCESSING)
