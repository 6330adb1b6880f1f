from __future__ import annotations

import hashlib
import io
import itertools
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from galaxy_edge import DeviceError, ImageError, ModelError, Predictor, UsageError
from galaxy_edge.engine.device import PROVIDERS, candidates
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing, preprocessing_document
from tests.conftest import encoded, galaxy


@pytest.fixture(scope="module")
def predictor(model_file: Path) -> Predictor:
    return Predictor(model_file)


def changed(model_file: Path, path: Path, **metadata: str) -> Path:
    model = onnx.load(model_file)
    properties = {item.key: item.value for item in model.metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model, properties | {f"galaxy_edge.{k}": v for k, v in metadata.items()}
    )
    onnx.save(model, path)
    return path


def test_a_prediction_has_its_provenance(predictor: Predictor, model_file: Path, tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(encoded(galaxy(1)))
    prediction = predictor.predict(path)
    pixels = decode(path, predictor.manifest.preprocessing)
    assert prediction.score == pytest.approx(float(predictor.scores(pixels[None])[0, 1]), abs=1e-7)
    assert prediction.path == str(path)
    assert (prediction.status, prediction.error) == ("ok", None)
    assert prediction.label == ("Real" if prediction.score > 0.5 else "Fake")
    assert prediction.model == "tiny.onnx"
    assert prediction.model_sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert prediction.provider == predictor.provider == "CPUExecutionProvider"


def test_every_kind_of_source_gets_the_same_score(predictor: Predictor, tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(encoded(galaxy(1)))
    sources = [
        path,
        str(path),
        path.read_bytes(),
        Image.open(io.BytesIO(path.read_bytes())),
        galaxy(1),
    ]
    predictions = list(predictor.predict_many(sources))
    assert len({prediction.score for prediction in predictions}) == 1
    assert [prediction.path for prediction in predictions] == [str(path)] * 2 + [None] * 3


def test_only_a_score_above_the_threshold_is_positive(model_file: Path):
    score = Predictor(model_file).predict(galaxy(1)).score
    assert score is not None
    assert Predictor(model_file, threshold=score).predict(galaxy(1)).label == "Fake"
    below = float(np.nextafter(score, 0))
    assert Predictor(model_file, threshold=below).predict(galaxy(1)).label == "Real"


def test_the_threshold_of_the_model_is_used(model_file: Path, tmp_path: Path):
    rule = '{"threshold": 0.125, "abstain": null, "ood_limit": null}'
    path = changed(model_file, tmp_path / "m.onnx", decision=rule)
    assert Predictor(path).predict(galaxy(1)).threshold == 0.125
    assert Predictor(path, threshold=0.75).threshold == 0.75


def test_the_preprocessing_of_the_model_is_used(model_file: Path, tmp_path: Path):
    image = galaxy(1, 61)
    steps = json.dumps(preprocessing_document(Preprocessing(size=16)))
    other = Predictor(changed(model_file, tmp_path / "m.onnx", preprocessing=steps))
    # The golden examples were recorded with other preprocessing, so they cannot be compared.
    (note,) = other.notes
    assert "decode to other pixels" in note
    pixels = decode(image, other.manifest.preprocessing)
    assert other.predict(image).score == pytest.approx(
        float(other.scores(pixels[None])[0, 1]), abs=1e-7
    )
    assert other.predict(image).score != Predictor(model_file).predict(image).score


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_failures_keep_their_place_and_have_no_score(model_file: Path, batch_size: int):
    predictor = Predictor(model_file, batch_size=batch_size)
    sources = [galaxy(1), b"", galaxy(2), "absent.png", b"rubbish", galaxy(3), galaxy(4)]
    predictions = list(predictor.predict_many(sources))
    assert [p.status for p in predictions] == ["ok", "error", "ok", "error", "error", "ok", "ok"]
    for source, prediction in zip(sources, predictions, strict=True):
        if prediction.status == "error":
            assert prediction.error
            assert prediction.score is None
            assert prediction.label is None
        else:
            alone = predictor.predict(source).score
            assert prediction.score == pytest.approx(alone, abs=1e-6)


def test_a_batch_may_contain_only_failures(predictor: Predictor):
    assert [p.status for p in predictor.predict_many([b"", b""])] == ["error", "error"]
    assert list(predictor.predict_many([])) == []


def test_predict_raises_what_predict_many_reports(predictor: Predictor):
    with pytest.raises(ImageError, match="missing"):
        predictor.predict("absent.png")


def test_predict_many_is_lazy(model_file: Path):
    predictor = Predictor(model_file, batch_size=4)
    taken = itertools.count()

    def endless() -> Iterator[np.ndarray]:
        for number in taken:
            yield galaxy(number % 3)

    first = list(itertools.islice(predictor.predict_many(endless()), 8))
    assert len(first) == 8
    assert next(taken) <= 8 + 4 * 4


def test_scores_accepts_only_preprocessed_images(predictor: Predictor):
    assert predictor.scores(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 2)
    scores = predictor.scores(np.zeros((5, 16, 16, 3), np.uint8))
    assert (scores.shape, scores.dtype) == ((5, 2), np.float32)
    for wrong in (np.zeros((1, 20, 20, 3), np.uint8), np.zeros((1, 16, 16, 3), np.float32)):
        with pytest.raises(ValueError, match=r"uint8 \[N, 16, 16, 3\]"):
            predictor.scores(wrong)


def test_arguments_out_of_range_are_refused(model_file: Path):
    for bad in ({"threshold": 1.5}, {"batch_size": 0}, {"threads": 0}, {"device": "abacus"}):
        with pytest.raises(UsageError):
            Predictor(model_file, **bad)


def test_a_model_file_that_cannot_be_used_is_reported_with_a_reason(
    model_file: Path, tmp_path: Path
):
    (tmp_path / "rubbish.onnx").write_bytes(b"rubbish")
    bare = onnx.load(model_file)
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    renamed = onnx.load(model_file)
    renamed.graph.input[0].name = renamed.graph.node[0].input[0] = "pixels"
    onnx.save(renamed, tmp_path / "renamed.onnx")
    steps = json.dumps(preprocessing_document(Preprocessing(size=25)))
    changed(model_file, tmp_path / "size.onnx", preprocessing=steps)
    for name, words in (
        ("absent.onnx", "does not exist"),
        ("rubbish.onnx", "it is not an ONNX file, or it is damaged"),
        ("bare.onnx", "galaxy-edge export"),
        ("renamed.onnx", "input"),
        ("size.onnx", "input"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            Predictor(tmp_path / name)
        assert name in str(caught.value)


def test_a_missing_device_is_an_error(model_file: Path):
    import onnxruntime

    available = onnxruntime.get_available_providers()
    for device, provider in PROVIDERS.items():
        if provider not in available:
            with pytest.raises(DeviceError, match=provider):
                Predictor(model_file, device=device)


def test_auto_prefers_cuda_to_the_cpu():
    both = ["CPUExecutionProvider", "CUDAExecutionProvider"]
    assert candidates("auto", both) == both[::-1]
    assert candidates("auto", both[:1]) == both[:1]
    assert candidates("cpu", both) == both[:1]


def test_an_array_that_the_caller_overwrites_keeps_its_score(predictor: Predictor):
    buffer = np.empty((20, 20, 3), np.uint8)

    def reused() -> Iterator[np.ndarray]:
        for seed in range(40):
            buffer[:] = galaxy(seed)
            yield buffer

    expected = [prediction.score for prediction in predictor.predict_many(map(galaxy, range(40)))]
    assert [prediction.score for prediction in predictor.predict_many(reused())] == expected


def test_a_lazily_opened_image_may_be_given_twice(predictor: Predictor):
    content = encoded(galaxy(1, 300))
    for _ in range(20):
        image = Image.open(io.BytesIO(content))
        first, second = predictor.predict_many([image, image])
        assert first.score == second.score == predictor.predict(content).score


def rewritten(
    model_file: Path, path: Path, score: list[onnx.NodeProto], batch: object = "N"
) -> Path:
    """Replace the last node of the model by other nodes, and its batch dimension."""
    model = onnx.load(model_file)
    last = model.graph.node.pop()
    for node in score:
        node.input[0] = node.input[0] or last.input[0]
        model.graph.node.append(node)
    for value in (model.graph.input[0], model.graph.output[0]):
        dimension = value.type.tensor_type.shape.dim[0]
        if isinstance(batch, int):
            dimension.dim_value = batch
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("operator", ["Log", "Exp"])
def test_scores_outside_0_to_1_are_a_model_error(model_file: Path, tmp_path: Path, operator: str):
    nodes = [
        onnx.helper.make_node("Abs", [""], ["positive"]),
        onnx.helper.make_node("Neg", ["positive"], ["negative"]),
        # The logarithm of a negative number is NaN; e to a positive one is over 1.
        onnx.helper.make_node(
            operator, ["negative" if operator == "Log" else "positive"], ["score"]
        ),
    ]
    path = rewritten(model_file, tmp_path / "m.onnx", nodes)
    with pytest.raises(ModelError, match="outside 0 to 1"):
        Predictor(path).predict(galaxy(1))


def test_a_file_for_batches_of_one_is_refused(model_file: Path, tmp_path: Path):
    nodes = [onnx.helper.make_node("Sigmoid", [""], ["score"])]
    with pytest.raises(ModelError, match="input"):
        Predictor(rewritten(model_file, tmp_path / "m.onnx", nodes, batch=1))


def test_the_threshold_may_be_a_numpy_number(model_file: Path):
    (row,) = Predictor(model_file, threshold=np.float64(0.5)).predict_many([galaxy(1)])
    assert row.label in ("Fake", "Real")


@pytest.mark.parametrize("digest", [False, True])
def test_an_invalid_source_gets_an_error_row(model_file: Path, digest: bool):
    closed = Image.open(io.BytesIO(encoded(galaxy(1))))
    closed.close()
    cut = Image.open(io.BytesIO(encoded(galaxy(1))[:300]))
    sources = [galaxy(1), closed, cut, (galaxy(1),) * 3, (1, 2, 3), galaxy(2)]
    rows = list(Predictor(model_file, digest=digest).predict_many(sources))
    assert [row.status for row in rows] == ["ok", "error", "error", "error", "error", "ok"]


@pytest.mark.parametrize("sources", ["a.png", b"bytes", Path("a.png")])
def test_predict_many_refuses_a_single_source(predictor: Predictor, sources: object):
    with pytest.raises(UsageError, match="in a list"):
        list(predictor.predict_many(sources))


@pytest.mark.parametrize("stretch", [{"foo": 1}, {"bands": 5}, {"bands": "irg"}, {"q": 0}])
def test_an_invalid_stretch_is_refused(model_file: Path, stretch: dict[str, object]):
    with pytest.raises(UsageError):
        Predictor(model_file, stretch=stretch)


def test_a_pickle_keeps_the_options(model_file: Path):
    stretch = {"q": 3.0}
    predictor = Predictor(model_file, stretch=stretch, digest=True, threshold=0.25, batch_size=3)
    stretch["q"] = 9.0
    again = pickle.loads(pickle.dumps(predictor))
    assert again.preprocessing.stretch.q == 3.0
    assert again.predict(galaxy(1)) == predictor.predict(galaxy(1))
    assert again.predict(galaxy(1)).sha256
