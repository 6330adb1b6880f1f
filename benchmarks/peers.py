"""The same trained network in other runtimes, each with its fastest documented setting.

Every peer is a function from a batch, uint8 [N, size, size, 3], to P(Real), float32 [N].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.process import Process
from galaxy_edge.inputs.images import Pixels

Scores = npt.NDArray[np.float32]
Score = Callable[[Pixels], Scores]

#: Peers that compute in float32 and so must give the same scores as Keras. All others round.
FLOAT = frozenset({"tf.function", "onnxruntime fp32", "LiteRT fp32", "OpenVINO fp32", "ours fp32"})


def processes(folder: Path, threads: int) -> dict[str, Process]:
    """Start every peer in its own process, from the files of `conversions.write`.

    Args:
        folder: the folder of the files.
        threads: the number of threads of each process.

    Returns:
        The processes by the peer's name.
    """
    makers: dict[str, tuple[Callable[..., Score], str]] = {
        "Keras predict": (_keras, "model.keras"),
        "tf.function": (_tf_function, "model.keras"),
        "onnxruntime fp32": (_onnxruntime, "fp32.onnx"),
        "onnxruntime dynamic": (_onnxruntime, "dynamic.onnx"),
        "onnxruntime static": (_onnxruntime, "static.onnx"),
        "LiteRT fp32": (_litert, "fp32.tflite"),
        "LiteRT int8": (_litert, "int8.tflite"),
        "OpenVINO fp32": (_openvino_fp32, "fp32.xml"),
        # By default, OpenVINO computes in bfloat16 where the processor supports it.
        "OpenVINO default": (_openvino, "fp32.xml"),
        "OpenVINO int8": (_openvino, "int8.xml"),
        # This compares the file alone, with onnxruntime's default threads, which spin. In our
        # runtime the threads sleep between batches.
        "ours fp32": (_onnxruntime, "ours-fp32.onnx"),
        "ours": (_ours, "ours.onnx"),
    }
    return {name: Process(make, folder / file, threads) for name, (make, file) in makers.items()}


def documented(path: Path, size: int, interpolation: str) -> Callable[[Path], float]:
    """Return a function that classifies one file as the documented course does, on all cores."""
    import keras

    model = keras.saving.load_model(path, compile=False)

    def score(file: Path) -> float:
        image = keras.utils.load_img(file, target_size=(size, size), interpolation=interpolation)
        scaled = keras.utils.img_to_array(image)[None] / 255
        return float(model.predict(scaled, verbose=0)[0, 0])

    return score


def ours_by_path(path: Path) -> Callable[[Path], float | None]:
    """Return a function that classifies one file with `Predictor.predict`, on all cores."""
    from galaxy_edge import Predictor

    predictor = Predictor(path, device="cpu")
    return lambda file: predictor.predict(file).score


def _ours(path: Path, threads: int) -> Score:
    from galaxy_edge.engine.session import Session

    session = Session(path.read_bytes(), device="cpu", threads=threads)
    return lambda images: session.run(images).scores[:, 1]


def _limit_tensorflow(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _keras(path: Path, threads: int) -> Score:
    _limit_tensorflow(threads)
    import keras

    model = keras.saving.load_model(path, compile=False)

    def score(batch: Pixels) -> Scores:
        scaled = batch / np.float32(255)
        return np.asarray(model.predict(scaled, batch_size=len(batch), verbose=0))[:, 0]

    return score


def _tf_function(path: Path, threads: int) -> Score:
    _limit_tensorflow(threads)
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(path, compile=False)

    # jit_compile=True took 1.2 to 1.9 times as long.
    @tf.function
    def run(batch: Any) -> Any:
        return model(tf.cast(batch, tf.float32) / 255.0, training=False)

    return lambda batch: np.asarray(run(tf.constant(batch)))[:, 0]


def _onnxruntime(path: Path, threads: int) -> Score:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(["score"], {"image": batch})[0])[:, 0]


def _litert(path: Path, threads: int) -> Score:
    from ai_edge_litert.interpreter import Interpreter

    (image,) = Interpreter(str(path)).get_input_details()
    index, integer = image["index"], image["dtype"] == np.uint8
    codes = _codes(*image["quantization"]) if integer else None
    ready: dict[int, Any] = {}

    def score(batch: Pixels) -> Scores:
        if (interpreter := ready.get(len(batch))) is None:
            interpreter = ready[len(batch)] = Interpreter(str(path), num_threads=threads)
            interpreter.resize_tensor_input(index, batch.shape)
            interpreter.allocate_tensors()
        if not integer:
            batch = batch / np.float32(255)
        elif codes is not None:
            batch = codes[batch]
        interpreter.set_tensor(index, batch)
        interpreter.invoke()
        (result,) = interpreter.get_output_details()
        values = interpreter.get_tensor(result["index"])[:, 0]
        scale, zero = result["quantization"]
        return (values.astype(np.float32) - zero) * np.float32(scale) if integer else values

    return score


def _codes(scale: float, zero: int) -> npt.NDArray[np.uint8] | None:
    """Return a quantised input's integer for each grey level, 0 to 255.

    Returns None if each integer equals its grey level. They differ if the brightest pixel of the
    calibration images was below 255.
    """
    levels = np.arange(256)
    codes = np.clip(np.round(levels / 255 / scale) + zero, 0, 255).astype(np.uint8)
    return None if np.array_equal(codes, levels) else codes


def _openvino_fp32(path: Path, threads: int) -> Score:
    return _openvino(path, threads, INFERENCE_PRECISION_HINT="f32")


def _openvino(path: Path, threads: int, **settings: str) -> Score:
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
            options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"} | settings
            request = core.compile_model(model, "CPU", options).create_infer_request()
            ready[len(batch)] = request
        return np.array(request.infer(batch, share_inputs=True)[0][:, 0])

    return score
