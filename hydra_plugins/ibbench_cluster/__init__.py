"""Launchers for clusters, where Hydra looks for plugins."""
