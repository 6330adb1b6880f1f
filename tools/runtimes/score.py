"""Score images with one runtime.

tools/other-runtimes runs it: score.py RUNTIME job.json
It writes the version, then one line of JSON per model file: {"scores": [...], "typicality": [...]},
{"error": "..."}, or {"custom": "..."} for a file that needs operators which only onnxruntime has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

#: Model file, images and names of outputs to the values of these outputs.
Scorer = Callable[[str, np.ndarray, list[str]], list[np.ndarray]]


def onnxruntime(model: str, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """Score with onnxruntime on the processor."""
    import onnxruntime as runtime

    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(outputs, {"image": images})


def openvino(model: str, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """Score with OpenVINO's own API.

    By default, OpenVINO computes in bfloat16 on processors that have it. That is less precise for
    every file, so it would hide a wrong one.
    """
    from openvino import Core

    compiled = Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"image": images})
    return [found[name] for name in outputs]


def tract(model: str, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """Score with tract, which keeps the order of the outputs and renames them."""
    import onnx
    import tract as runtime

    names = [item.name for item in onnx.load(model).graph.output]
    found = runtime.onnx().load(model).into_model().into_runnable().run([images])
    return [found[names.index(name)].to_numpy() for name in outputs]


def reference(model: str, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """Score with ONNX's reference evaluator.

    It has no DequantizeLinear older than opset 19. Opset 19 only adds types that our files do not
    use.
    """
    import onnx
    from onnx import version_converter
    from onnx.reference import ReferenceEvaluator

    graph = onnx.load(model)
    if any(item.domain in {"", "ai.onnx"} and item.version < 19 for item in graph.opset_import):
        graph = version_converter.convert_version(graph, 19)
    return ReferenceEvaluator(graph).run(outputs, {"image": images})


#: The scorer of each runtime, and the package whose version counts.
RUNTIMES: dict[str, tuple[Scorer, str]] = {
    "onnxruntime": (onnxruntime, "onnxruntime"),
    "openvino": (openvino, "openvino"),
    "tract": (tract, "tract"),
    "reference": (reference, "onnx"),
}


def custom_operators(model: str) -> str:
    """Domains of operators that are not ONNX's own; empty if there are none."""
    import onnx

    nodes = onnx.load(model).graph.node
    return ", ".join(sorted({node.domain for node in nodes} - {"", "ai.onnx"}))


def main(runtime: str, job: Path) -> None:
    """Score every file of a job."""
    score, package = RUNTIMES[runtime]
    print(json.dumps(version(package)), flush=True)
    for item in json.loads(job.read_text()):
        images = np.fromfile(item["pixels"], np.uint8).reshape(item["shape"])
        try:
            if runtime != "onnxruntime" and (custom := custom_operators(item["model"])):
                print(json.dumps({"custom": custom}), flush=True)
                continue
            names = {"scores": item["output"], "typicality": item.get("typicality")}
            wanted = {name: output for name, output in names.items() if output}
            found = score(item["model"], images, [*wanted.values()])
            values = [np.asarray(one, float).ravel().tolist() for one in found]
            print(json.dumps(dict(zip(wanted, values, strict=True))), flush=True)
        except Exception as error:  # noqa: BLE001 - each runtime has exceptions of its own
            print(json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
