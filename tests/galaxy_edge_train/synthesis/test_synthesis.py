"""From folders of reals to a data set: counts, files, resuming, and refused input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from galaxy_edge.inputs import images
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge_train.generators import GENERATORS, Generator, training
from galaxy_edge_train.generators.trainable import to_floats
from galaxy_edge_train.generators.training import Progress
from galaxy_edge_train.synthesis import synthesize as synthesis
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.fakes import samples
from galaxy_edge_train.synthesis.reals import SPLITS
from tests.conftest import galaxy, make_data
from tests.galaxy_edge_train.synthesis.cutouts import digests_by_split, opened, reals

Cli = Callable[..., tuple[int, str, str]]
SIZE = 16
QUICK = ("--size", SIZE, "--epochs", 1, "--batch-size", 8, "--quiet")


def pixels(folder: Path) -> list[bytes]:
    return [opened(path).tobytes() for path in sorted(folder.rglob("*.png"))]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix == ".png" and path.parent != folder
    }


def test_unreadable_images_are_left_out_and_listed(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 30)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, out, err = cli(
        "synthesize", folder, "-o", tmp_path / "out", "--generator", "vae", *QUICK[:-1]
    )
    assert code == 0
    assert "broken.png" in err
    manifest = json.loads((tmp_path / "out" / "data.json").read_text())
    assert manifest["reals"]["left_out"][0]["path"].endswith("broken.png")
    assert out.strip() == str(tmp_path / "out")


def test_the_layout_and_the_counts(tmp_path: Path, cli: Cli):
    near, far = reals(tmp_path / "near", 60), reals(tmp_path / "far", 30, first=500)
    code, _, err = cli(
        "synthesize", near, far, "-o", tmp_path / "out", "--generator", "vae,gan",
        "--train", 20, "--valid", 6, *QUICK,
    )  # fmt: skip
    assert (code, err) == (0, "")
    out = tmp_path / "out"
    count = {
        folder.relative_to(out).as_posix(): len(list(folder.iterdir()))
        for folder in sorted(out.glob("*/*/*"))
        if folder.is_dir() and folder.parent.name == "Real"
    } | {
        folder.relative_to(out).as_posix(): len(list(folder.iterdir()))
        for folder in sorted(out.glob("*/Fake/*/*"))
    }
    assert count == {
        "Train/Real/far": 10, "Train/Real/near": 10, "Valid/Real/far": 3, "Valid/Real/near": 3,
        "Train/Fake/vae/near": 5, "Train/Fake/vae/far": 5, "Train/Fake/gan/near": 5,
        "Train/Fake/gan/far": 5, "Valid/Fake/vae/near": 2, "Valid/Fake/vae/far": 2,
        "Valid/Fake/gan/near": 1, "Valid/Fake/gan/far": 1,
    }  # fmt: skip
    assert {opened(path).size for path in out.glob("*/*/**/*.png")} == {(SIZE, SIZE)}
    for name in ("realism.png", "contact_sheet.png"):
        assert opened(out / name).width > 500
    report = json.loads((out / "realism.json").read_text())
    assert set(report["against the real validation split"]) == {
        "real, training split", "vae", "gan",
    }  # fmt: skip
    assert not list(out.parent.glob("*.partial"))


def test_a_small_folder_is_used_up_and_gets_as_many_fakes_as_reals(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 40)
    assert cli("synthesize", folder, "-o", tmp_path / "out", "--generator", "vae", *QUICK)[0] == 0
    for split, digests in digests_by_split(folder).items():
        for kind in ("Real", "Fake"):
            assert len(pixels(tmp_path / "out" / split / kind)) == len(digests)


def test_no_generator_sees_the_validation_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[bytes] = []

    def watching(generator: Generator, images: Pixels, *rest, **options) -> Progress:
        seen.extend(image.tobytes() for image in images)
        return training.fit(generator, images, *rest, **options)

    monkeypatch.setattr(samples, "fit", watching)
    out = synthesis.synthesize(
        [reals(tmp_path / "reals", 60)],
        tmp_path / "out",
        SynthesisConfig(families=("vae", "gan"), size=SIZE, epochs=1),
        quiet=True,
    )
    valid = set(pixels(out / "Valid" / "Real"))
    assert valid
    assert not valid & set(seen)
    assert set(pixels(out / "Train" / "Real")) == set(seen)


class Replay(Generator):
    """A generator of perfect fakes: they differ from the reals only in how they are written."""

    epochs = 1

    def draw(self, count, rng):
        raise NotImplementedError

    def sample(self, sources, rng):
        images = [galaxy(int(rng.integers(10**6, 10**9)), self.size) for _ in sources]
        return to_floats(np.stack(images))


def file_statistics(path: Path) -> list[float]:
    content = path.read_bytes()
    image = opened(path)
    values = np.asarray(image, dtype=float)
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    tables = getattr(image, "quantization", {})
    return [
        len(content), content.count(b"IDAT"), len(image.info), len(tables),
        sum(map(sum, tables.values())), values.mean(), values.std(), values.min(), values.max(),
        edge.mean(), edge.std(), (values == 0).mean(), (values == 255).mean(),
    ]  # fmt: skip


def test_the_files_do_not_reveal_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A classifier that sees only properties of the files must not beat chance."""
    monkeypatch.setitem(GENERATORS, "vae", Replay)
    monkeypatch.setattr(samples, "fit", lambda *_, **__: Progress([0.0], 0.0))
    out = synthesis.synthesize(
        [reals(tmp_path / "reals", 800, size=SIZE)],
        tmp_path / "out",
        SynthesisConfig(families=("vae",), size=SIZE),
        quiet=True,
    )
    sets = {}
    for split in SPLITS:
        rows = [
            (file_statistics(path), label)
            for label, kind in enumerate(("Fake", "Real"))
            for path in sorted((out / split / kind).rglob("*.png"))
        ]
        sets[split] = [np.array(column) for column in zip(*rows, strict=True)]
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(*sets["Train"])
    values, labels = sets["Valid"]
    auc = roc_auc_score(labels, classifier.decision_function(values))
    # With 200 of each class, three standard deviations of a random AUC are 0.09.
    assert abs(auc - 0.5) < 0.1
    assert len({path.stat().st_size for path in out.glob("*/*/**/*.png")}) == 1


def test_a_resumed_synthesis_gives_the_same_images(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    folder = reals(tmp_path / "reals", 40)
    options = ("--generator", "vae,gan", *QUICK)
    assert cli("synthesize", folder, "-o", tmp_path / "whole", *options)[0] == 0

    def killed(generator: Generator, *rest, **also) -> Progress:
        if isinstance(generator, GENERATORS["gan"]):
            raise KeyboardInterrupt
        return training.fit(generator, *rest, **also)

    monkeypatch.setattr(samples, "fit", killed)
    code, _, err = cli("synthesize", folder, "-o", tmp_path / "cut", *options)
    assert code == 130
    assert "--resume" in err
    monkeypatch.undo()
    assert cli("synthesize", folder, "-o", tmp_path / "cut", *options)[0] == 2
    code, _, err = cli("synthesize", folder, "-o", tmp_path / "cut", "--resume", *options)
    assert (code, err) == (0, "")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_synthesis_cannot_be_resumed_with_other_options(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 40)
    out = tmp_path / "out"
    assert cli("synthesize", folder, "-o", out, "--generator", "vae", *QUICK)[0] == 0
    shutil.move(out, tmp_path / "out.partial")
    code, _, err = cli("synthesize", folder, "-o", out, "--generator", "gan", "--resume", *QUICK)
    assert code == 2
    assert "families" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--generator", "gam"), "unknown generator 'gam'; choose from vae, gan, diffusion"),
        (("--generator", "vae,vae"), "each only once"),
        (("--generator", ""), "unknown generator ''"),
        (("--size", 50), "a multiple of 16"),
        (("--size", 0), "a multiple of 16"),
        (("--train", 0), "train must be at least 1"),
        (("--epochs", 0), "epochs must be at least 1"),
        (("--minutes", "nan"), "minutes must be a finite number"),
        (("--minutes", "inf"), "minutes must be a finite number"),
        (("--minutes", 0), "minutes must be positive"),
        (("--batch-size", 0), "batch_size must be at least 1"),
        (("--seed", -1), "seed must lie between"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, cli: Cli, options: tuple, message: str):
    code, _, err = cli("synthesize", reals(tmp_path / "reals", 4), "-o", tmp_path / "o", *options)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_all_wrong_folders_are_reported_at_once(tmp_path: Path, cli: Cli):
    (tmp_path / "empty").mkdir()
    code, _, err = cli(
        "synthesize", tmp_path / "empty", tmp_path / "missing", reals(tmp_path / "a" / "sky", 4),
        "-o", tmp_path / "o",
    )  # fmt: skip
    reals(tmp_path / "b" / "sky", 4)
    assert code == 2
    for part in ("empty contains no images", "missing contains no images"):
        assert part in err
    code, _, err = cli(
        "synthesize", tmp_path / "a" / "sky", tmp_path / "b" / "sky", "-o", tmp_path / "o"
    )
    assert code == 2
    assert "another folder is also called sky" in err
    assert not (tmp_path / "o.partial").exists()


def test_fakes_are_not_used_as_reals(tmp_path: Path, cli: Cli):
    labelled = make_data(tmp_path / "labelled")
    code, _, err = cli("synthesize", labelled, "-o", tmp_path / "o")
    assert code == 2
    assert "Train/Fake contains fakes, which would be used as real images" in err
    folder = reals(tmp_path / "reals", 10)
    code, _, err = cli("synthesize", folder, "-o", folder / "out")
    assert code == 2
    assert "whose images are used as real ones" in err
    hidden = reals(tmp_path / ".hidden", 10)
    assert cli("synthesize", hidden, "-o", tmp_path / "o")[0] == 2


def test_fewer_images_than_generators_are_reported_before_training(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 40)
    code, _, err = cli(
        "synthesize", folder, "-o", tmp_path / "o", "--generator", "vae,gan", "--valid", 1, *QUICK
    )
    assert code == 2
    assert "reals: 1 images for Valid, which is fewer than the 2 generators" in err
    assert not (tmp_path / "o.partial").exists()


def test_a_folder_without_readable_images_says_why(tmp_path: Path, cli: Cli):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "rubbish.png").write_bytes(b"rubbish")
    code, _, err = cli("synthesize", tmp_path / "bad", "-o", tmp_path / "o")
    assert code == 2
    assert "rubbish.png: " in err


def test_the_options_for_fits_reach_the_images_and_the_configuration(tmp_path: Path, cli: Cli):
    fits = pytest.importorskip("astropy.io.fits")
    folder = tmp_path / "reals"
    folder.mkdir()
    for seed in range(30):
        flux = galaxy(seed, SIZE)[..., 0].astype(np.float32) * 10
        fits.PrimaryHDU(flux).writeto(folder / f"{seed}.fits")
    options = ("--minimum", 100, "--stretch", 700, "--q", 4, "--bit-depth", 12, "--bands", "i,r,g")
    code, _, err = cli(
        "synthesize", folder, "-o", tmp_path / "out", "--generator", "vae", *QUICK, *options
    )
    assert code == 0, err
    asked = Stretch(("i", "r", "g"), 100, 700, 4, 12)
    expected = {images.read(path, asked).tobytes() for path in folder.iterdir()}
    written = pixels(tmp_path / "out" / "Train" / "Real")
    assert written
    assert set(written) <= expected
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["stretch"] == {
        "bands": ["i", "r", "g"], "minimum": 100, "stretch": 700, "q": 4, "bit_depth": 12,
    }  # fmt: skip
