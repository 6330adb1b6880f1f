"""Surveys: a large source is divided into parts, and each part is classified once."""
