"""Training: from labelled folders of cutouts to a run folder with a Keras model."""
