"""The same trained network in other runtimes, each made by its own converter at its best.

Every peer becomes a function from a batch, uint8 [N, 150, 150, 3], to P(Real), float32 [N].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import quantize_dynamic

from galaxy_edge.images import Pixels
from galaxy_edge.session import Session
from galaxy_edge_export import export, images
from galaxy_edge_export.convert import convert
from galaxy_edge_export.quantize import quantize
from galaxy_edge_export.trained import Trained, load

Scores = npt.NDArray[np.float32]
Score = Callable[[Pixels], Scores]
#: From a number of threads.
Peer = Callable[[int], Score]

_CALIBRATION = 512


def files(trained: Trained, folder: Path) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Write every converter's file into a folder.

    Returns:
        The validation images of the run and their labels.
    """
    import nncf
    import openvino
    import tensorflow as tf

    labelled = images.labelled_files(trained, None)
    steps, digests = trained.preprocessing, trained.digests
    sample = images.calibration_sample(labelled["Train"], _CALIBRATION, 0)
    calibration = images.load(sample, steps, digests).pixels
    valid = images.load(labelled["Valid"], steps, digests)

    model = load(trained)
    model.save(folder / "model.keras")
    plain = convert(model, steps.size)
    onnx.save(plain, folder / "fp32.onnx")
    onnx.save(quantize(plain, calibration), folder / "static.onnx")
    quantize_dynamic(folder / "fp32.onnx", folder / "dynamic.onnx")
    for name, how in (
        ("ours-fp32", None),
        ("ours", export.Quantization()),
        ("ours-portable", export.Quantization(portable=True)),
    ):
        export.write(export.prepare(trained, how), folder / f"{name}.onnx")

    saved = folder / "saved"
    model.export(saved, verbose=False)
    scaled = [image[None].astype(np.float32) / 255 for image in calibration]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    (folder / "fp32.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in scaled)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    (folder / "int8.tflite").write_bytes(converter.convert())

    graph = openvino.convert_model(saved)
    openvino.save_model(graph, folder / "fp32.xml", compress_to_fp16=False)
    small = nncf.quantize(graph, nncf.Dataset(scaled), subset_size=len(scaled))
    openvino.save_model(small, folder / "int8.xml", compress_to_fp16=False)
    return valid.pixels, valid.labels


def peers(folder: Path) -> dict[str, Peer]:
    """By name, from the folder that `files` filled."""
    return {
        "Keras": lambda _: _keras(folder / "model.keras"),
        "onnxruntime fp32": lambda n: _onnxruntime(folder / "fp32.onnx", n),
        "onnxruntime dynamic": lambda n: _onnxruntime(folder / "dynamic.onnx", n),
        "onnxruntime static": lambda n: _onnxruntime(folder / "static.onnx", n),
        "LiteRT fp32": lambda n: _litert(folder / "fp32.tflite", n),
        "LiteRT int8": lambda n: _litert(folder / "int8.tflite", n),
        "OpenVINO fp32": lambda n: _openvino(folder / "fp32.xml", n),
        "OpenVINO int8": lambda n: _openvino(folder / "int8.xml", n),
        # The file alone: the runtime's threads sleep between batches, onnxruntime's own spin.
        "ours fp32": lambda n: _onnxruntime(folder / "ours-fp32.onnx", n),
        "ours": lambda n: Session(folder / "ours.onnx", device="cpu", threads=n).score,
    }


def _keras(path: Path) -> Score:
    # TensorFlow's thread pools are made once a process: it has all cores in either row.
    model = keras.saving.load_model(path, compile=False)

    def score(batch: Pixels) -> Scores:
        scaled = batch / np.float32(255)
        return np.asarray(model.predict(scaled, batch_size=len(batch), verbose=0))[:, 0]

    return score


def _onnxruntime(path: Path, threads: int) -> Score:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(["score"], {"image": batch})[0])[:, 0]


def _litert(path: Path, threads: int) -> Score:
    from ai_edge_litert.interpreter import Interpreter

    ready: dict[int, Any] = {}

    def score(batch: Pixels) -> Scores:
        if (interpreter := ready.get(len(batch))) is None:
            interpreter = ready[len(batch)] = Interpreter(str(path), num_threads=threads)
            place = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(place, batch.shape)
            interpreter.allocate_tensors()
        (image,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        whole = image["dtype"] == np.uint8
        interpreter.set_tensor(image["index"], batch if whole else batch / np.float32(255))
        interpreter.invoke()
        values = interpreter.get_tensor(result["index"])[:, 0]
        scale, zero = result["quantization"]
        return (values.astype(np.float32) - zero) * np.float32(scale) if whole else values

    return score


def _openvino(path: Path, threads: int) -> Score:
    import openvino
    from openvino.preprocess import PrePostProcessor

    core = openvino.Core()
    ready: dict[int, Any] = {}

    def score(batch: Pixels) -> Scores:
        if (request := ready.get(len(batch))) is None:
            steps = PrePostProcessor(core.read_model(path))
            steps.input().tensor().set_element_type(openvino.Type.u8)
            steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
            model = steps.build()
            model.reshape(batch.shape)
            options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
            request = core.compile_model(model, "CPU", options).create_infer_request()
            ready[len(batch)] = request
        return np.array(request.infer(batch, share_inputs=True)[0][:, 0])

    return score
