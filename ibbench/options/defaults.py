"""The files of `configs/`, read without Hydra, whose import takes a second."""

import functools
from pathlib import Path
from typing import Any

from ibbench.plugins.load import plugin_names

# Options that records and names of runs leave out at these values, so that runs of versions that did not have them keep
# their names.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "data": {
        "split": "random",
        "label_noise": 0.0,
        "labels": "true",
        "standardise": True,
        "centre": True,
        "classes": None,
        "task": None,
    },
    "trainer": {"average": None, "keep": "best", "symmetry_penalty": 0.0, "subspace": None},
    "model": {"random_walk": None, "output": "molecule"},  # the first is of the graph transformer
}
_NO_GROUPS = {"hydra", "recipe"}  # folders whose files are parts of other files, and no choices of a user


def config_folder() -> Path:
    """Return the folder of configs: inside the package of an installed wheel, else the checkout's own."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def config_groups() -> dict[str, list[str]]:
    """Return the choices of each group of options, such as `model`.

    A choice in a folder within the group is named with that folder, such as `ladder/gnn`. The models and sources of
    plugins stand behind those of ibbench.
    """
    found = _own_groups()
    of_plugins = {"model": plugin_names("model"), "data": plugin_names("source")}
    return found | {group: list(dict.fromkeys([*found[group], *names])) for group, names in of_plugins.items()}


@functools.cache
def _own_groups() -> dict[str, list[str]]:
    folders = [path for path in sorted(config_folder().iterdir()) if path.is_dir() and path.name not in _NO_GROUPS]
    return {
        folder.name: [path.relative_to(folder).with_suffix("").as_posix() for path in sorted(folder.rglob("*.yaml"))]
        for folder in folders
    }


@functools.cache
def default_options(group: str, choice: str) -> dict[str, Any]:
    """Return the options that the file `configs/GROUP/CHOICE.yaml` sets; none where there is no such file."""
    path = config_folder() / group / f"{choice}.yaml"
    if not path.is_file():
        return {}
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}
