"""Formats and versions that a cache must have been made with to be valid, found without loading the data set."""

import importlib.metadata
from typing import Any

from ibbench.data.sources import Source
from ibbench.plugins.registry import plugin_of

CACHE_FORMAT = 3  # raise it when the content or the layout of caches changes: older ones are then built again
# Raise it when models get other numbers for the molecules of any source: runs then have other names, and weights that
# were trained before are refused.
FEATURES = 1


def cache_facts(source: Source) -> dict[str, Any]:
    """Return the format, the treatment of hydrogens, and the features and versions of packages that a cache depends on.

    A ready cache needs none of these packages, so one that is not installed is left out.
    """
    facts: dict[str, Any] = {"format": CACHE_FORMAT, "features": FEATURES, "hydrogens": source.options.hydrogens}
    if source.lacks_labels and len(source.targets()) > 1:  # older versions left out rows that lack any label
        facts["labels"] = "some"
    if source.options.layout != "qm9":
        facts["layout"] = source.options.layout
    if plugin := plugin_of("source", source.name):
        facts["plugin"] = plugin.digest
    return facts | package_versions("rdkit", *source.packages)


def package_versions(*packages: str) -> dict[str, str]:
    """Return the version of each package, by its name; packages that are not installed are left out."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
