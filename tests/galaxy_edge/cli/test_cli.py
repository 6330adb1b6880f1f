"""The command line: output, exit codes and messages."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxy_edge.results import columns
from tests.conftest import encoded, galaxy
from tests.systems import linux, posix

Cli = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "galaxy_edge"]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for seed, name in enumerate(("b.png", "a.png", "deep/c.png")):
        (folder / name).write_bytes(encoded(galaxy(seed)))
    monkeypatch.chdir(folder)
    return folder


def test_the_bundled_model_needs_no_options(images: Path, cli: Cli):
    code, out, err = cli("predict", "b.png", "a.png")
    assert code == 0
    header, *rows = out.splitlines()
    assert header.split() == ["verdict", "score", "path"]
    assert [row.split()[2] for row in rows] == ["b.png", "a.png"]
    one = r"((Fake|Real)\s+[01]\.\d{4}|out_of_distribution\s+-)\s"
    assert all(re.match(one, row) for row in rows)
    assert "2 images" in err


def test_json_lines_have_the_columns_of_a_row(images: Path, model_file: Path, cli: Cli):
    code, out, _ = cli("predict", "a.png", "-m", model_file, "--format", "jsonl")
    assert code == 0
    (row,) = map(json.loads, out.splitlines())
    assert tuple(row) == columns(("Fake", "Real"))
    assert row["path"] == "a.png"
    assert 0 <= row["score"] <= 1
    assert row["provider"] == "CPUExecutionProvider"


def test_unreadable_inputs_get_a_row_with_a_reason_and_no_score(images: Path, model_file, cli: Cli):
    (images / "empty.png").touch()
    (images / "text.png").write_text("hello")
    (images / "cut.png").write_bytes(encoded(galaxy(1))[:300])
    code, out, err = cli(
        "predict", "absent.png", "a.png", "empty.png", "text.png", "cut.png", "b.png", "-m",
        model_file, "--format", "csv",
    )  # fmt: skip
    assert code == 1
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["path"] for row in rows] == [
        "absent.png", "a.png", "empty.png", "text.png", "cut.png", "b.png",
    ]  # fmt: skip
    for row in rows:
        if row["path"] in ("a.png", "b.png"):
            assert (row["status"], row["error"]) == ("ok", "")
            assert row["score"]
        else:
            assert row["status"] == "error"
            assert (row["score"], row["label"]) == ("", "")
    reasons = [row["error"].split(":")[0] for row in rows if row["error"]]
    assert reasons == ["missing", "empty", "not an image", "damaged or truncated"]
    assert "4 failed" in err


@pytest.mark.parametrize(
    ("name", "start"), [("r.jsonl", "{"), ("r.csv", "id,path,"), ("r.txt", "verdict")]
)
def test_the_suffix_of_the_output_sets_the_format(
    images: Path, model_file: Path, name: str, start: str, cli: Cli
):
    code, out, _ = cli("predict", "a.png", "-m", model_file, "-o", name)
    assert (code, out) == (0, "")
    assert Path(name).read_text().startswith(start)


def test_a_model_file_that_cannot_be_read_gives_one_plain_reason(images: Path, cli: Cli):
    (images / "folder.onnx").mkdir()
    for name, reason in {
        "absent.onnx": "the file does not exist; check the path",
        "folder.onnx": "it is a folder; name an .onnx file",
        "b.png/x.onnx": "not a directory; check the path and its permissions",
    }.items():
        code, _, err = cli("predict", "a.png", "-m", name)
        assert code == 3
        assert f"{name} cannot be used: {reason}\n" in err


def test_the_help_of_the_threshold_covers_any_number_of_classes(cli: Cli):
    text = " ".join(cli("predict", "--help")[1].replace("│", " ").split())
    assert "Two classes: a score above it gives the positive class." in text
    assert (
        "Three or more: the verdict is uncertain if no class has a probability of at least" in text
    )


def test_an_unknown_suffix_needs_the_format_option(images: Path, model_file: Path, cli: Cli):
    code, _, err = cli("predict", "a.png", "-m", model_file, "-o", "r.xlsx")
    assert code == 2
    assert "--format" in err
    assert not Path("r.xlsx").exists()
    assert cli("predict", "a.png", "-m", model_file, "-o", "r.x", "--format", "csv")[0] == 0


def test_an_output_that_is_also_an_input_is_refused(images: Path, model_file: Path, cli: Cli):
    for output in ("a.png", model_file):
        before = Path(output).read_bytes()
        code, _, err = cli("predict", "a.png", "-m", model_file, "-o", output, "--format", "csv")
        assert code == 2
        assert "would be overwritten" in err
        assert Path(output).read_bytes() == before


@linux
@pytest.mark.parametrize("redirect", ["> /dev/full", "-o /dev/full"])
def test_a_full_disk_is_reported(images: Path, model_file: Path, redirect: str):
    command = f"{sys.executable} -m galaxy_edge predict a.png -m {model_file} {redirect}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@linux
@pytest.mark.parametrize("closed", ["<&-", "2>&-"])
def test_a_closed_stdin_or_stderr_does_no_harm(images: Path, model_file: Path, closed: str):
    command = f"{sys.executable} -m galaxy_edge predict a.png -m {model_file} {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2


def test_file_names_are_printed_unchanged_in_any_locale(images: Path, model_file: Path):
    Path("\u00e9.png").write_bytes(encoded(galaxy(1)))
    done = subprocess.run(
        [*COMMAND, "predict", "\u00e9.png", "-m", model_file, "-q"],
        capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.stdout.decode().endswith("\u00e9.png\n")


def test_a_bug_exits_with_70_and_asks_for_a_report(images: Path, cli: Cli, monkeypatch):
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("galaxy_edge.predictor.Predictor.__init__", broken)
    code, _, err = cli("predict", "a.png")
    assert code == 70
    assert "ZeroDivisionError" in err
    assert "report" in err


@posix
def test_progress_is_shown_if_rows_go_to_a_file(images: Path, model_file: Path):
    import pty

    parent, child = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, "predict", "a.png", "b.png", "-m", model_file, "-o", "rows.csv"],
            stderr=child, check=True, env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        assert b"2 images" in os.read(parent, 100_000)
    finally:
        os.close(parent)
        os.close(child)


def test_an_output_that_cannot_be_written_is_reported(images: Path, model_file: Path, cli: Cli):
    code, _, err = cli("predict", "a.png", "-m", model_file, "-o", "absent/r.csv")
    assert code == 2
    assert "absent" in err


def test_recursive_includes_subfolders(images: Path, model_file: Path, cli: Cli):
    def names(*options: str) -> list[str]:
        _, out, _ = cli("predict", ".", "-m", model_file, "--format", "csv", *options)
        return [row["path"] for row in csv.DictReader(out.splitlines())]

    assert names() == ["a.png", "b.png"]
    assert names("-r") == ["a.png", "b.png", os.path.join("deep", "c.png")]


def test_the_threshold_option_replaces_that_of_the_model(images: Path, model_file: Path, cli: Cli):
    for threshold, label in (("0", "Real"), ("1", "Fake")):
        _, out, _ = cli(
            "predict", "a.png", "-m", model_file, "--threshold", threshold, "--format", "jsonl"
        )
        row = json.loads(out)
        assert (row["label"], row["threshold"]) == (label, float(threshold))


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["-m", "absent.onnx"], 3, "absent.onnx"),
        (["--device", "tensorrt"], 4, "TensorrtExecutionProvider"),
        (["--device", "abacus"], 2, "abacus"),
        (["--threshold", "2"], 2, "threshold"),
        (["--threads", "0"], 2, "thread"),
        (["--format", "xml"], 2, "xml"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_each_error_has_its_exit_code(
    images: Path, options: list[str], code: int, words: str, cli: Cli
):
    import onnxruntime

    if "tensorrt" in options and words in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has TensorRT")
    result, out, err = cli("predict", "a.png", *options)
    assert (result, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_paths_on_stdin_need_not_be_valid_utf_8(images: Path, model_file: Path):
    odd = os.fsdecode(b"odd \xff.png")
    Path(odd).write_bytes(encoded(galaxy(1)))
    done = subprocess.run(
        [*COMMAND, "predict", "-", "-m", model_file, "--format", "csv", "-q"],
        input=b"b.png\nodd \xff.png\nabsent.png\n", capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == b""
    assert [line.split(b",")[0] for line in done.stdout.splitlines()[1:]] == [
        b"b.png", b"odd \xff.png", b"absent.png",
    ]  # fmt: skip


def test_a_closed_pipe_gives_no_traceback(images: Path, model_file: Path):
    names = ["a.png"] * 3000
    first = subprocess.Popen(
        [*COMMAND, "predict", "-m", model_file, "--format", "jsonl", *names],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert first.stdout is not None
    assert first.stderr is not None
    assert first.stdout.readline().startswith(b"{")
    first.stdout.close()
    assert first.wait(60) != 0
    assert b"Traceback" not in first.stderr.read()
    first.stderr.close()


@posix
def test_ctrl_c_keeps_the_finished_rows(images: Path, model_file: Path):
    output = images / "rows.jsonl"
    child = subprocess.Popen(
        [*COMMAND, "predict", "-", "-m", model_file, "-o", output, "--batch-size", "1"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stderr is not None
    child.stdin.write(b"a.png\n" * 20)
    child.stdin.flush()
    deadline = time.monotonic() + 60
    while not (output.exists() and output.stat().st_size):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    said = child.stderr.read()
    assert b"Traceback" not in said
    assert b"keeps the finished rows; repeat the command with --resume" in said
    child.stdin.close()
    child.stderr.close()
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows
    assert all(row["path"] == "a.png" for row in rows)


@posix
def test_a_terminal_gets_colours_unless_no_color_is_set(images: Path, model_file: Path):
    import pty

    def seen(**environment: str) -> bytes:
        parent, child = pty.openpty()
        try:
            subprocess.run(
                [*COMMAND, "predict", "a.png", "-m", model_file], stdout=child,
                stderr=subprocess.DEVNULL, check=True, env=os.environ | environment,
            )  # fmt: skip
            return os.read(parent, 10_000)
        finally:
            os.close(parent)
            os.close(child)

    assert b"\x1b[" in seen(NO_COLOR="")
    assert b"\x1b[" not in seen(NO_COLOR="1")


def test_a_missing_extra_is_reported_with_the_pip_command(images: Path, tmp_path: Path):
    """An edge machine installs only the runtime, without Keras."""
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text("import sys\nsys.modules['keras'] = None\n")
    for command, extra in (("train", "train"), ("export", "export")):
        done = subprocess.run(
            [*COMMAND, command, "."], capture_output=True, text=True, check=False,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 2
        assert f"galaxy-edge[{extra}]" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("backend", "words"), [("rubbish", "rubbish"), ("jax", "install")])
def test_an_unknown_or_missing_backend_is_reported(tmp_path: Path, backend: str, words: str):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jax'] = None\n")
    done = subprocess.run(
        [*COMMAND, "train", "."], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "KERAS_BACKEND": backend},
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_command(cli: Cli):
    code, out, _ = cli("--help")
    assert code == 0
    for command in ("train", "export", "predict", "evaluate", "info", "verify", "doctor"):
        assert command in out


def test_version_is_printed(cli: Cli):
    from importlib.metadata import version

    assert cli("--version") == (0, f"galaxy-edge {version('galaxy-edge')}\n", "")
