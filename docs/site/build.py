"""Build the documentation site, with warnings as errors: python docs/site/build.py FOLDER.

Needs the extra `docs`. The pages keep their places and links, as on GitHub: they are copied with
the documents they link to, next to pages that are made from the program itself, and Sphinx turns
the copy into HTML.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import staging
from sphinx.cmd.build import build_main

HERE = Path(__file__).parent


def main() -> int:
    """Build the site and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path, metavar="FOLDER", help="where the HTML is written")
    output = parser.parse_args().output
    if output.exists() and any(output.iterdir()) and not (output / "searchindex.js").exists():
        print(f"{output} is not empty and not a site; choose another folder", file=sys.stderr)
        return 2
    # A page that no longer exists must not stay.
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        staging.stage(source)
        return html(source, output)


def html(source: Path, output: Path) -> int:
    """Turn a folder of pages into HTML; 1 if there was a warning."""
    with tempfile.TemporaryDirectory() as cache:
        options = ["-q", "--fail-on-warning", "--keep-going", "-d", cache, "-c", str(HERE)]
        return int(build_main([*options, str(source), str(output)]))


if __name__ == "__main__":
    sys.exit(main())
