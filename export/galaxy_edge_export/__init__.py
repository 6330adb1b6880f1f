"""Export a trained Keras model to one verified, self-describing ONNX file."""

import galaxy_edge  # noqa: F401 - turns off telemetry in onnxruntime, which some modules import
