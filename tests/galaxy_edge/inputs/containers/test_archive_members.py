"""Names, sidecar files and checksums of archives."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from galaxy_edge import Predictor
from galaxy_edge.inputs.containers.layout import Layout
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.packing import faults, packed, read, tarred


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


def test_a_name_twice_is_two_rows(tmp_path: Path):
    path = tmp_path / "x.tar"
    one = tarred({"a.png": b"1"})
    path.write_bytes(one[:1024] + tarred({"a.png": b"2"}))
    assert [source.content for source in read(path)] == [b"1", b"2"]


def test_names_of_every_kind_are_members_and_never_files(tmp_path: Path, model_file: Path):
    """Nothing is written, and nothing outside the archive is read."""
    from galaxy_edge import inputs

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
