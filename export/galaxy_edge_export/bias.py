"""Empirical bias correction, which makes quantised layers correct on average.

Rounded weights shift the mean of what a layer computes. The shifts of all channels add up to a
shift of the score, which moves verdicts near the threshold to one side. The correction subtracts
each channel's mean shift over the calibration images from the channel's bias, layer by layer from
the input on. It costs nothing at run time.

Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction", arXiv:1906.04721, section 4.2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import INPUT_NAME

_LAYERS = ("Conv", "Gemm")
_BATCH = 16


def with_own_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give each layer its own bias: zeros if it has none, a copy if it shares one.

    tf2onnx drops biases that are zero and merges biases that are equal, but the correction needs
    a separate bias for each layer.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {item.name: item for item in result.graph.initializer}
    for node in result.graph.node:
        if node.op_type not in _LAYERS:
            continue
        name = f"{node.name}.bias"
        if len(node.input) > 2:
            values = numpy_helper.to_array(constants[node.input[2]])
            del node.input[2]
        else:
            weights = constants[node.input[1]]
            values = np.zeros(weights.dims[0 if node.op_type == "Conv" else 1], np.float32)
        node.input.append(name)
        if name not in constants:
            result.graph.initializer.append(numpy_helper.from_array(values, name))
    return result


def with_corrected_biases(
    quantized: onnx.ModelProto, fp32: onnx.ModelProto, calibration: Pixels
) -> onnx.ModelProto:
    """Correct the biases of a quantised model.

    Args:
        quantized: a QDQ model whose nodes have the same names as in ``fp32``.
        fp32: the model that was quantised, in which each layer has its own bias.
        calibration: uint8 [N, size, size, channels].

    Returns:
        A model that differs from ``quantized`` only in its biases.
    """
    result = onnx.ModelProto()
    result.CopyFrom(quantized)
    constants = {item.name: item for item in result.graph.initializer}
    layers = [node.name for node in fp32.graph.node if node.op_type in _LAYERS]
    wanted = _channel_means(fp32, layers, calibration)
    for layer, target in zip(layers, wanted, strict=True):
        # Measure again for each layer, because the corrections before it have changed its inputs.
        (mean,) = _channel_means(result, [layer], calibration)
        _add(constants, f"{layer}.bias", target - mean)
    return result


def _add(constants: dict[str, onnx.TensorProto], name: str, shift: npt.NDArray[np.float64]) -> None:
    if (stored := constants.get(f"{name}_quantized")) is None:
        stored = constants[name]
        bias = numpy_helper.to_array(stored) + shift
    else:
        # An int32 bias counts in units of input scale times weight scale, which are small enough
        # to round to.
        scale = numpy_helper.to_array(constants[f"{name}_quantized_scale"])
        bias = numpy_helper.to_array(stored) + np.round(shift / scale)
    kind = helper.tensor_dtype_to_np_dtype(stored.data_type)
    stored.CopyFrom(numpy_helper.from_array(bias.astype(kind), stored.name))


def _channel_means(
    model: onnx.ModelProto, layers: list[str], images: Pixels
) -> list[npt.NDArray[np.float64]]:
    """Mean of each channel of each layer's output over images and positions: float64 [C] each."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    outputs = {node.name: node.output[0] for node in probe.graph.node}
    names = [outputs[layer] for layer in layers]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    sums: list[npt.NDArray[np.float64]] = [np.zeros(1)] * len(names)
    for batch in np.array_split(images, -(-len(images) // _BATCH)):
        values = session.run(names, {INPUT_NAME: batch})
        for index, value in enumerate(values):
            spatial = tuple(range(2, value.ndim))
            sums[index] = sums[index] + value.mean(axis=spatial, dtype=np.float64).sum(axis=0)
    return [total / len(images) for total in sums]
