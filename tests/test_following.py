"""How the tests of the pages read blocks and run lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.following import commands_in, really, shell
from tests.pages import Step, everything, installs

PAGE = """# Title

- a list

  ```console
  $ galaxy-edge predict a \\
      -r   # a remark
  # only a remark

  $ galaxy-edge doctor
  ```

## Next

```python
# not a title
print("galaxy-edge")
```
"""


def test_blocks_become_steps(tmp_path: Path):
    (tmp_path / "page.md").write_text(PAGE)
    first, second, third = everything("page.md", tmp_path)
    assert first.key == ("sh", "galaxy-edge predict a      -r")
    assert second == Step("page.md", "Title", "sh", "galaxy-edge doctor")
    assert (third.section, third.language) == ("Next", "python")
    assert third.text.startswith("# not a title\nprint")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip install '.[fits]' pytest", ["'.[fits]' pytest"]),
        ("python3 -m venv .venv && .venv/bin/pip install -e .", [".", "."]),
        (". .venv/bin/activate && pre-commit install", []),
        ("galaxy-edge doctor", []),
    ],
)
def test_lines_that_only_install(line: str, found: list[str]):
    assert installs(Step("page.md", "", "sh", line)) == found


def test_bash_gives_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("1.png", "2.png"):
        (tmp_path / name).touch()
    line = (
        "A=1 galaxy-edge predict *.png '*.png' \"x $N\" '' && .venv/bin/galaxy-edge doctor  # end"
    )
    assert commands_in(line, N="3") == [
        ["predict", "1.png", "2.png", "*.png", "x 3", ""], ["doctor"],
    ]  # fmt: skip
    assert commands_in("taskset -c 63 galaxy-edge train data") == [["train", "data"]]


def test_only_known_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert commands_in("mkdir -p a/b && rm -r a") == []
    assert list(tmp_path.iterdir()) == []
    done = shell("sudo rm x", "")
    assert (done.returncode, "sudo: command not found" in done.stderr) == (127, True)
    with pytest.raises(AssertionError, match="curl: command not found"):
        commands_in("curl x && galaxy-edge predict x")


def test_a_pipe_really_runs():
    done = really("galaxy-edge --version")
    assert done.stdout.startswith("galaxy-edge ")
    assert really("galaxy-edge predict gone.png | cp").returncode != 0
