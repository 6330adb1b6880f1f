from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.engine.session import Session
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.batches import Batches
from galaxy_edge_train.config import AugmentConfig
from tests.conftest import galaxy

IMAGES = np.stack([galaxy(seed, 8) for seed in range(21)])
PREPROCESSING = Preprocessing(size=8)
LABELS = (np.arange(21) % 2).astype(np.uint8)


def epoch_of(batches: Batches) -> list[np.ndarray]:
    return [batches[index][0] for index in range(len(batches))]


def test_an_epoch_has_every_image_once_with_its_own_label():
    batches = Batches(IMAGES, LABELS, 8, PREPROCESSING, AugmentConfig(kind="none"), seed=3)
    assert [len(batch) for batch in epoch_of(batches)] == [8, 8, 5]
    seen = {}
    for index in range(3):
        for image, label in zip(*batches[index], strict=True):
            seen[(image * 255).round().astype(np.uint8).tobytes()] = int(label[0])
    assert seen == {
        image.tobytes(): label for image, label in zip(IMAGES, LABELS.tolist(), strict=True)
    }


def test_batches_depend_only_on_seed_and_epoch():
    def make(seed: int = 3, epoch: int = 0) -> Batches:
        return Batches(IMAGES, LABELS, 8, PREPROCESSING, AugmentConfig(), seed=seed, epoch=epoch)

    first, again = make(), make()
    backwards = [again[index][0] for index in (2, 1, 0)][::-1]
    for one, other in zip(epoch_of(first), backwards, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(make(seed=4)[0][0], first[0][0])
    first.on_epoch_end()
    assert not np.array_equal(first[0][0], again[0][0])
    assert np.array_equal(first[0][0], make(epoch=1)[0][0])


def test_batches_are_made_in_several_threads():
    assert Batches(IMAGES, LABELS, 8, PREPROCESSING).workers > 1


def test_validation_is_neither_augmented_nor_shuffled():
    batches = Batches(IMAGES, LABELS, 8, PREPROCESSING)
    np.testing.assert_array_equal(
        np.concatenate(epoch_of(batches)), IMAGES.astype(np.float32) / np.float32(255)
    )
    batches.on_epoch_end()
    np.testing.assert_array_equal(batches[0][0], IMAGES[:8] / np.float32(255))


def test_a_training_batch_and_a_prediction_see_the_same_bytes(
    session_data: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
):
    predictor = Predictor(model_file)
    files = labelled.scan(session_data, ("Fake", "Real"))[0]["Train"]
    loaded = labelled.load(files, predictor.manifest.preprocessing)
    trained_on = Batches(
        loaded.pixels, loaded.labels, 8, predictor.manifest.preprocessing, AugmentConfig()
    ).pixels(0)

    seen = []
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, x: seen.append(x) or run(self, x))
    list(predictor.predict_many(file.path for file in loaded.files))
    predicted_on = {image.tobytes() for batch in seen for image in batch}
    assert {image.tobytes() for image in trained_on} <= predicted_on
    assert len(predicted_on) == len(files)
