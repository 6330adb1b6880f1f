"""Tar and zip archives: names, sidecar files, limits, and damage anywhere."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge import ImageError, Predictor, Source
from galaxy_edge.inputs.containers import archives
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import bounded, members
from tests.conftest import encoded, galaxy

FILES = {f"{name}.png": encoded(galaxy(seed)) for seed, name in enumerate("abcdefg")}
FORMS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def tarred(files: dict[str, bytes], mode: str = "w", **options) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, **options) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    suffix = "".join(path.suffixes)
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    path.write_bytes(zipped(files) if suffix == ".zip" else tarred(files, mode))
    return path


def read(path: Path, layout: Layout | None = None) -> list[Source]:
    return list(members(str(path), layout))


def faults(sources: list[Source]) -> list[Source]:
    return [source for source in sources if isinstance(source.content, ImageError)]


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


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
@pytest.mark.parametrize("order", ["before", "after"])
def test_columns_are_keys_of_the_json_beside_an_image(tmp_path: Path, suffix: str, order: str):
    files: dict[str, bytes] = {}
    for number in range(3):
        sample = {
            f"s/00{number}.jpg": encoded(galaxy(number), "JPEG"),
            f"s/00{number}.json": json.dumps({"objid": 10**18 + number, "ra": 1.5}).encode(),
            f"s/00{number}.cls": f"{number}\n".encode(),
        }
        files |= sample if order == "after" else dict(reversed(sample.items()))
    path = packed(tmp_path / f"x{suffix}", files)
    sources = read(path, Layout(id_column="objid", keep=("ra", "cls")))
    assert [source.id for source in sources] == [str(10**18 + number) for number in range(3)]
    assert [source.kept for source in sources] == [
        {"ra": 1.5, "cls": str(number)} for number in range(3)
    ]
    assert [source.id for source in read(path)] == ["s/000", "s/001", "s/002"]


def test_in_a_zip_the_json_may_be_anywhere(tmp_path: Path):
    names = ["b.png", "a.x.png", "a.y.png", "a.JSON", "b.json"]
    path = packed(tmp_path / "x.zip", {n: f'{{"n": "{n[0]}"}}'.encode() for n in names})
    sources = read(path, Layout(id_column="n"))
    assert [source.id for source in sources] == ["b", "a", "a"]
    assert [str(source.path).partition("#")[2] for source in sources] == names[:3]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("order", ["image first", "image last"])
def test_samples_of_one_name_keep_their_own_columns(tmp_path: Path, order: str):
    members = [("s.png", b"0"), ("s.json", b'{"n": 0}'), ("s.png", b"1"), ("s.json", b'{"n": 1}')]
    if order == "image last":
        members = [members[place] for place in (1, 0, 3, 2)]
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    found = read(tmp_path / "x.tar", Layout(keep=("n",)))
    assert [(source.content, source.kept["n"]) for source in found] == [(b"0", 0), (b"1", 1)]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed_too:
        for name, content in members:
            packed_too.writestr(name, content)
    # The directory of a zip does not say which belong together.
    for source in read(tmp_path / "x.zip", Layout(keep=("n",))):
        assert "its s.json cannot be read: several have this name" in str(source.content)


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_column_that_no_image_has_is_an_error(tmp_path: Path, suffix: str):
    files = {"1.png": b"x", "1.json": b'{"n": 1}', "2.png": b"y"}
    path = packed(tmp_path / f"x{suffix}", files)
    *images, last = read(path, Layout(id_column="m", keep=("n", "o")))
    assert [(source.id, source.kept["n"]) for source in images] == [
        (f"{path}#1.png", 1), (f"{path}#2.png", None),
    ]  # fmt: skip
    assert last.path == str(path)
    assert "after 2 images: no image has the column m, o" in str(last.content)
    # In a tar, the files of one image stand together.
    apart = {"1.png": b"x", "2.png": b"y", "1.json": b'{"n": 1}', "2.json": b'{"n": 2}'}
    sources = read(packed(path, apart), Layout(id_column="n"))
    assert [source.id for source in sources[:2]] != ["1", "2"] or suffix == ".zip"
    assert bool(faults(sources)) == (suffix == ".tar")


def test_samples_with_several_images_and_names_with_dots(tmp_path: Path):
    image = encoded(galaxy(1))
    files = {"1.a.png": image, "1.b.png": image, "1.json": b'{"n": 1}'}
    for number in range(50):  # all of one sample by WebDataset's rule
        files |= {f"J12.{number}.png": image, f"J12.{number}.json": f'{{"n": {number}}}'.encode()}
    sources = read(packed(tmp_path / "x.tar", files), Layout(keep=("n",)))
    assert [source.id for source in sources][:3] == ["1.a", "1.b", "J12.0"]
    assert [source.kept["n"] for source in sources] == [1, 1, *range(50)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "1.json is damaged"), (b"[1]", "holds no names"), (b"[" * 100_000, "damaged"),
        (b'{"id": 1.5}', "floating-point"), (b"\xff", "damaged"),
    ],
)  # fmt: skip
def test_a_bad_sidecar_file_is_the_error_of_its_image(tmp_path: Path, content, reason):
    path = packed(tmp_path / "x.tar", {"1.png": b"x", "1.json": content, "2.png": b"y"})
    first, second = read(path, Layout(id_column="id"))
    assert first.id == first.path == f"{path}#1.png"
    assert reason in str(first.content)
    assert (second.id, second.content) == (f"{path}#2.png", b"y")


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
        (gzip.compress(b"x" * 2000), "damaged or truncated"), (b"\x1f\x8bx", "damaged"),
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


def test_a_name_twice_is_two_rows(tmp_path: Path):
    path = tmp_path / "x.tar"
    one = tarred({"a.png": b"1"})
    path.write_bytes(one[:1024] + tarred({"a.png": b"2"}))
    assert [source.content for source in read(path)] == [b"1", b"2"]


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


def test_names_of_every_kind_are_members_and_never_files(tmp_path: Path, model_file: Path):
    """Nothing is written, and nothing outside the archive is read."""
    from galaxy_edge import Predictor, inputs

    (tmp_path / "secret.png").write_bytes(encoded(galaxy(9)))
    names = [
        "../secret.png", str(tmp_path / "secret.png"), "./a.png", "a//b.png", "\u2603/\u00fc.png",
        "a b\n.png", "C:\\x.png", "d" * 150 + "/" + "e" * 90 + ".png", "x.fits[SCI].png",
    ]  # fmt: skip
    content = encoded(galaxy(3))
    expected = Predictor(model_file).predict(content).score
    for suffix in (".tar", ".zip"):
        path = packed(tmp_path / f"x{suffix}", dict.fromkeys(names, content))
        rows = list(Predictor(model_file).predict_many(inputs.open(path)))
        assert [row.score for row in rows] == [expected] * len(names)
        assert [row.path for row in rows] == [f"{path}#{name}" for name in names]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["secret.png", "x.tar", "x.zip"]


def test_hidden_members_and_those_of_macos_are_skipped(tmp_path: Path):
    names = ["d/", "d/k.png", "__MACOSX/d/._k.png", "d/.DS_Store", "._k.png", ".git/x.png"]
    path = packed(tmp_path / "x.zip", {name: b"" if name[-1] == "/" else b"x" for name in names})
    assert [source.id for source in read(path)] == ["d/k"]
