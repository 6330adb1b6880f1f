"""Which kinds of an open class count as known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galaxy_edge.inputs.labelled import LabelledFile
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.material import Material
from galaxy_edge_export.typicality.fit import Fitted, fit_typicality
from tests.conftest import encoded, galaxy
from tests.galaxy_edge_export.typicality.test_typical_files import smooth

SIZE = 24


def altered(seed: int) -> np.ndarray:
    """A real image with something done to it: of so many kinds that anything is among them."""
    rng = np.random.default_rng(seed)
    image = galaxy(seed, SIZE).astype(float)
    for _ in range(rng.integers(0, 4)):
        image = (image + np.roll(image, 1, axis=0) + np.roll(image, 1, axis=1)) / 3
    noise = rng.normal(0, rng.choice([0, 1, 5, 20, 60]), image.shape)
    return np.clip(image * rng.uniform(0.5, 1.5) + noise, 0, 255).astype(np.uint8)


KINDS = {
    "Real/sky": (1, lambda seed: galaxy(seed, SIZE)),
    "Fake/gan": (0, smooth),
    "Fake/altered": (0, altered),
}


def material(folder: Path, kinds: list[str], valid: int = 250) -> Material:
    files: dict[str, list[LabelledFile]] = {"Train": [], "Valid": []}
    for kind in kinds:
        label, draw = KINDS[kind]
        for split, first, count in (("Train", 0, 250), ("Valid", 1000, valid)):
            place = folder / split / kind
            place.mkdir(parents=True)
            for seed in range(first, first + count):
                path = place / f"{seed}.png"
                path.write_bytes(encoded(draw(seed)))
                files[split].append(LabelledFile(path, label, kind.split("/")[1]))
    return Material(files, {}, ("Fake", "Real"), Preprocessing(SIZE, "lanczos"))


def typicality(found: Fitted, image: np.ndarray) -> float:
    """Of an image that the network calls Fake."""
    return float(found.description.typicality(image[None], np.array([0.1]))[0])


@pytest.mark.parametrize("valid", [250, 20], ids=["validation", "cross-validation"])
def test_a_kind_in_which_anything_is_usual_does_not_count(tmp_path: Path, valid: int):
    found = fit_typicality(material(tmp_path, [*KINDS], valid), "Fake")
    assert isinstance(found, Fitted)
    assert dict(found.sources) == {"Real/sky": 250, "Fake/gan": 250}
    (note,) = found.notes
    assert note.startswith("Fake/altered is no kind of its own: most images of Real")
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    assert typicality(found, noise) == 0
    usual = [typicality(found, smooth(seed)) for seed in range(2000, 2040)]
    assert np.mean(np.array(usual) < 0.01) <= 0.1


def test_without_any_known_kind_only_the_closed_class_counts(tmp_path: Path):
    found = fit_typicality(material(tmp_path, ["Real/sky", "Fake/altered"]), "Fake")
    assert isinstance(found, Fitted)
    assert dict(found.sources) == {"Real/sky": 250}
    assert found.description.open_class is None
    usual = [typicality(found, galaxy(seed, SIZE)) for seed in range(2000, 2040)]
    assert np.mean(np.array(usual) < 0.01) <= 0.1
