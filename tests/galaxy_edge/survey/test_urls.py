"""URLs of sources and destinations."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import UsageError
from galaxy_edge.survey.cloud.urls import Url, literal_start, matches
from galaxy_edge.survey.places import check_apart

Cli = Callable[..., tuple[int, str, str]]


def test_a_url_is_split():
    assert Url.parse("s3://bucket/a/b.tar") == Url("s3://bucket", "a/b.tar")
    assert str(Url.parse("az://box/a/")) == "az://box/a/"
    assert Url.parse("gs://box") == Url("gs://box", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://host/x", "ftp:// is not supported"),
        ("s3:///x", "names no bucket"),
        ("https://me:password@host/x.tar", "must not contain a user, a password"),
        ("https://host/x.tar?X-Amz-Signature=password", "must not contain a user, a password"),
    ],
)
def test_a_url_of_another_kind_is_refused(text: str, words: str):
    with pytest.raises(UsageError, match=words) as fault:
        Url.parse(text)
    assert "password@" not in str(fault.value)
    assert "=password" not in str(fault.value)


@pytest.mark.parametrize("pattern", ["*.tar", "a/*.tar", "**/*.tar", "a/**/b.tar", "?/[ab].tar"])
def test_patterns_match_as_on_a_disk(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names = ["b.tar", "a/b.tar", "a/c.tar", "a/d/b.tar", "a/d/e/b.tar", "a/b.zip", "c/a.tar"]
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    found = {name for name in names if matches(name, pattern)}
    assert found == {*glob.glob(pattern, recursive=True)}
    assert all(name.startswith(literal_start(pattern)) for name in found)


@given(key=st.from_regex(r"[a-c]/[a-c]{1,3}\.tar", fullmatch=True))
def test_a_key_matches_itself(key: str):
    assert matches(key, key)
    assert matches(key, "**/*")


def test_a_destination_in_the_source_is_refused():
    with pytest.raises(UsageError, match="outside the source"):
        check_apart("s3://bucket/a/", "s3://bucket/a/rows")
    with pytest.raises(UsageError, match="outside the source"):
        check_apart("s3://bucket", "s3://bucket/rows")
    check_apart("s3://bucket/a", "s3://bucket/ab")
    check_apart("s3://bucket/a", "/bucket/a")


def test_the_extra_is_named(
    model_file: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    import sys

    for name in [name for name in sys.modules if name.startswith("galaxy_edge.survey.cloud.")]:
        if not name.endswith(".urls"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    code, _, err = cli("survey", "s3://in/x.tar", "-m", model_file, "-o", tmp_path / "rows")
    assert (code, "pip install 'galaxy-edge[cloud]'" in err) == (2, True), err
    code, _, err = cli("survey", "https://host/*.tar", "-m", model_file, "-o", "https://host/x")
    assert code == 2
