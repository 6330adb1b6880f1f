"""From folders of reals to a data set: halves, counts, one writer, and going on after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("keras")

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from galaxy_edge.errors import DatasetError, UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.generators import (
    FAMILIES,
    Generator,
    training,
)
from galaxy_edge_train.generators.generator import to_floats
from galaxy_edge_train.generators.training import Progress
from galaxy_edge_train.synthesis import synthesize as synthesis
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.reals import half_of, read
from galaxy_edge_train.synthesis.shares import allocate, split
from tests.conftest import encoded, galaxy, make_data

Cli = Callable[..., tuple[int, str, str]]
PREPROCESSING = Preprocessing(size=16, resize="lanczos")
SIZE = 16
QUICK = ("--size", SIZE, "--epochs", 1, "--batch-size", 8, "--quiet")


def reals(folder: Path, count: int, first: int = 0, size: int = 20) -> Path:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        (folder / f"{number:04}.png").write_bytes(encoded(galaxy(number, size)))
    return folder


def pixels(folder: Path) -> list[bytes]:
    return [opened(path).tobytes() for path in sorted(folder.rglob("*.png"))]


def opened(path: Path) -> Image.Image:
    """The image in memory, its file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix == ".png" and path.parent != folder
    }


# --- halves ---------------------------------------------------------------------------------


def halves(folder: Path) -> dict[str, set[str]]:
    (source,) = read([folder], PREPROCESSING)
    return {half: {cutout.digest for cutout in cut} for half, cut in source.halves.items()}


def test_a_quarter_is_for_validation_and_an_image_stays_where_it_is(tmp_path: Path):
    few = halves(reals(tmp_path / "few", 40))
    many = halves(reals(tmp_path / "many", 200))
    assert not many["Train"] & many["Valid"]
    assert 30 <= len(many["Valid"]) <= 70
    for half in ("Train", "Valid"):
        assert few[half] <= many[half]


def test_doubles_fall_together_whatever_their_file(tmp_path: Path):
    folder = reals(tmp_path / "reals", 40)
    before = halves(folder)
    for path in list(folder.iterdir()):
        opened(path).save(folder / f"again-{path.stem}.tiff")
    assert halves(folder) == before


def test_given_halves_are_kept_and_what_both_hold_is_not_learned_from(tmp_path: Path):
    folder = tmp_path / "reals"
    reals(folder / "train", 10)
    reals(folder / "VALID", 5, first=8)
    found = halves(folder)
    assert (len(found["Train"]), len(found["Valid"])) == (8, 5)


def test_the_size_of_the_cutouts_moves_no_image(tmp_path: Path):
    folder = reals(tmp_path / "reals", 40)
    small, large = (
        read([folder], Preprocessing(size=size, resize="lanczos"))[0] for size in (16, 32)
    )
    for half in ("Train", "Valid"):
        assert [c.path for c in small.halves[half]] == [c.path for c in large.halves[half]]


def test_what_one_source_validates_with_no_other_is_learned_from(tmp_path: Path):
    for name, first in (("near", 0), ("far", 6)):
        reals(tmp_path / name / "Train", 10, first=first)
        reals(tmp_path / name / "Valid", 4, first=first + 12)
    near, far = read([tmp_path / "near", tmp_path / "far"], PREPROCESSING)
    digests = [c.digest for s in (near, far) for half in s.halves.values() for c in half]
    assert len(digests) == len(set(digests))
    # 12 to 15 validate near: far, whose training half has them, goes without; 6 to 9 are near's.
    assert (len(near.halves["Train"]), len(near.halves["Valid"])) == (10, 4)
    assert (len(far.halves["Train"]), len(far.halves["Valid"])) == (2, 4)


@given(st.integers(0, 2**256 - 1))
def test_the_digest_alone_decides(number: int):
    digest = f"{number:064x}"
    assert half_of(digest) == ("Valid" if number < 2**254 else "Train")


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, cli: Cli):
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


# --- counts ---------------------------------------------------------------------------------


@given(st.integers(0, 50), st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_stocks_give_all_that_is_wanted_as_evenly_as_they_can(wanted: int, stocks: list[int]):
    given_ = allocate(wanted, stocks)
    assert sum(given_) == min(wanted, sum(stocks))
    assert all(0 <= take <= stock for take, stock in zip(given_, stocks, strict=True))
    # Whoever gives less than the most by more than one has no more.
    for take, stock in zip(given_, stocks, strict=True):
        assert take >= max(given_) - 1 or take == stock


@given(st.integers(0, 1000), st.integers(1, 7))
def test_parts_make_the_whole(total: int, parts: int):
    shares = split(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


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
    assert set(report["against the real validation half"]) == {
        "real, training half", "vae", "gan",
    }  # fmt: skip
    assert not list(out.parent.glob("*.partial"))


def test_smaller_sets_scale(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 40)
    assert cli("synthesize", folder, "-o", tmp_path / "out", "--generator", "vae", *QUICK)[0] == 0
    for half, digests in halves(folder).items():
        for kind in ("Real", "Fake"):
            assert len(pixels(tmp_path / "out" / half / kind)) == len(digests)


def test_no_generator_sees_the_validation_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[bytes] = []

    def watching(generator: Generator, images: Pixels, *rest, **options) -> Progress:
        seen.extend(image.tobytes() for image in images)
        return training.fit(generator, images, *rest, **options)

    monkeypatch.setattr(synthesis, "fit", watching)
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


# --- one writer -----------------------------------------------------------------------------


class Replay(Generator):
    """Gives images of the very kind the reals are: whatever tells them apart is the writing."""

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


def test_the_files_do_not_tell_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A classifier of files that never looks at a galaxy must be left guessing."""
    monkeypatch.setitem(FAMILIES, "vae", Replay)
    monkeypatch.setattr(synthesis, "fit", lambda *_, **__: Progress([0.0], 0.0))
    out = synthesis.synthesize(
        [reals(tmp_path / "reals", 800, size=SIZE)],
        tmp_path / "out",
        SynthesisConfig(families=("vae",), size=SIZE),
        quiet=True,
    )
    sets = {}
    for half in ("Train", "Valid"):
        rows = [
            (file_statistics(path), label)
            for label, kind in enumerate(("Fake", "Real"))
            for path in sorted((out / half / kind).rglob("*.png"))
        ]
        sets[half] = [np.array(column) for column in zip(*rows, strict=True)]
    judge = make_pipeline(StandardScaler(), LogisticRegression()).fit(*sets["Train"])
    values, labels = sets["Valid"]
    auc = roc_auc_score(labels, judge.decision_function(values))
    # 200 of each class: three standard deviations of chance are 0.09.
    assert abs(auc - 0.5) < 0.1
    assert len({path.stat().st_size for path in out.glob("*/*/**/*.png")}) == 1


# --- going on, and what is refused ------------------------------------------------------------


def test_what_was_killed_goes_on_to_the_same_images(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    folder = reals(tmp_path / "reals", 40)
    options = ("--generator", "vae,gan", *QUICK)
    assert cli("synthesize", folder, "-o", tmp_path / "whole", *options)[0] == 0

    def killed(generator: Generator, *rest, **also) -> Progress:
        if isinstance(generator, FAMILIES["gan"]):
            raise KeyboardInterrupt
        return training.fit(generator, *rest, **also)

    monkeypatch.setattr(synthesis, "fit", killed)
    code, _, err = cli("synthesize", folder, "-o", tmp_path / "cut", *options)
    assert code == 130
    assert "--resume" in err
    monkeypatch.undo()
    assert cli("synthesize", folder, "-o", tmp_path / "cut", *options)[0] == 2
    code, _, err = cli("synthesize", folder, "-o", tmp_path / "cut", "--resume", *options)
    assert (code, err) == (0, "")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_resumed_synthesis_must_be_the_same(tmp_path: Path, cli: Cli):
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
        (("--generator", "gam"), "there is no generator 'gam', but vae, gan, diffusion"),
        (("--generator", "vae,vae"), "each once"),
        (("--generator", ""), "no generator ''"),
        (("--size", 50), "a multiple of 16"),
        (("--size", 0), "a multiple of 16"),
        (("--train", 0), "train must be at least 1"),
        (("--epochs", 0), "epochs must be at least 1"),
        (("--minutes", "nan"), "minutes must be a number"),
        (("--minutes", "inf"), "minutes must be a number"),
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


def test_wrong_folders_are_refused_all_at_once(tmp_path: Path, cli: Cli):
    (tmp_path / "empty").mkdir()
    code, _, err = cli(
        "synthesize", tmp_path / "empty", tmp_path / "missing", reals(tmp_path / "a" / "sky", 4),
        "-o", tmp_path / "o",
    )  # fmt: skip
    reals(tmp_path / "b" / "sky", 4)
    assert code == 2
    for part in ("empty holds no images", "missing holds no images"):
        assert part in err
    code, _, err = cli(
        "synthesize", tmp_path / "a" / "sky", tmp_path / "b" / "sky", "-o", tmp_path / "o"
    )
    assert code == 2
    assert "sky, too" in err
    assert not (tmp_path / "o.partial").exists()


def test_fakes_are_not_taken_for_reals(tmp_path: Path, cli: Cli):
    labelled = make_data(tmp_path / "labelled")
    code, _, err = cli("synthesize", labelled, "-o", tmp_path / "o")
    assert code == 2
    assert "Train/Fake would be learned from" in err
    folder = reals(tmp_path / "reals", 10)
    code, _, err = cli("synthesize", folder, "-o", folder / "out")
    assert code == 2
    assert "whose images are taken for real ones" in err
    hidden = reals(tmp_path / ".hidden", 10)
    assert cli("synthesize", hidden, "-o", tmp_path / "o")[0] == 2


def test_fewer_images_than_generators_are_told_before_any_training(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 40)
    code, _, err = cli(
        "synthesize", folder, "-o", tmp_path / "o", "--generator", "vae,gan", "--valid", 1, *QUICK
    )
    assert code == 2
    assert "1 images of reals for Valid are fewer than the generators" in err
    assert not (tmp_path / "o.partial").exists()


def test_what_cannot_be_read_says_why(tmp_path: Path, cli: Cli):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "rubbish.png").write_bytes(b"rubbish")
    code, _, err = cli("synthesize", tmp_path / "bad", "-o", tmp_path / "o")
    assert code == 2
    assert "rubbish.png: " in err


def test_too_few_images_are_refused(tmp_path: Path):
    folder = reals(tmp_path / "reals" / "train", 5).parent
    reals(folder / "valid", 1, first=10)
    with pytest.raises(DatasetError, match="1 readable images for Valid"):
        read([folder], PREPROCESSING)


def test_an_unknown_family_is_refused():
    with pytest.raises(UsageError, match="no generator"):
        SynthesisConfig(families=("flow",))
