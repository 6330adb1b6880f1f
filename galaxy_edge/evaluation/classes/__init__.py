"""Evaluation of models for three or more classes."""
