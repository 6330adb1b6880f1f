"""Every command on the site runs in a test, or not_run.toml says why it cannot."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer

from galaxy_edge.cli.commands import commands, name_of
from tests import pages
from tests.pages import ROOT, TESTS, Step

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


@cache
def run() -> frozenset[tuple[str, str]]:
    """The keys of all steps that tests run."""
    return frozenset(pages.run_by(sorted(TESTS.rglob("test_*.py"))))


def forgotten(root: Path = ROOT) -> list[str]:
    """The lines and blocks that no test runs and that have no reason."""
    return [
        f"{page}: {step.section}: {step.key[1]}"
        for page in pages.pages(root)
        for step in pages.everything(page, root)
        if pages.must_run(step) and step.key not in run() and not pages.has_a_reason(step)
    ]


def test_every_command_runs_or_has_a_reason():
    assert not forgotten()


@pytest.mark.parametrize("language", ["sh", "bash", "console", "python"])
def test_a_new_command_on_any_page_is_noticed(tmp_path: Path, language: str):
    for page in pages.pages():
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, tmp_path / page)
        with (tmp_path / page).open("a", encoding="utf-8") as file:
            file.write(f"\n  ```{language}\n  galaxy-edge predict new.png  # a remark\n  ```\n")
    found = [line.partition(":")[0] for line in forgotten(tmp_path) if "new.png" in line]
    assert found == pages.pages()


def test_the_pages_are_those_of_the_site(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")
    staging = import_module("staging")
    found = [path.relative_to(ROOT).as_posix() for path in staging.pages()]
    assert pages.pages() == [*found, "docs/site/front.md"]


def test_a_reason_is_for_a_line_that_exists_and_that_no_test_runs():
    every = {
        (step.page, step.name): step for page in pages.pages() for step in pages.everything(page)
    }
    for place, group in pages.not_run().items():
        assert place in every, f"{place} is gone: remove it from not_run.toml"
        assert every[place].key not in run(), f"a test runs {place}: remove it from not_run.toml"
        assert group["reason"]
        assert group.get("ci", "") in CI, f"{place}: .ci/run has no such line"


def test_every_file_of_the_repository_in_a_command_exists():
    found = [
        path
        for step in shell_lines()
        for path in re.findall(r"(?<!\S)(?:tools|tests|benchmarks|docs/site)/[\w./-]+", step.text)
    ]
    assert len(found) > 10
    assert not [path for path in found if not (ROOT / path).exists()]


def shell_lines() -> list[Step]:
    return [
        step for page in pages.pages() for step in pages.everything(page) if step.language == "sh"
    ]


def invocations(page: str) -> Iterator[list[str]]:
    """The words after each `galaxy-edge` of a page: in its blocks, and in code inside its text."""
    lines = [step.key[1] for step in pages.everything(page) if step.language == "sh"]
    prose = (ROOT / page).read_text(encoding="utf-8")
    lines += [one.replace("\\|", "|") for one in re.findall(r"`(galaxy-edge [^`\n]+)`", prose)]
    for line in lines:
        for part in re.split(r" \| | && ", line):
            words = shlex.split(part)
            for place, word in enumerate(words):
                if re.fullmatch(r"(\S*/)?galaxy-edge(\.pyz)?", word):
                    yield words[place + 1 :]
                if word.endswith("tools/leave-one-out") and "--" in words:
                    yield ["train", *words[words.index("--") + 1 :]]


@cache
def options(command: str) -> frozenset[str]:
    """The names of all options of a galaxy-edge command."""
    found = getattr(import_module(f"galaxy_edge.cli.{command}"), command)
    application = typer.Typer()
    if isinstance(found, typer.Typer):
        application = found
    else:
        application.command()(found)
    top = typer.main.get_command(application)
    every = [top, *getattr(top, "commands", {}).values()]
    return frozenset(
        name
        for one in every
        for parameter in one.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    ) | {"--help", "-h"}


@pytest.mark.parametrize("page", pages.pages())
def test_every_command_and_its_options_exist(page: str):
    names = {name_of(command) for command in commands([])}
    for command, *words in filter(None, invocations(page)):
        if re.fullmatch(r"[a-z]\S*", command):
            assert command in names, f"galaxy-edge {command}"
            used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert not used - options(command), f"galaxy-edge {command}"


def test_the_commands_of_the_readme_are_found():
    names = {command for command, *_ in invocations("README.md")}
    assert names >= {
        "predict", "review", "synthesize", "train", "export", "evaluate", "verify"
    }  # fmt: skip


def test_ci_installs_every_extra_that_a_page_installs():
    """No test runs the lines that install. CI installs `.[dev]`, `.[docs]` and further packages."""
    in_dev = next(item for item in EXTRAS["dev"] if item.startswith("galaxy-edge["))
    installed = {*re.findall(r"\w+", in_dev.partition("[")[2]), "dev"}
    others = {re.split("[<>=]", item)[0] for item in EXTRAS["dev"]} | {*re.findall(r"[\w-]+", CI)}
    for extra, items in EXTRAS.items():
        names = {re.split("[<>=]", item)[0] for item in items if "galaxy-edge[" not in item}
        if names <= others or f"'.[{extra}]'" in CI:
            installed.add(extra)
    lines = [what for step in shell_lines() for what in pages.installs(step)]
    named = {names for what in lines for names in re.findall(r"\[([\w,]+)\]", what)}
    found = {extra for names in named for extra in names.split(",")}
    assert {"fits", "train", "cloud", "docs", "schema"} <= found <= installed
