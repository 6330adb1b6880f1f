"""Outputs: rows as text, tables on disk, and going on after an interruption."""
