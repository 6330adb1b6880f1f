"""The page "Estimate of a large survey": its arithmetic gives the numbers that it shows."""

from __future__ import annotations

import subprocess
import sys

from tests.pages import everything, steps


def test_the_numbers_of_the_page():
    (snippet,) = steps("docs/estimate.md")
    (shown,) = [step.text for step in everything("docs/estimate.md") if step.language == "text"]
    done = subprocess.run(
        [sys.executable, "-c", snippet.text], capture_output=True, text=True, check=True
    )
    assert done.stdout == shown
