"""What a data set is, without loading it: its name, its targets, and what a cache of it must have been made with."""

import importlib.metadata
from typing import Any

from ibbench.data.targets import QM9_TARGETS, Target
from ibbench.options.groups import DataOptions

CACHE_FORMAT = 1  # raise it when the features or the layout change: older caches are then rebuilt


def describe_source(options: DataOptions) -> tuple[str, tuple[Target, ...], dict[str, Any]]:
    """Return the name of the content (of a CSV, a digest of it), its targets, and the facts that a cache must have.

    Raises:
        InputError: the CSV cannot be read.
    """
    expected: dict[str, Any] = {"format": CACHE_FORMAT, "hydrogens": options.hydrogens}
    packages = ["rdkit"]
    if options.source == "qm9pack":
        kind, targets = "qm9pack", tuple(QM9_TARGETS.values())
        packages.append("qm9pack")
    else:
        from ibbench.data.sources import csv_digest, csv_targets

        kind, targets = f"csv:{csv_digest(options)[:16]}", csv_targets(options)
    for package in packages:
        try:
            expected[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # a ready cache needs neither package, so a machine without them can train
    return kind, targets, expected
