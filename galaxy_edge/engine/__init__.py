"""onnxruntime and the machine: sessions, devices, threads."""
