"""tools/browser-page: it takes only the recorded package. tests/browser uses what it makes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOL = ROOT / "tools" / "browser-page"
SOURCE = ROOT / "docs" / "browser"
PIN = json.loads((SOURCE / "onnxruntime-web.json").read_text())


def package(folder: Path) -> Path:
    """A package with the right names and other content."""
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in PIN["files"]:
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, TOOL, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_another_package_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    done = run(tmp_path / "site", "--tarball", package(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"is not onnxruntime-web {PIN['version']}" in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path / "site", "--model", tmp_path / "gone.onnx")
    assert done.returncode == 2
    assert "gone.onnx does not exist" in done.stderr


def test_the_page_has_all_of_its_files(tmp_path: Path) -> None:
    tool = runpy.run_path(str(TOOL))
    tarball = package(tmp_path)
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    pin = PIN | {"integrity": f"sha512-{base64.b64encode(digest).decode()}"}
    site = tmp_path / "site"
    tool["assemble"](site, ROOT / "galaxy_edge" / "models" / "galaxy-edge.onnx", tarball, pin)
    build = json.loads((site / "build.json").read_text())
    named = [build["model"], build["wasm"], *build["examples"]]
    texts = [path.read_text() for path in site.iterdir() if path.suffix in (".html", ".js")]
    for text in texts:
        named += re.findall(r'(?:from|src=|href=) ?"(?:\./)?([\w./-]+)"', text)
        assert not re.search(r"""["'(]https?://""", text)
        assert "innerHTML" not in text
    assert len(named) > 20
    assert [name for name in named if not (site / name).is_file()] == []
    wasm = (site / build["wasm"]).read_bytes()
    expected = base64.b64encode(hashlib.sha384(wasm).digest()).decode()
    assert build["wasmIntegrity"] == f"sha384-{expected}"


def test_the_version_is_the_one_that_other_runtimes_use() -> None:
    other = json.loads((ROOT / "tools" / "runtimes" / "package.json").read_text())
    assert other["dependencies"][PIN["package"]] == PIN["version"]
