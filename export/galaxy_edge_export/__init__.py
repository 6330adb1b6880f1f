"""Export: a trained Keras model -> one verified, self-describing ONNX file."""
