"""The built site: no broken link, no outside request, a page for every command and schema.

Building warns about every broken link, and a warning is an error. Needs the extra `docs`;
`.ci/run` runs this file in an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="needs the extra docs; .ci/run has an environment for it")
pytest.importorskip("furo", reason="needs the extra docs; .ci/run has an environment for it")

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "docs" / "site" / "build.py"


class Page(HTMLParser):
    """The identifiers, links, resources, pictures and text of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.add(found.get("id") or "")
        if tag == "a":
            self.links.append(found.get("href") or "")
        elif tag == "link":
            self.resources.append(found.get("href") or "")
        if tag == "img":
            self.pictures.append(found)
        self.resources += [found[name] or "" for name in ("src", "srcset", "data") if name in found]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def build(output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BUILD, output]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("site") / "html"
    done = build(output)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return output


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_every_page_of_the_repository_is_on_the_site(site: Path):
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("galaxy_edge/models/*.md")]
    assert len(documents) > 40
    for document in documents:
        assert (site / document.relative_to(ROOT)).with_suffix(".html").exists(), document


def test_every_link_and_anchor_exists(site: Path, pages: dict[Path, Page]):
    count = 0
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            file = (path.parent / target).resolve() if target else path
            assert file.exists(), f"{path}: {link}"
            if anchor and file in pages:
                assert anchor in pages[file].anchors, f"{path}: {link}"
            count += 1
    assert count > 1000


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]):
    for path, page in pages.items():
        outside = [one for one in page.resources if re.match(r"(https?:)?//", one)]
        assert not outside, path
    styles = [*site.rglob("*.css")]
    assert styles
    for style in styles:
        text = style.read_text("utf-8")
        assert not re.search(r"(url\(\s*[\"']?|@import\s+[\"'])(https?:)?//", text), style


def test_every_picture_says_what_it_shows(pages: dict[Path, Page]):
    pictures = [picture for page in pages.values() for picture in page.pictures]
    assert len(pictures) >= 3
    for picture in pictures:
        assert len((picture.get("alt") or "").split()) >= 3, picture


def test_the_front_page_leads_to_every_page(site: Path, pages: dict[Path, Page]):
    front = site / "index.html"
    listed = {(front.parent / link.partition("#")[0]).resolve() for link in pages[front].links}
    made = {front, site / "search.html"}
    assert not [path for path in pages if path not in listed | made]


def test_the_option_tables_are_those_of_the_help(site: Path):
    from galaxy_edge.cli.commands import commands, name_of

    done = subprocess.run(
        [sys.executable, "-m", "galaxy_edge", "train", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    options = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", done.stdout)) - {"--help"}
    assert len(options) > 20
    page = Page((site / "reference" / "command-train.html").read_text("utf-8"))
    text = " ".join(page.words)
    assert not [option for option in options if option not in text]
    for command in commands([]):
        assert (site / "reference" / f"command-{name_of(command)}.html").exists()


def test_the_docstrings_are_on_the_site(site: Path, pages: dict[Path, Page]):
    import galaxy_edge

    page = pages[site / "reference" / "api.html"]
    missing = [
        name
        for name in set(galaxy_edge.__all__) - {"inputs"}
        if not any(anchor.endswith(f".{name}") for anchor in page.anchors)
    ]
    assert not missing
    assert "galaxy_edge.inputs.open" in page.anchors
    text = re.sub(r"\s+", " ", " ".join(page.words))
    assert "uint8 (H, W, 3)" in text
    assert "float32 [N, C]" in text


@pytest.mark.parametrize("name", ["outputs/row.schema.json", "manifest.schema.json"])
def test_every_field_of_a_schema_is_on_its_page(pages: dict[Path, Page], site: Path, name: str):
    page = "row-schema" if "row" in name else "manifest-schema"
    text = " ".join(pages[site / "reference" / f"{page}.html"].words)
    for field in json.loads((ROOT / "galaxy_edge" / name).read_text())["properties"]:
        assert field in text
    # A shared definition is spelt out.
    assert ("number, 0 to 1 or null" in text) == ("manifest" in name)


def test_every_kind_of_broken_link_fails_the_build(tmp_path: Path):
    broken = ["[x](page.md)", "[x](other.md#anchor)", "[x](file.txt)", "![x](picture.png)"]
    source = tmp_path / "source"
    source.mkdir()
    (source / "other.md").write_text("# Other\n")
    start = "# Start\n\n```{toctree}\nother\n```\n\n[good](other.md#other)\n"
    code = "import sys, pathlib, build; sys.exit(build.html(*map(pathlib.Path, sys.argv[1:])))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(BUILD.parent), *sys.path])}
    results = []
    for number, page in enumerate([start, "\n\n".join([start, *broken])]):
        (source / "index.md").write_text(page)
        command = [sys.executable, "-c", code, source, tmp_path / str(number)]
        results.append(
            subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        )
    assert (results[0].returncode, results[0].stderr) == (0, "")
    assert results[1].returncode == 1
    for name in ("page.md", "anchor", "file.txt", "picture.png"):
        assert name in results[1].stderr


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = build(tmp_path)
    assert done.returncode == 2
    assert "choose another folder" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
