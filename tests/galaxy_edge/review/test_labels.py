"""The file of labels: nothing that was acknowledged is lost, and one review writes at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.label_file import COLUMNS, is_label_file, labels_in
from galaxy_edge.inputs.tables import rows
from galaxy_edge.review.labels import LabelFile, check_class
from galaxy_edge.review.rows import Row

HEADER = ",".join(COLUMNS) + "\n"


def row(name: str = "m51.png", label: str = "Real") -> Row:
    return Row(name, name, "ok", "", label, 0.9, (), 0.4, 0.5)


def test_a_label_is_a_line_that_a_catalogue_has(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with LabelFile(path) as file:
        file.add([("m51.png", "Fake", row()), ("m101.png", "Real", row("m101.png"))])
        # Before the file is closed, because a kill does not close it.
        assert labels_in(path) == {"m51.png": "Fake", "m101.png": "Real"}
    assert is_label_file(path)
    first, second = rows(path, COLUMNS)
    assert (first["path"], first["label"], first["predicted"]) == ("m51.png", "Fake", "Real")
    assert (first["score"], first["status"], second["id"]) == ("0.9", "ok", "m101.png")


def test_the_last_line_wins_and_an_empty_label_takes_away(tmp_path: Path) -> None:
    with LabelFile(tmp_path / "labels.csv") as file:
        for place, label in (("a", "Fake"), ("b", "Fake"), ("a", "Real"), ("b", "")):
            file.add([(place, label, row(place))])
        assert file.labels == {"a": "Real"} == labels_in(file.path)
    with LabelFile(tmp_path / "labels.csv") as file:
        assert file.labels == {"a": "Real"}
        assert file.mended == 0


@pytest.mark.parametrize(
    "name",
    ["m 51.png", "a,b.png", 'q"q.png', "n\nl.png", "\xe9\udcff.png", "=1+1.png", "'=x.png"],
)
def test_any_file_name_comes_back(tmp_path: Path, name: str) -> None:
    with LabelFile(tmp_path / "labels.csv") as file:
        place = file.place(tmp_path / name)
        file.add([(place, "Real", row(name))])
    (found,) = labels_in(tmp_path / "labels.csv")
    assert tmp_path / found == tmp_path / name
    assert not (tmp_path / "labels.csv").read_bytes().splitlines()[1].startswith((b"=", b"'="))


def test_places_are_relative_below_the_folder_and_absolute_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "night").mkdir()
    monkeypatch.chdir(tmp_path)
    with LabelFile(Path("night/labels.csv")) as file:
        assert file.place("night/m51.png") == "m51.png"
        assert file.place("m51.png") == (tmp_path / "m51.png").as_posix()


@given(cut=st.integers(0, 400), kept=st.integers(0, 3))
def test_a_line_that_a_kill_cut_off_is_mended(
    tmp_path_factory: pytest.TempPathFactory, cut: int, kept: int
) -> None:
    path = tmp_path_factory.mktemp("mend") / "labels.csv"
    path.write_text(HEADER)
    with LabelFile(path) as file:
        for number in range(kept):
            file.add([(f"{number}\n.png", "Real", row("a\nb"))])
    complete = path.read_bytes()
    with LabelFile(path) as file:
        file.add([("last.png", "Fake", row())])
    whole = path.read_bytes()
    torn = complete + whole[len(complete) : len(complete) + cut]
    path.write_bytes(torn)
    # A reader that comes before the mending sees no half of a label.
    expected = {f"{number}\n.png": "Real" for number in range(kept)}
    last = {"last.png": "Fake"} if torn == whole else {}
    assert {
        name: label for name, label in labels_in(path).items() if label not in ("Real", "Fake")
    } == {}
    with LabelFile(path) as file:
        assert file.labels == expected | last
        assert file.mended == (0 if torn == whole else len(torn) - len(complete))
        file.add([("next.png", "Real", row())])
    assert labels_in(path) == expected | last | {"next.png": "Real"}


def test_a_new_file_without_a_label_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with LabelFile(path):
        assert path.read_text() == HEADER
    assert not path.exists()
    path.write_text(HEADER)
    with LabelFile(path):
        pass
    assert path.exists()


@pytest.mark.parametrize("length", [0, 1, len(HEADER) - 1])
def test_a_header_that_a_kill_cut_off_is_written_again(tmp_path: Path, length: int) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER[:length])
    with LabelFile(path) as file:
        assert file.labels == {}
    assert path.read_text() == HEADER


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sources.csv"
    path.write_text("path,label\nm51.png,Real\n")
    with pytest.raises(UsageError, match="not a file of labels"):
        LabelFile(path)
    assert path.read_text() == "path,label\nm51.png,Real\n"


def test_a_second_review_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with LabelFile(path), pytest.raises(UsageError, match="open in another review"):
        LabelFile(path)
    LabelFile(path).close()


def test_a_full_disk_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.csv"
    with LabelFile(path) as file:
        file.add([("a.png", "Real", row())])
        before, write = path.read_bytes(), os.write

        def half(handle: int, data: memoryview) -> int:
            if len(data) < 20:
                raise OSError(28, "No space left on device")
            return write(handle, data[: len(data) // 2])

        monkeypatch.setattr("galaxy_edge.review.labels.os.write", half)
        with pytest.raises(OSError, match="No space"):
            file.add([("b.png", "Fake", row())])
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert file.labels == {"a.png": "Real"}
        file.add([("b.png", "Fake", row())])
        assert labels_in(path) == {"a.png": "Real", "b.png": "Fake"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_kill_loses_no_acknowledged_label(tmp_path: Path) -> None:
    program = """
import itertools, sys
from pathlib import Path
from galaxy_edge.review.labels import LabelFile
from galaxy_edge.review.rows import Row
file = LabelFile(Path(sys.argv[1]))
for number in itertools.count():
    row = Row("x", "x", "ok", "", "Real", 0.9, (), None, 0.5)
    file.add([(f"{number}.png", "Fake", row)])
    print(number, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "labels.csv"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    acknowledged = 20 + len(process.stdout.readlines())
    process.wait()
    process.stdout.close()
    with LabelFile(tmp_path / "labels.csv") as file:
        assert {f"{number}.png" for number in range(acknowledged)} <= {*file.labels}
        assert len(file.labels) <= acknowledged + 1


@pytest.mark.parametrize("name", ["=cmd", "+1", "@x", " Real", "'=x"])
def test_a_class_that_a_spreadsheet_would_run_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="spreadsheet"):
        check_class(name)
    check_class("early spiral")
