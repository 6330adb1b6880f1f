"""Training: labelled folders of cutouts -> a run folder with a Keras model."""
