"""The same trained network in the formats of other runtimes, each from its own converter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import quantize_dynamic

from galaxy_edge_export import export, images, material
from galaxy_edge_export.config import Limits, VerdictRule
from galaxy_edge_export.convert import convert
from galaxy_edge_export.loading import read
from galaxy_edge_export.quantize import quantize
from galaxy_edge_export.traced import trace
from galaxy_edge_export.trained import Trained

_CALIBRATION = 512


def write(trained: Trained, folder: Path) -> None:
    """Write the file of each converter. The calibrated int8 files use the same images."""
    import nncf
    import openvino
    import tensorflow as tf

    found = material.find(trained, None)
    sample = images.calibration_sample(found.files["Train"], _CALIBRATION, 0)
    calibration = images.load(sample, found).pixels
    size = trained.preprocessing.size

    model = read(trained.path)
    model.save(folder / "model.keras")
    plain = convert(trace(model, size))
    onnx.save(plain, folder / "fp32.onnx")
    onnx.save(quantize(plain, calibration), folder / "static.onnx")
    quantize_dynamic(folder / "fp32.onnx", folder / "dynamic.onnx")
    # Every file gets images of the network's size: with a smaller working size, ours would enlarge
    # them itself, and the others would not.
    trained = replace(trained, preprocessing=replace(trained.preprocessing, working_size=None))
    # No gate on speed: speed is what the benchmark measures.
    limits = Limits(speedup=0.0)
    for name, how in (
        ("ours-fp32", None),
        ("ours", export.Quantization(limits=limits)),
        ("ours-portable", export.Quantization(limits=limits, portable=True)),
    ):
        # The peers have no typicality.
        prepared = export.prepare(trained, how, rule=VerdictRule(typicality=False))
        export.write(prepared, folder / f"{name}.onnx")

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
