from __future__ import annotations

import json
from typing import get_args

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.config import AugmentConfig, NetworkConfig, NetworkKind, TrainConfig
from galaxy_edge_train.recipes import RECIPES


def test_the_defaults_are_the_documented_numbers():
    assert json.loads(json.dumps(TrainConfig().document())) == {
        "classes": ["Fake", "Real"],
        "preprocessing": {
            "size": 150, "resize": "nearest", "working_size": None, "colour": "RGB",
            "stretch": {"bands": None, "minimum": None, "stretch": None, "q": 8.0},
        },
        "network": {
            "kind": "documented", "filters": [32, 64], "kernel_size": 3, "pool_size": 2,
            "dense_units": 128, "dropout": 0.5,
        },
        "augment": {
            "kind": "documented", "rotation": 40.0, "width_shift": 0.2, "height_shift": 0.2,
            "shear": 0.2, "zoom": 0.2, "horizontal_flip": True, "pixel_shift": 0,
            "jpeg_quality": 100, "resample": 0.0, "noise": 0.0, "restretch": 0.0, "gain": 0.0,
            "sky_level": 0.0, "oversample": 1.0,
        },
        "learning_rate": 0.001,
        "schedule": "constant",
        "average_weights": None,
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
        (TrainConfig, {"schedule": "cosine"}),
        (TrainConfig, {"patience": 0}),
        (NetworkConfig, {"kind": "resnet"}),
        (NetworkConfig, {"kind": "compact", "dense_units": 64}),
        (NetworkConfig, {"filters": (32, 0)}),
        (NetworkConfig, {"dropout": 1.0}),
        (AugmentConfig, {"kind": "wild"}),
        (AugmentConfig, {"rotation": 181}),
        (AugmentConfig, {"zoom": 1.0}),
        (AugmentConfig, {"pixel_shift": -1}),
        (AugmentConfig, {"jpeg_quality": 0}),
        (AugmentConfig, {"jpeg_quality": 101}),
        (AugmentConfig, {"resample": 1.0}),
        (AugmentConfig, {"noise": -1.0}),
        (AugmentConfig, {"restretch": float("nan")}),
        (AugmentConfig, {"gain": -0.1}),
        (AugmentConfig, {"sky_level": 1.1}),
        (AugmentConfig, {"oversample": 0.5}),
        (TrainConfig, {"average_weights": 1.0}),
        (TrainConfig, {"network": NetworkConfig("residual"), "preprocessing": Preprocessing(7)}),
    ],
)
def test_values_out_of_range_are_refused(kind: type, bad: dict[str, object]):
    with pytest.raises(UsageError):
        kind(**bad)


def test_each_network_has_its_recipe_and_only_documented_sizes_are_recorded():
    assert set(RECIPES) == set(get_args(NetworkKind))
    assert RECIPES["documented"] == TrainConfig()
    for kind, recipe in RECIPES.items():
        assert recipe.network.kind == kind
    assert RECIPES["compact"].document()["network"] == {"kind": "compact"}
