"""Measurements of a bias itself, not of accuracy: one per file, each of which returns figures."""
