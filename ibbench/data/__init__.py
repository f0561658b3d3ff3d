"""Molecules: where they come from, their features, their split."""
