"""Rows are kept however the run ends, and `--resume` completes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge.outputs.columnar import read
from galaxy_edge.outputs.output import form_of
from galaxy_edge.results import columns
from tests.conftest import encoded, galaxy
from tests.systems import linux, posix

Cli = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "galaxy_edge", "predict", "--batch-size", "2", "--threads", "1"]
COLUMNS = columns(("Fake", "Real"))
SUFFIXES = ("jsonl", "csv", "parquet", "fits")
#: Names with characters that formats must quote or escape, or that a spreadsheet would run;
#: none.png cannot be read.
NAMES = (
    "a.png", 'b,"\n.png', "c .png", "d\udcff.png", "e é.png", "none.png", "f.png", "g.png",
    "=1+1.png", "'=1+1.png",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(NAMES):
        content = b"" if name == "none.png" else encoded(galaxy(seed))
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def whole(folder: Path, model_file: Path, cli: Cli) -> dict[str, bytes]:
    """The outputs of uninterrupted runs: suffix -> bytes."""
    found = {}
    for suffix in SUFFIXES:
        output = f"whole.{suffix}"
        assert cli("predict", *NAMES, "absent.png", "-m", model_file, "-o", output, "-q")[0] == 1
        found[suffix] = Path(output).read_bytes()
    return found


def resumed(cli: Cli, model_file: Path, output: str, *more: str) -> bytes:
    code, out, _ = cli(
        "predict", *NAMES, "absent.png", *more, "-m", model_file, "-o", output, "--resume", "-q"
    )
    assert (code, out) == (1, "")
    return Path(output).read_bytes()


def cut(text: bytes) -> list[bytes]:
    return [text[: len(text) * part // 23] for part in range(24)]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_file_truncated_anywhere_is_completed(folder, model_file, cli, whole, suffix: str):
    for begun in cut(whole[suffix]):
        Path(f"x.{suffix}").write_bytes(begun)
        assert resumed(cli, model_file, f"x.{suffix}") == whole[suffix]


@pytest.mark.parametrize("suffix", ["parquet", "fits"])
def test_a_journal_truncated_anywhere_is_completed(folder, model_file, cli, whole, suffix: str):
    for begun in cut(whole["jsonl"])[::3]:
        journal = Path(f"x.{suffix}.partial")
        journal.write_bytes(begun)
        assert resumed(cli, model_file, f"x.{suffix}") == whole[suffix]
        assert not journal.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_file_gets_only_the_new_rows(folder, model_file, cli, whole, suffix: str):
    output = f"x.{suffix}"
    args = ("-m", model_file, "-o", output, "-q")
    assert cli("predict", *NAMES[:3], *args)[0] == 0
    assert resumed(cli, model_file, output) == whole[suffix]
    # Again: nothing is left to do, but the earlier failures still set the exit code.
    assert resumed(cli, model_file, output) == whole[suffix]
    # An input named twice has two rows.
    code, _, err = cli("predict", "a.png", "a.png", "-m", model_file, "-o", output, "--resume")
    assert code == 1
    assert "12 images: 11 of them earlier" in err


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_resuming_rows_of_another_model_or_threshold_is_refused(
    folder, model_file, cli, whole, suffix: str
):
    output = f"whole.{suffix}"
    for options, words in ((["-m", model_file, "--threshold", "0.6"], "threshold"), ([], "model")):
        code, _, err = cli("predict", "a.png", *options, "-o", output, "--resume")
        assert (code, "another " + words in err, "Traceback" in err) == (2, True, False)
        assert Path(output).read_bytes() == whole[suffix]
    Path(output).write_bytes(b"something else\n")
    code, _, err = cli("predict", "a.png", "-m", model_file, "-o", output, "--resume")
    reason = "may be an image" if suffix == "fits" else "not a"
    assert (code, reason in err, "Traceback" in err) == (2, True, False)
    assert Path(output).read_bytes() == b"something else\n"


@posix
def test_an_output_that_cannot_be_resumed_or_streamed_is_refused(folder, model_file, cli):
    for options, words in (
        (["--resume"], "--resume needs -o"),
        (["--resume", "-o", "x.txt"], "--resume needs -o"),
        (["--format", "parquet"], "choose a file with -o"),
        (["--format", "fits"], "choose a file with -o"),
        (["-o", "/dev/null", "--format", "fits"], "not a regular file"),
    ):
        code, out, err = cli("predict", "a.png", "-m", model_file, *options)
        assert (code, out) == (2, "")
        assert words in err


def started(model_file: Path, output: str, **options: object) -> subprocess.Popen[str]:
    """Start a run that has written three rows and waits for more paths on stdin."""
    process = subprocess.Popen(
        [*COMMAND, "-", "-m", model_file, "-o", output], stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="surrogateescape", **options,
    )  # fmt: skip
    assert process.stdin is not None
    for name in ("a.png", "none.png", "f.png"):
        process.stdin.write(f"{name}\n")
    process.stdin.flush()
    rows = Path(f"{output}.partial" if output.endswith(("parquet", "fits")) else output)
    deadline = time.monotonic() + 60
    while not rows.exists() or b"f.png" not in rows.read_bytes():
        assert time.monotonic() < deadline, "no row came"
        time.sleep(0.02)
    return process


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_a_signal_keeps_the_finished_rows(folder, model_file, cli, suffix: str, number, code: int):
    output = f"x.{suffix}"
    process = started(model_file, output)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    if number != signal.SIGKILL and suffix in ("parquet", "fits"):
        assert [row["path"] for row in read(Path(output), suffix, COLUMNS)] == [
            "a.png",
            "none.png",
            "f.png",
        ]
        assert not Path(f"{output}.partial").exists()
    args = ("a.png", "none.png", "f.png", "g.png", "-m", model_file, "-q")
    assert cli("predict", *args, "-o", output, "--resume")[0] == 1
    assert cli("predict", *args, "-o", f"whole.{suffix}")[0] == 1
    assert Path(output).read_bytes() == Path(f"whole.{suffix}").read_bytes()


def test_a_row_is_written_before_waiting_for_the_next_input(folder, model_file):
    process = started(model_file, "x.jsonl")
    process.communicate(timeout=60)
    assert process.returncode == 1


@linux
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_keeps_the_written_rows(folder, model_file, cli, whole, suffix: str):
    output = f"x.{suffix}"
    limit = 1500
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; ulimit -f {limit // 1024}; exec \"$@\"", "-", *COMMAND,
         *NAMES, "absent.png", "-m", model_file, "-o", output],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert resumed(cli, model_file, output) == whole[suffix]


def test_the_suffix_sets_the_format():
    assert form_of(None) == "table"
    assert [form_of(Path(f"x.{s}")) for s in ("JSONL", "ndjson", "csv", "parquet", "fits")] == [
        "jsonl", "jsonl", "csv", "parquet", "fits",
    ]  # fmt: skip


def test_all_shards_together_have_every_input_once(folder, model_file, cli):
    paths = []
    for number in (1, 2, 3):
        output = f"{number}.jsonl"
        assert cli("predict", ".", "-m", model_file, "-o", output, "--shard", f"{number}/3")[0] < 2
        paths += [json.loads(line)["path"] for line in Path(output).read_text().splitlines()]
    assert sorted(paths) == sorted(NAMES)
    assert cli("predict", ".", "--shard", "4/3")[0] == 2


def test_every_row_has_the_digest_of_its_input(folder, model_file, cli):
    code, out, _ = cli(
        "predict", *NAMES, "absent.png", "-m", model_file, "--digest", "--format", "jsonl"
    )
    assert code == 1
    rows = {row["path"]: row["sha256"] for row in map(json.loads, out.splitlines())}
    assert rows.pop("absent.png") is None
    # An empty file has no digest.
    assert rows.pop("none.png") is None
    sums = subprocess.run(
        ["sha256sum", "-z", *map(os.fsencode, rows)], capture_output=True, check=True
    )
    expected = {
        os.fsdecode(line[66:]): line[:64].decode() for line in sums.stdout.split(b"\0") if line
    }
    assert rows == expected
    code, out, _ = cli("predict", "a.png", "-m", model_file, "--format", "jsonl")
    assert json.loads(out)["sha256"] is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_runs_cannot_write_to_one_output(folder, model_file, cli, suffix: str):
    process = started(model_file, f"x.{suffix}")
    for options in ([], ["--resume"]):
        code, _, err = cli("predict", "a.png", "-m", model_file, "-o", f"x.{suffix}", *options)
        assert (code, "by another run" in err) == (2, True)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert cli("predict", "a.png", "-m", model_file, "-o", f"x.{suffix}")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["m.fits[0]"], "m.fits"), (["m.fit*"], "m.fits"), (["."], "a.png"), (["-"], "a.png"),
        (["m_i.fits", "--bands", "i,r,g"], "m_r.fits"),
    ],
)  # fmt: skip
def test_an_image_is_never_overwritten(folder, model_file, cli, arguments, output: str):
    for name in ("m.fits", "m_r.fits"):
        fits.writeto(folder / name, np.zeros((9, 9), np.float32))
    before = Path(output).read_bytes()
    form = ["--format", "csv"] if output.endswith("png") else []
    code, _, err = cli("predict", *arguments, "-m", model_file, "-o", output, *form)
    assert (code, output in err) == (2, True)
    assert Path(output).read_bytes() == before


def test_an_output_in_the_input_folder_is_not_an_input(folder, model_file, cli):
    for options in ([], [], ["--resume"]):
        cli("predict", ".", "-m", model_file, "-o", "verdicts.fits", *options)
        assert len(list(read(Path("verdicts.fits"), "fits", COLUMNS))) == len(NAMES)


def test_rows_with_and_without_digests_are_not_mixed(folder, model_file, cli):
    args = ("predict", "a.png", "f.png", "-m", model_file, "-o", "x.jsonl")
    assert cli(*args)[0] == 0
    code, _, err = cli(*args, "--resume", "--digest")
    assert (code, "--digest" in err) == (2, True)


def test_a_journal_that_cannot_be_written_leaves_the_table_unchanged(
    folder, model_file, cli, monkeypatch
):
    assert cli("predict", "a.png", "-m", model_file, "-o", "x.parquet")[0] == 0
    before = Path("x.parquet").read_bytes()
    Path("x.parquet.partial").mkdir()
    assert cli("predict", "f.png", "-m", model_file, "-o", "x.parquet")[0] == 2
    assert Path("x.parquet").read_bytes() == before


@posix
def test_wrong_usage_gives_no_traceback(folder, model_file, cli):
    Path("loop.parquet").symlink_to("loop.parquet")
    os.mkfifo("pipe.jsonl")
    Path("bad.csv").write_text(",".join(COLUMNS) + '\n"x"y,ok\n')
    for options in (
        ["-o", "loop.parquet"], ["-o", "pipe.jsonl", "--resume"], ["-o", "bad.csv", "--resume"],
        ["--shard", "9" * 5000 + "/3"], ["--digest"],
    ):  # fmt: skip
        code, out, err = cli("predict", "a.png", "-m", model_file, *options)
        assert (code, out, "Traceback" in err) == (2, "", False)
    for _ in range(2):
        code, _, err = cli("predict", "", "a.png", "-m", model_file, "-o", "c.fits", "--resume")
        assert (code, "Traceback" in err) == (1, False)
