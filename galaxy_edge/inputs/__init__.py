"""Inputs: what a source is, where its bytes come from, and how they become pixels."""
