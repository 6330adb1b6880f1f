"""Tar and zip archives: names, sidecar files, limits, and damage anywhere."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge import Predictor, Source
from galaxy_edge.inputs.containers import archives
from galaxy_edge.inputs.containers.opening import bounded, members
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.packing import faults, packed, read, tarred, zipped

FILES = {f"{name}.png": encoded(galaxy(seed)) for seed, name in enumerate("abcdefg")}


FORMS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


@pytest.mark.parametrize("suffix", FORMS)
def test_members_are_images_by_their_suffix_in_order(tmp_path: Path, suffix: str):
    other = {"notes.txt": b"x", ".hidden.png": b"x", "__MACOSX/a.png": b"x", "b/._a.png": b"x"}
    path = packed(tmp_path / f"x{suffix}", {**other, "z/1.fits.gz": b"1", **FILES, "a.JPG": b"2"})
    sources = read(path)
    assert [source.id for source in sources] == ["z/1", *"abcdefg", "a"]
    assert [source.path for source in sources] == [
        f"{path}#{name}" for name in ("z/1.fits.gz", *FILES, "a.JPG")
    ]
    assert [source.content for source in sources] == [b"1", *FILES.values(), b"2"]


def test_links_and_large_members_are_error_rows(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        large = tarfile.TarInfo("large.png")
        large.size = 1001
        archive.addfile(large, io.BytesIO(bytes(1001)))
        good = tarfile.TarInfo("../../good.png")
        good.size = 1
        archive.addfile(good, io.BytesIO(b"x"))
    link_row, large_row, good_row = read(path)
    assert "a link" in str(link_row.content)
    assert "too large: 1,001 bytes" in str(large_row.content)
    assert good_row.content == b"x"
    assert list(tmp_path.iterdir()) == [path], "nothing is extracted"
    (zipped_row,) = read(packed(tmp_path / "x.zip", {"large.png": bytes(1001)}))
    assert "too large: 1,001 bytes" in str(zipped_row.content)


def test_a_bomb_stops_the_reading_ahead():
    sources = [Source(bytes(2**27), id=str(number)) for number in range(5)]
    found = [None if one is None else one.id for one in bounded(sources)]
    assert found == ["0", "1", "2", None, "3", "4"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"), (b"x" * 2000, "damaged or truncated"), (None, "missing"),
        (gzip.compress(b"x" * 2000, mtime=0), "damaged or truncated"), (b"\x1f\x8bx", "damaged"),
        (b"(\xb5/\xfd", "zstd"), (b"PK\x03\x04", "damaged or truncated"),
        (tarred({"a.txt": b"x"}), "no image is in it"), (tarred({}), "no image is in it"),
        (zipped({}), "no image is in it"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_archive_is_one_row(tmp_path: Path, content, reason: str):
    path = tmp_path / "x.tar"
    if content is not None:
        path.write_bytes(content)
    (source,) = read(path)
    assert source.id == source.path == str(path)
    assert reason in str(source.content)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_truncated_tar_gives_its_images_and_one_row_that_says_how_many(
    tmp_path: Path, suffix: str
):
    path = packed(tmp_path / f"x{suffix}", FILES)
    whole = path.read_bytes()
    counts = set()
    for part in range(1, 40):
        path.write_bytes(whole[: len(whole) * part // 40])
        *good, last = read(path)
        if last.id == "g":  # only padding is missing
            continue
        assert [source.content for source in good] == [*FILES.values()][: len(good)]
        assert last.id == last.path == str(path)
        assert str(last.content).startswith(f"after {len(good)} images: " if good else "damaged")
        counts.add(len(good))
    assert counts >= {0, 3, 6}


def test_a_tar_that_is_cut_between_two_members_is_damaged(tmp_path: Path):
    path = tmp_path / "x.tar"
    whole = tarred(FILES)
    path.write_bytes(whole[: 3 * (512 + 512 * -(-len(FILES["a.png"]) // 512))])
    *good, last = read(path)
    assert len(good) == 3
    assert "ends without the mark of its end" in str(last.content)


def test_garbage_in_a_tar_is_one_row(tmp_path: Path):
    path = tmp_path / "x.tar"
    whole = bytearray(tarred(FILES))
    second = 512 + 512 * -(-len(FILES["a.png"]) // 512)
    whole[second : second + 100] = b"\xff" * 100
    path.write_bytes(whole)
    good, last = read(path)
    assert good.id == "a"
    assert f"after 1 images: damaged or truncated: bad checksum at byte {second:,}" in str(
        last.content
    )


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(FORMS), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_flipped_byte_never_raises_and_never_swaps_images(tmp_path, suffix, place, flip):
    path = packed(tmp_path / f"x{suffix}", FILES)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= flip
    path.write_bytes(content)
    sources = read(path)
    # The flip may lie in a picture, whose decoder reports it, or in a name.
    changed = [
        source
        for source in sources
        if source not in faults(sources) and source.content not in FILES.values()
    ]
    assert len(changed) <= 1
    assert len(sources) >= len(FILES) or faults(sources) or suffix == ".zip"


def test_a_damaged_member_of_a_zip_is_one_row(tmp_path: Path):
    path = tmp_path / "x.zip"
    content = bytearray(zipped(FILES, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        place = archive.getinfo("c.png").header_offset
    content[place + 200] ^= 0xFF
    path.write_bytes(content)
    sources = read(path)
    (fault,) = faults(sources)
    assert fault.id == "c"
    assert len(sources) == len(FILES)


def test_an_encrypted_member_is_one_row(tmp_path: Path):
    content = bytearray(zipped({"a.png": b"x"}))
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        content[content.index(start) + (6 if start.endswith(b"\x04") else 8)] |= 1
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    (source,) = read(path)
    assert "encrypted" in str(source.content)


def test_an_archive_gives_the_scores_of_its_files(tmp_path: Path, model_file: Path):
    predictor = Predictor(model_file)
    plain = [row.score for row in predictor.predict_many(FILES.values())]
    path = packed(tmp_path / "x.tar", FILES)
    rows = list(predictor.predict_many(members(str(path))))
    np.testing.assert_array_equal([row.score for row in rows], plain)
    assert [row.id for row in rows] == [*"abcdefg"]


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_compressed_tar_is_read_to_its_checksum(tmp_path: Path, mode: str):
    """A changed byte may leave the images readable, with other pixels."""
    content = tarred({"1.png": b"x" * 100, "2.png": b"y" * 100}, mode)
    path = tmp_path / f"x.tar.{mode[2:]}"
    path.write_bytes(content[:-6] + bytes(byte ^ 255 for byte in content[-6:]))
    assert [source.path for source in faults(read(path))] == [str(path)]
    path.write_bytes(content)
    assert faults(read(path)) == []


def test_a_wrong_checksum_of_gzip_is_found(tmp_path: Path):
    content = bytearray(tarred({"1.png": b"x" * 100, "2.png": b"y" * 100}, "w:gz"))
    content[-8] ^= 1  # of the CRC
    (tmp_path / "x.tgz").write_bytes(content)
    *images, last = read(tmp_path / "x.tgz")
    assert len(images) == 2
    assert "after 2 images: damaged or truncated: CRC check failed" in str(last.content)


def test_archives_that_were_joined_are_an_error(tmp_path: Path):
    path = tmp_path / "x.tar"
    path.write_bytes(tarred({"1.png": b"x"}) + tarred({"2.png": b"y"}))
    image, last = read(path)
    assert (image.id, last.path) == ("1", str(path))
    assert "after 1 images: more data follow the mark of its end" in str(last.content)
