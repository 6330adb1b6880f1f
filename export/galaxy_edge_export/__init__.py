"""Export: a trained Keras model -> one verified, self-describing ONNX file."""

import galaxy_edge  # noqa: F401 - keeps onnxruntime, which some files here import, from telemetry
