"""Run the steps of a page: shell lines with bash, our program in this process, Python in `exec`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pages import Step

Cli = Callable[..., tuple[int, str, str]]
#: The other programs that a line may use. Any other is "not found", which fails the test.
PROGRAMS = ("cp", "find", "jq", "mkdir", "rm")
NOTES = 'printf "%s\\0" "$@" >>"$WORDS"; printf "\\n\\0" >>"$WORDS"'


@dataclass(frozen=True)
class Done:
    """A command of galaxy-edge that ran."""

    words: list[str]
    code: int
    out: str
    err: str

    @property
    def name(self) -> str:
        return self.words[0]


def shell(line: str, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line with bash; `galaxy-edge` is a script with the given text."""
    line = re.sub(r"\S*/bin/galaxy-edge\b", "galaxy-edge", line)
    bash = str(shutil.which("bash"))
    scripts = {
        "galaxy-edge": program,
        # The tools of the repository begin with this interpreter.
        "python3": f'exec {sys.executable} "$@"',
        # A machine may not have the core that a page names.
        "taskset": 'shift 2; exec "$@"',
    }
    with tempfile.TemporaryDirectory() as name:
        for script, text in scripts.items():
            path = Path(name, script)
            path.write_text(f"#!{bash}\n{text}\n")
            path.chmod(0o755)
        for other in PROGRAMS:
            if (found := shutil.which(other)) is not None:
                Path(name, other).symlink_to(found)
        variables = os.environ | environment | {"PATH": name}
        return subprocess.run(
            [bash, "-euo", "pipefail", "-c", line], env=variables, capture_output=True, text=True,
            check=False,
        )  # fmt: skip


def commands_in(line: str, **environment: str) -> list[list[str]]:
    """The words of each galaxy-edge command of a line, as bash gives them to the program."""
    with tempfile.NamedTemporaryFile() as file:
        done = shell(line, NOTES, WORDS=file.name, **environment)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        every = Path(file.name).read_bytes().decode()
    return [one.removesuffix("\0").split("\0") for one in every.split("\n\0") if one]


def run(step: Step, cli: Cli, short: Mapping[str, Sequence[object]] | None = None) -> list[Done]:
    """Run one step; `short` is what is added to a command, so that it takes seconds."""
    if step.language == "python":
        exec(compile(step.text, step.page, "exec"), {"__name__": "__main__"})  # noqa: S102 - our page
        return []
    assert step.language == "sh", step
    found = []
    for words in commands_in(step.text):
        code, out, err = cli(*words, *(short or {}).get(words[0], ()))
        found.append(Done(words, code, out, err))
    return found


def follow(
    found: Iterable[Step], cli: Cli, short: Mapping[str, Sequence[object]] | None = None
) -> list[Done]:
    """Run steps in their order; every command succeeds."""
    every = []
    for step in found:
        for done in run(step, cli, short):
            assert done.code == 0, f"{step.page}: {step.text}: {done.err}"
            every.append(done)
    return every


def really(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line with bash, and our program in its own process: for pipes."""
    return shell(line, f'exec {sys.executable} -m galaxy_edge "$@"')
