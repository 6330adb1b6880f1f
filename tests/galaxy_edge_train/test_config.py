from __future__ import annotations

import json

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.config import AugmentConfig, NetworkConfig, TrainConfig


def test_the_defaults_are_the_documented_numbers():
    assert json.loads(json.dumps(TrainConfig().document())) == {
        "classes": ["Fake", "Real"],
        "preprocessing": {
            "size": 150, "resize": "nearest", "working_size": None, "colour": "RGB",
            "stretch": {"bands": None, "minimum": None, "stretch": None, "q": 8.0},
        },
        "network": {
            "filters": [32, 64], "kernel_size": 3, "pool_size": 2, "dense_units": 128,
            "dropout": 0.5,
        },
        "augment": {
            "kind": "documented", "rotation": 40.0, "width_shift": 0.2, "height_shift": 0.2,
            "shear": 0.2, "zoom": 0.2, "horizontal_flip": True, "jpeg_quality": 100,
            "resample": 0.0, "noise": 0.0, "restretch": 0.0,
        },
        "learning_rate": 0.001,
        "batch_size": 32,
        "epochs": 50,
        "patience": 5,
        "stop_at_accuracy": 0.99,
        "calibrate": False,
        "catalogue": None,
        "class_weights": "off",
        "seed": 0,
        "skip_unreadable": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (TrainConfig, {"classes": ("Real", "Real")}),
        (TrainConfig, {"batch_size": 0}),
        (TrainConfig, {"learning_rate": float("nan")}),
        (TrainConfig, {"stop_at_accuracy": 1.5}),
        (TrainConfig, {"seed": -1}),
        (TrainConfig, {"preprocessing": Preprocessing(size=9)}),
        (NetworkConfig, {"filters": (32, 0)}),
        (NetworkConfig, {"dropout": 1.0}),
        (AugmentConfig, {"kind": "wild"}),
        (AugmentConfig, {"rotation": 181}),
        (AugmentConfig, {"zoom": 1.0}),
        (AugmentConfig, {"jpeg_quality": 0}),
        (AugmentConfig, {"jpeg_quality": 101}),
        (AugmentConfig, {"resample": 1.0}),
        (AugmentConfig, {"noise": -1.0}),
        (AugmentConfig, {"restretch": float("nan")}),
    ],
)
def test_values_out_of_range_are_refused(kind: type, bad: dict[str, object]):
    with pytest.raises(UsageError):
        kind(**bad)
