"""The pages of the site, as the steps that tests run.

`steps` gives a test what a page tells people to run, and the test runs all of it.
test_every_command.py finds the calls of `steps` by reading the tests, and fails for a line of the
site that no call takes. not_run.toml lists the lines that nothing here can run, and the reasons.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SHELLS = ("sh", "bash", "shell", "console")
_PIECE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$"
    r"|^#+ (?P<title>[^\n]+)$",
    re.DOTALL | re.MULTILINE,
)
#: Commands that make, enter or fill an environment. CI installs every extra that they name.
_INSTALL = re.compile(
    r"python3 -m venv \.venv|\. \.venv/bin/activate|(\.venv/bin/)?pip install( -e)? (?P<what>.+)"
)


@dataclass(frozen=True)
class Step:
    """One line of a shell block, or all of another block.

    Attributes:
        page: the page, relative to the root of the repository.
        section: the title of the heading above the block.
        language: the language of the block; "sh" for every shell.
        text: the line, or the content of the block.
    """

    page: str
    section: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """How not_run.toml calls it."""
        return self.key[1] if self.language == "sh" else f"{self.language} in {self.section}"

    @property
    def key(self) -> tuple[str, str]:
        """What is the same wherever it stands on the site."""
        text = re.sub(r"\s+#.*", "", self.text) if self.language == "sh" else self.text
        return self.language, text.strip()


def pages(root: Path = ROOT) -> list[str]:
    """Every page that docs/site/staging.py takes from the repository."""
    patterns = ("*.md", "docs/*.md", "galaxy_edge/models/*.md", "docs/site/front.md")
    found = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return [path.relative_to(root).as_posix() for path in found]


@cache
def everything(page: str, root: Path = ROOT) -> tuple[Step, ...]:
    """All steps of a page, in order."""
    found, title = [], ""
    for piece in _PIECE.finditer((root / page).read_text(encoding="utf-8")):
        if piece["title"]:
            title = piece["title"]
            continue
        language, text = piece["language"], textwrap.dedent(piece["text"])
        if language in SHELLS:
            joined = text.replace("\\\n", " ").splitlines()
            lines = [line.removeprefix("$ ") for line in joined]
            found += [Step(page, title, "sh", line) for line in lines if _is_command(line)]
        else:
            found.append(Step(page, title, language, text))
    return tuple(found)


def _is_command(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def must_run(step: Step) -> bool:
    """Whether people are to run it: a shell line, Python, or a file that names our program."""
    if step.language == "sh":
        return not installs(step)
    return step.language == "python" or (
        "galaxy-edge" in step.text and step.language in ("ini", "yaml", "toml", "json", "")
    )


def installs(step: Step) -> list[str]:
    """What a line installs, if all of it prepares an environment; ["."] for a mere activation."""
    if step.language != "sh":
        return []
    found = [_INSTALL.fullmatch(part) for part in step.key[1].split(" && ")]
    return [match["what"] or "." for match in found if match] if all(found) else []


@cache
def not_run() -> dict[tuple[str, str], dict[str, str]]:
    """(page, name of the step) to the reason why no test runs it, and to what .ci/run has."""
    groups = tomllib.loads((TESTS / "not_run.toml").read_text(encoding="utf-8"))["group"]
    return {
        (page, line): {name: text for name, text in group.items() if name != "lines"}
        for group in groups
        for page, lines in group["lines"].items()
        for line in lines
    }


def has_a_reason(step: Step) -> bool:
    return (step.page, step.name) in not_run()


def steps(page: str, *sections: str, language: str = "") -> list[Step]:
    """What a test runs of a page: all of it, or of some sections, or in one language.

    Lines that not_run.toml lists, and those that only install, are left out. Use literal arguments:
    test_every_command.py reads them.
    """
    every = everything(page)
    unknown = {*sections} - {step.section for step in every}
    assert not unknown, f"{page} has no commands below {unknown}"
    return [
        step
        for step in every
        if must_run(step)
        and not has_a_reason(step)
        and (not sections or step.section in sections)
        and (not language or step.language == language)
    ]


def calls(source: str) -> Iterator[list[Step]]:
    """The results of the calls of `steps` in the text of a test."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "steps":
            arguments = [ast.literal_eval(one) for one in node.args]
            named = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
            yield steps(*arguments, **named)


def run_by(files: Iterable[Path]) -> set[tuple[str, str]]:
    """The keys of all steps that tests run."""
    return {
        step.key
        for file in files
        for found in calls(file.read_text(encoding="utf-8"))
        for step in found
    }
