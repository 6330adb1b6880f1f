from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.paths import expand
from tests.systems import posix


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.png",
        "a.JPG",
        "notes.txt",
        ".hidden.png",
        "deep/c.tif",
        "deep/er/d.webp",
        "[1].png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*arguments: str, stdin: bytes = b"", **options: bool) -> list[str]:
    return list(expand(arguments, io.BytesIO(stdin), **options))


def test_files_keep_their_order_and_duplicates(tree: Path):
    assert paths("b.png", "a.JPG", "b.png") == ["b.png", "a.JPG", "b.png"]


def test_a_folder_gives_its_images_sorted(tree: Path):
    assert paths(".") == ["[1].png", "a.JPG", "b.png"]
    assert paths("deep") == [os.path.join("deep", "c.tif")]


def test_recursive_includes_subfolders(tree: Path):
    names = [os.path.basename(path) for path in paths(".", recursive=True)]
    assert names == ["[1].png", "a.JPG", "b.png", "c.tif", "d.webp"]


def test_a_pattern_gives_its_matches(tree: Path):
    assert paths("*.png") == ["[1].png", "b.png"]
    assert paths("**/*.webp") == [os.path.join("deep", "er", "d.webp")]
    assert paths("de*") == [os.path.join("deep", "c.tif")]


def test_an_existing_file_is_not_a_pattern(tree: Path):
    assert paths("[1].png") == ["[1].png"]


def test_a_path_or_pattern_without_a_match_is_passed_on(tree: Path):
    assert paths("absent.png", "*.gif", "none") == ["absent.png", "*.gif", "none"]


def test_paths_on_stdin_are_taken_literally(tree: Path):
    stdin = b"b.png\r\n\n*.png\nodd \xff name.png"
    assert paths("a.JPG", "-", stdin=stdin) == [
        "a.JPG", "b.png", "*.png", os.fsdecode(b"odd \xff name.png"),
    ]  # fmt: skip


def test_a_byte_order_mark_is_not_part_of_the_first_path(tree: Path):
    assert paths("-", stdin=b"\xef\xbb\xbfb.png\r\n\xef\xbb\xbfx.png") == ["b.png", "\ufeffx.png"]
    assert paths("-", null=True, stdin=b"\xef\xbb\xbfb.png\0") == ["b.png"]
    assert paths("-", stdin=b"\xef\xbb\xbf") == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_refused(tree: Path, encoding: str):
    text = "\ufeffb.png\r\na.JPG\r\n".encode(encoding)
    with pytest.raises(UsageError, match="UTF-16; write it in UTF-8"):
        paths("-", stdin=text)


@given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name)))
def test_a_list_that_nul_separates_may_have_any_other_character(names: list[bytes]):
    first = names[0] if names else b""
    if first.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return
    stdin = b"".join(name + b"\0" for name in names)
    assert paths("-", null=True, stdin=stdin) == [os.fsdecode(name) for name in names]


def test_a_list_that_nul_separates_is_recognised_before_it_ends():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as stream:
        stream.write(b"a.png\0b.png\0")
        with pytest.raises(UsageError, match="add -0"):
            list(expand(["-"], stdin))


def test_brackets_of_an_existing_folder_are_literal(tree: Path):
    for name in ("night[1]/a.png", "night[1]/deep[2]/b.png", "night1/c.png", "x/night[1]/d.png"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    join = os.path.join
    assert paths("night[1]/*.png") == [join("night[1]", "a.png")]
    assert paths(str(tree / "night[1]/*.png")) == [str(tree / "night[1]" / "a.png")]
    assert paths("night[1]/**/b.png") == [join("night[1]", "deep[2]", "b.png")]
    assert paths("night[1]/deep[2]/*") == [join("night[1]", "deep[2]", "b.png")]
    assert paths("x/night[1]/?.png") == [join("x", "night[1]", "d.png")]
    # A class of characters stays one if no folder has that name.
    assert paths("night[12]/*.png") == [join("night1", "c.png")]


def test_brackets_that_match_nothing_are_literal(tree: Path):
    for name in ("frame[1]_a.png", "night[1]/x[2]_b.fits"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    assert paths("frame[1]*.png") == ["frame[1]_a.png"]
    assert paths("*[1]/*.fits[SCI]") == [os.path.join("night[1]", "x[2]_b.fits[SCI]")]
    assert paths("absent[1]/*.png") == ["absent[1]/*.png"]


def test_a_folder_called_star_does_not_replace_the_pattern(tree: Path):
    (tree / "*").mkdir()
    assert paths("*/c.tif") == [os.path.join("deep", "c.tif")]


@posix
def test_links_are_followed_but_each_folder_is_listed_once(tree: Path):
    (tree / "deep" / "up").symlink_to(tree)
    (tree / "elsewhere").symlink_to(tree / "deep" / "er")
    names = [os.path.basename(path) for path in paths(".", recursive=True)]
    assert sorted(names) == ["[1].png", "a.JPG", "b.png", "c.tif", "d.webp"]


def test_a_folder_that_cannot_be_listed_is_passed_on(tree: Path, monkeypatch: pytest.MonkeyPatch):
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert os.path.join(".", "deep") in [
        os.path.join(".", path) for path in paths(".", recursive=True)
    ]


def test_a_path_that_is_too_long_is_passed_on(tree: Path):
    assert paths("a" * 5000) == ["a" * 5000]


def test_none_comes_before_a_read_from_stdin_would_block():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin:
        found = expand(["-"], stdin)
        os.write(writing, b"a.png\nb.p")
        assert next(found) == "a.png"
        assert next(found) is None
        os.write(writing, b"ng\r\n\nc\xff.png")
        assert next(found) == "b.png"
        os.close(writing)
        assert [path for path in found if path is not None] == ["c\udcff.png"]


def test_a_fits_extension_applies_to_each_match(tree: Path):
    for name in ("x.fits", "deep/y.fits.gz", "z[1].fits"):
        (tree / name).touch()
    assert paths("x.fits[SCI]", "absent.fits[2]") == ["x.fits[SCI]", "absent.fits[2]"]
    assert paths("*.fits[SCI]") == ["x.fits[SCI]", "z[1].fits[SCI]"]
    assert paths("z[1].fits") == ["z[1].fits"]
    assert paths("**/*.fits.gz[0]") == [os.path.join("deep", "y.fits.gz[0]")]
    assert paths(".", recursive=True) == [
        "[1].png", "a.JPG", "b.png", "x.fits", "z[1].fits",
        os.path.join("deep", "c.tif"), os.path.join("deep", "y.fits.gz"),
        os.path.join("deep", "er", "d.webp"),
    ]  # fmt: skip
