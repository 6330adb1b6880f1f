"""Typicality: how usual an image is among the images that a model was trained on."""
