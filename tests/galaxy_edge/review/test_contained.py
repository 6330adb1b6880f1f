"""Pictures of images in containers: always that of the row, or a reason."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import ImageError
from galaxy_edge.inputs.containers import opening, places
from galaxy_edge.inputs.containers.labelled import digest
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.review.pictures import Pictures
from galaxy_edge.review.rows import Row
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.kinds import KINDS, Packed, parquet
from tests.galaxy_edge.inputs.containers.packing import tarred

COUNT = 45
#: Not in the order of the rows, and two images have one identifier.
IDS = [str(900 + (7 * number) % COUNT) for number in range(COUNT - 1)] + ["900"]


def row(path: str, name: str = "", sha256: str = "") -> Row:
    return Row(name or path, path, "ok", "", "Real", 0.9, (), None, 0.5, sha256)


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


@pytest.fixture(params=KINDS)
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Packed:
    return KINDS[request.param](tmp_path, IDS)


def test_each_row_has_the_picture_that_the_model_saw(packed: Packed) -> None:
    rows = [
        (str(source.path), row(str(source.path), str(source.id), str(digest(source))))
        for source in members(packed.path, packed.layout)
    ]
    assert [path for path, _ in rows] == packed.paths
    assert [one.id for _, one in rows] == IDS
    order = np.random.default_rng(1).permutation(COUNT).tolist()
    pictures = Pictures(layout=packed.layout)
    for start in range(0, COUNT, 10):
        page = order[start : start + 10]
        pictures.expect([rows[number][0] for number in page])
        for number in page:
            found = pixels(pictures.png(rows[number][0], 256, rows[number][1]))
            np.testing.assert_array_equal(found, packed.looks[number])


def test_a_page_is_read_in_one_pass(packed: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []

    def counted(container: object, *rest: object) -> object:
        passes.append(container)
        return members(container, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(places, "members", counted)
    pictures = Pictures(layout=packed.layout)
    pictures.expect(packed.paths[5:30])
    threads = [
        threading.Thread(target=pictures.png, args=(packed.paths[one], 8, row("x", IDS[one])))
        for one in range(5, 30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passes == [packed.path]


def test_an_image_with_another_identifier_is_not_shown(packed: Packed) -> None:
    """As if the container or the catalogue had been sorted since the run."""
    pictures = Pictures(layout=packed.layout)
    with pytest.raises(ImageError, match="identifier 901, and the container the identifier 900 "):
        pictures.png(packed.paths[0], 256, row(packed.paths[0], "901"))
    assert pictures.png(packed.paths[0], 256, row(packed.paths[0], "900"))


def test_an_image_with_another_digest_is_not_shown(packed: Packed) -> None:
    pictures = Pictures(layout=packed.layout)
    with pytest.raises(ImageError, match="another image in this place"):
        pictures.png(packed.paths[3], 256, row("x", IDS[3], "0" * 64))


def test_a_place_that_does_not_exist_says_so(packed: Packed) -> None:
    pictures = Pictures(layout=packed.layout)
    for place in ("45", "-1", "0-7", "03", "gone.png", "../in/000.png", "", "in/000.png#2"):
        path = f"{packed.path}#{place}"
        with pytest.raises(ImageError, match="not found in the container"):
            pictures.png(path, 256, row(path))
    with pytest.raises(ImageError, match="about a whole container"):
        pictures.png(packed.path, 256, row(packed.path))


def test_a_container_that_is_gone_or_cut_off_says_so(packed: Packed, tmp_path: Path) -> None:
    file = Path(packed.path.partition(":")[0])
    shutil.rmtree(file) if file.is_dir() else file.unlink()
    with pytest.raises(ImageError, match=r"missing|not exist"):
        Pictures(layout=packed.layout).png(packed.paths[0], 256, row("x", IDS[0]))
    if file.suffix != ".zarr":
        file.write_bytes(b"PK\x03\x04 not what it was")
        with pytest.raises(ImageError):
            Pictures(layout=packed.layout).png(packed.paths[0], 256, row("x", IDS[0]))


def test_options_that_are_missing_are_named(tmp_path: Path) -> None:
    packed = parquet(tmp_path, IDS)
    with pytest.raises(ImageError, match="--image-column"):
        Pictures().png(packed.paths[0], 256, row("x", IDS[0]))
    with pytest.raises(ImageError, match="the row has the identifier 900, and the container none"):
        Pictures(layout=Layout("picture")).png(packed.paths[0], 256, row("x", "900"))
    mosaic = KINDS["mosaic"](tmp_path, IDS)
    with pytest.raises(ImageError, match="--catalogue"):
        Pictures().png(mosaic.paths[0], 256, row("x", IDS[0]))


def test_rows_without_identifiers_have_pictures(tmp_path: Path) -> None:
    packed = parquet(tmp_path, IDS)
    pictures = Pictures(layout=Layout("picture"))
    for number in (0, 19, 20, 44):
        path = packed.paths[number]
        found = pixels(pictures.png(path, 256, row(path)))
        np.testing.assert_array_equal(found, packed.looks[number])


def packed_twice(suffix: str, files: list[tuple[str, bytes]]) -> bytes:
    """An archive that may have a name twice."""
    stream = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(stream, "w") as zipped:
            for number, (name, content) in enumerate(files):
                # A name of the same length, which is replaced below, since zipfile would warn.
                zipped.writestr(f"{number}{name[1:]}", content)
        content = stream.getvalue()
        for number, (name, _) in enumerate(files):
            content = content.replace(f"{number}{name[1:]}".encode(), name.encode())
        return content
    with tarfile.open(fileobj=stream, mode="w:gz" if suffix == ".tar.gz" else "w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_a_name_that_an_archive_has_twice_has_no_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    first, second = encoded(galaxy(1)), encoded(galaxy(2))
    path.write_bytes(packed_twice(suffix, [("a.png", first), ("b.png", second), ("a.png", second)]))
    pictures = Pictures()
    pictures.expect([f"{path}#a.png", f"{path}#b.png"])
    with pytest.raises(ImageError, match="has this name more than once"):
        pictures.png(f"{path}#a.png", 256, row("x", "a"))
    found = pixels(pictures.png(f"{path}#b.png", 256, row("x", "b")))
    np.testing.assert_array_equal(found, galaxy(2))


def test_images_that_cannot_be_read_say_why_and_the_others_are_shown(tmp_path: Path) -> None:
    good = encoded(galaxy(1))
    path = tmp_path / "a.tar.gz"
    path.write_bytes(tarred({"a.png": good, "bad.png": b"no image", "c.png": good}, "w:gz"))
    pictures = Pictures()
    pictures.expect([f"{path}#{one}.png" for one in ("a", "bad", "c")])
    with pytest.raises(ImageError, match="not an image"):
        pictures.png(f"{path}#bad.png", 256, row("x", "bad"))
    assert pictures.png(f"{path}#c.png", 256, row("x", "c"))
    # The images before the damage have pictures; those behind it say what happened.
    path.write_bytes(
        tarred({f"{n}.png": os.urandom(9000) + good for n in range(9)}, "w:gz")[:40000]
    )
    later = Pictures()
    with pytest.raises(ImageError, match=r"not found in the container .*damaged or truncated"):
        later.png(f"{path}#8.png", 256, row("x", "8"))


def test_a_picture_of_a_page_that_was_left_is_not_read(tmp_path: Path) -> None:
    packed = parquet(tmp_path, IDS)
    pictures = Pictures(layout=packed.layout)
    for start in range(0, 50, 10):
        pictures.expect(packed.paths[start : start + 10])
    with pytest.raises(ImageError, match="no longer on the page"):
        pictures.png(packed.paths[0], 256, row("x", IDS[0]))


def test_large_pictures_are_reduced_and_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from galaxy_edge.review import contained

    monkeypatch.setattr(contained, "_MOST", 4_000)
    path = tmp_path / "a.tar"
    images = [galaxy(seed, 1300 if seed == 0 else 30) for seed in range(6)]
    path.write_bytes(tarred({f"{n}.png": encoded(one) for n, one in enumerate(images)}))
    pictures = Pictures()
    pictures.expect([f"{path}#{number}.png" for number in range(6)])
    for side in (1024, 256, 9):
        with Image.open(io.BytesIO(pictures.png(f"{path}#0.png", side, row("x", "0")))) as image:
            assert image.size == (side, side)
    for number in (5, 1, 3, 2, 4):
        found = pixels(pictures.png(f"{path}#{number}.png", 256, row("x", str(number))))
        np.testing.assert_array_equal(found, images[number])
    assert len(pictures._contained._kept._values) < 6


def test_signs_in_names_do_not_lead_to_another_file(tmp_path: Path) -> None:
    """The first part of a path that is a container counts, and members are only names in it."""
    folder = tmp_path / "night#1.tar"
    folder.mkdir()
    path = folder / "b#2.tar"
    path.write_bytes(tarred({"c#3.png": encoded(galaxy(3)), "../secret.png": encoded(galaxy(4))}))
    (folder / "secret.png").write_bytes(encoded(galaxy(5)))
    pictures = Pictures()
    for member, seed in (("c#3.png", 3), ("../secret.png", 4)):
        name = f"{path}#{member}"
        found = pixels(pictures.png(name, 256, row("x", member.removesuffix(".png"))))
        np.testing.assert_array_equal(found, galaxy(seed))


@pytest.mark.parametrize("kind", ["parquet", "hdf5", "zarr", "mosaic"])
def test_what_lies_between_the_rows_is_not_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = KINDS[kind](tmp_path, IDS)
    read: list[str] = []
    inner = opening.members

    def noted(*arguments: object) -> object:
        for source in inner(*arguments):  # type: ignore[arg-type]
            read.append(str(source.path))
            yield source

    monkeypatch.setattr(places, "members", noted)
    wanted = [packed.paths[number] for number in (3, 40)]
    found = list(places.found_again(wanted, packed.layout, None))
    assert [source.path for source in found] == read == wanted


def test_three_mosaics_of_one_band_are_found_again(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    stack = np.random.default_rng(0).normal(9, 2, (3, 12, 48)).astype(np.float32)
    for name, plane in zip("irg", stack, strict=True):
        fits.writeto(tmp_path / f"m_{name}.fits", plane)
    (tmp_path / "c.csv").write_text("id,x,y\nA,6,6\nB,30,6\n")
    layout = Layout(catalogue=tmp_path / "c.csv", size=12)
    path = f"{tmp_path}/m_{{i,r,g}}.fits#1"
    found = pixels(Pictures(layout=layout).png(path, 256, row(path, "B")))
    fits.writeto(tmp_path / "cut.fits", stack[:, :, 24:36])
    expected = pixels(Pictures().png(str(tmp_path / "cut.fits"), 256, row("x")))
    np.testing.assert_array_equal(found, expected)
