"""Statistics, verdicts, tables, diffs: numbers only. The folder can be called: `ibbench.compare(a, b)`.

Python binds the name `ibbench.compare` to this folder as soon as any file of it is imported, and the function of that
name is what users are told of.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compare two studies; see `ibbench.api.changes.compare`, of a room below, which only a call imports."""
        return importlib.import_module("ibbench.api.changes").compare(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
