"""Speed and memory of a model file on this machine, measured with the code that users run."""
