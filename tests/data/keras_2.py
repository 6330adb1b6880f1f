"""Write keras-2.zip: one network as Keras 2 saves it, with the scores that Keras 2 gives.

Run it where the package tf_keras is installed: ``python keras_2.py keras-2.zip``. The tests do not
need that package.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tf_keras as keras
from tf_keras import layers

SIZE = 12


def main(target: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3),
         layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3, activation="relu"),
         layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dropout(0.2),
         layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    # Trained, so that the files hold an optimiser and statistics that are not all alike.
    model.compile("adam", "binary_crossentropy")
    rng = np.random.default_rng(1)
    labels = np.arange(64) % 2
    images = rng.integers(0, 120, (64, SIZE, SIZE, 3)) + 100 * labels[:, None, None, None]
    model.fit(images.astype(np.float32), labels, epochs=20, verbose=0)
    tests = rng.integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8) // np.arange(1, 9)[
        :, None, None, None
    ].astype(np.uint8)
    scores = model.predict(tests.astype(np.float32), verbose=0)[:, 0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "saved")
        model.export(folder / "exported")
        model.save(folder / "model.h5")
        model.save(folder / "model.keras")
        np.savez(folder / "expected.npz", images=tests, scores=scores)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
