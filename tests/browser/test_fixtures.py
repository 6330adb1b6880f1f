"""The fixtures notice what a page must never do."""

from __future__ import annotations

from pathlib import Path

from tests.browser.conftest import Tab

GOOD = "<!doctype html><html lang=en><title>t</title><main><h1>Galaxies</h1></main></html>"
BAD = """<!doctype html><html><title>t</title><main><img src="http://127.0.0.1:9/m51.png">
<input><script>console.error("wrong"); throw new Error("worse")</script></main></html>"""


def test_a_good_page_has_no_findings(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text(GOOD)
    tab.open((tmp_path / "good.html").as_uri())
    assert tab.accessibility() == []
    assert (tab.errors, tab.outside) == ([], [])


def test_errors_other_hosts_and_bad_markup_are_found(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(BAD)
    tab.open((tmp_path / "bad.html").as_uri())
    assert {"wrong", "worse"} <= set(tab.errors)
    assert tab.outside == ["http://127.0.0.1:9/m51.png"]
    rules = {finding.split(": ")[1] for finding in tab.accessibility()}
    assert {"image-alt", "label"} <= rules
    tab.errors.clear()
    tab.outside.clear()
