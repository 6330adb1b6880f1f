"""The source folder of the site: the repository's pages, made pages and the navigation."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import commands
import schemas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: The sections of the sidebar: page (its path without the suffix) to a title, or "" for its own.
NAVIGATION: dict[str, dict[str, str]] = tomllib.loads((HERE / "navigation.toml").read_text("utf-8"))
#: The section of the pages that the navigation does not list.
MORE = "More pages"


def pages() -> list[Path]:
    """Every page of the repository: those in its root, in docs/, and the cards of the models."""
    patterns = ("*.md", "docs/*.md", "galaxy_edge/models/*.md")
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def linked(page: Path) -> set[Path]:
    """The files in the repository that a page links to or shows."""
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    files = ((page.parent / target).resolve() for target in targets if "://" not in target)
    return {file for file in files if file.is_file() and file.is_relative_to(ROOT)}


def sections(names: set[str]) -> dict[str, dict[str, str]]:
    """The navigation without absent pages, and with a last section for those it does not list."""
    found = {
        section: {page: title for page, title in entries.items() if page in names}
        for section, entries in NAVIGATION.items()
    }
    listed = {page for entries in NAVIGATION.values() for page in entries}
    more = sorted(names - listed)
    return found | ({MORE: dict.fromkeys(more, "")} if more else {})


def toctree(section: str, entries: dict[str, str]) -> str:
    """A section of the sidebar, as a directive of MyST."""
    lines = [f"{title} <{page}>" if title else page for page, title in entries.items()]
    body = "\n".join(lines)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n{body}\n```\n"


def stage(folder: Path) -> None:
    """Write the source of the site to a new folder."""
    found = pages()
    for file in {*found, *(target for page in found for target in linked(page))}:
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    shutil.copytree(HERE / "reference", folder / "reference")
    for name, text in {**commands.pages(), **schemas.pages()}.items():
        (folder / "reference" / f"{name}.md").write_text(text, "utf-8")
    staged = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.md")}
    # The pages of the commands are below their overview.
    top = {name for name in staged if not name.startswith("reference/command-")}
    trees = [toctree(*section) for section in sections(top).items()]
    front = (HERE / "front.md").read_text("utf-8")
    (folder / "index.md").write_text(front + "".join(trees), "utf-8")
