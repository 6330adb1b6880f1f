"""What this machine makes of a model file, measured on the paths that everyone uses."""
