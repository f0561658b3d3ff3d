"""Numbers only: the runs of a study compared, with statistics, verdicts, tables and diffs.

This folder can also be called, as `ibbench.compare(a, b)`. Users are told of the function `ibbench.compare`, but Python
binds that name to this folder as soon as any of its files is imported.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compare two studies by `ibbench.api.changes.compare`, which is imported only now: it needs this room."""
        return importlib.import_module("ibbench.api.changes").compare(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
