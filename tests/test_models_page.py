"""MODELS.md, the cards and the numbers of the typicality: their commands run, in a short form.

`SHARED` is here a small folder with the layout of the project's data.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.following import follow
from tests.pages import ROOT, steps

pytest.importorskip("tensorflow", reason="the extra `train` is not installed")
Cli = Callable[..., tuple[int, str, str]]
SHORT = {
    "synthesize": ["--size", "16", "--train", "18", "--valid", "18", "--epochs", "1", "-q"],
    "train": ["--image-size", "16", "--epochs", "1", "--batch-size", "16", "-q"],
    "export": ["--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1",
               "--min-speedup", "0", "-q"],
    "evaluate": ["--bootstrap", "0", "-q"],
}  # fmt: skip
#: Folder to its number of images. tools/test-sets takes gz2 from its 1,195th image on for Test/.
COLLECTIONS = {
    "skyserver": 100, "gz2": 1197, "galaxyzoo_sdss": 2, "other-survey/hsc": 2,
    "other-survey/hst": 2, "fits/sdss_r": 2, "galaxies64/Train/Fake": 4, "galaxies64/Valid/Fake": 4,
    "galaxies64/Valid/Real": 4, "unseen/Real/gz2_other": 2, "unseen/Real/hsc_of_wgan": 2,
    "unseen/Real/hsc_of_ddpm": 2, "unseen/Fake/wgan_hsc": 2, "unseen/Fake/ddpm_hsc": 2,
    "unseen/Fake/cvae": 2, "unseen/Fake/dcgan": 2, "unseen/Fake/lsgan": 2, "unseen/Fake/vae": 2,
    "unseen/Fake/wgan_gp": 2,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    shared = tmp_path / "SHARED"
    seed = 0
    for place, count in COLLECTIONS.items():
        (shared / place).mkdir(parents=True)
        for number in range(count):
            seed += 1
            (shared / place / f"{number:04}.png").write_bytes(encoded(galaxy(seed, 16)))
    (shared / "efigi").mkdir()
    for part, count in (("train", 30), ("valid", 20), ("spare", 2)):
        names = [f"{part}-{number}.png" for number in range(count)]
        for name in names:
            seed += 1
            (shared / "efigi" / name).write_bytes(encoded(galaxy(seed, 16)))
        (shared / f"efigi-{part}.txt").write_text("\n".join(names))
    return tmp_path


@pytest.mark.slow
def test_the_models_are_made_and_measured(folder: Path, cli: Cli, few_steps: None):
    make_sets, *measure = steps("docs/typicality.md", "Results")
    assert follow([make_sets], cli) == []
    assert {path.name for path in Path("sets").iterdir()} == {
        "Train", "Valid", "Test", "sources", "Processing", "Outliers", "Unseen", "Natural",
    }  # fmt: skip
    follow(measure, cli, SHORT)
    metrics = json.loads(Path("report/metrics.json").read_text())
    assert {one["source"] for one in metrics["sources"]} == {
        "efigi", "skyserver", "gz2", "galaxyzoo_sdss", "diffusion",
    }  # fmt: skip
    assert Path("unseen/report.html").exists()

    same, synthesize = steps("MODELS.md", "Training data")
    assert same.key == make_sets.key
    _, again, remove, train, export = steps("galaxy_edge/models/galaxy-edge.md", "Commands")
    assert again.key == synthesize.key
    follow([synthesize], cli, SHORT)
    assert Path("dataset/Valid/Fake/disturbance").is_dir()
    follow([remove], cli)
    families = {path.name for path in Path("dataset/Train/Fake").iterdir()}
    assert families == {"vae", "gan", "diffusion", "reconstruction", "renoised"}
    Path("galaxy_edge/models").mkdir(parents=True)
    follow([train, export, *steps("galaxy_edge/models/documented.md", "Commands")], cli, SHORT)
    for name in ("galaxy-edge", "documented"):
        found = json.loads(cli("info", f"galaxy_edge/models/{name}.onnx")[1])
        assert found["decision"]["open_class"] == "Fake"
        assert found["quantization"]["layers"]
