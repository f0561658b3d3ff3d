"""ibbench: how much is an architectural assumption worth?

The public names are loaded when they are first used; importing the package costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Config": "ibbench.options.config",
    "read_config": "ibbench.options.config",
    "InputError": "ibbench.errors",
    "QM9_TARGETS": "ibbench.data.targets",
    "Molecules": "ibbench.data.molecules",
    "DataSet": "ibbench.data.dataset",
    "load_dataset": "ibbench.data.dataset",
    "split_dataset": "ibbench.data.splits",
    "Model": "ibbench.models.registry",
    "register": "ibbench.models.registry",
    "build_model": "ibbench.models.registry",
    "read_records": "ibbench.record.folder",
    "read_study": "ibbench.compare.study",
    "build_table": "ibbench.compare.table",
    "compare_pairs": "ibbench.compare.pairs",
    "read_worth": "ibbench.worth.worth",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ibbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
