"""Outputs: rows as text, tables on disk, and resuming after an interruption."""
