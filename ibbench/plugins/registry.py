"""What is registered under which name, and by which plugin."""

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple

from ibbench.errors import InputError
from ibbench.plugins.code import Plugin, find_plugin

Kind = Literal["model", "source", "baseline", "probe"]
_OWN = "ibbench"
_RIVALS: dict[Kind, Kind] = {"model": "baseline", "baseline": "model"}  # whose names stand in one column of tables
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # it is part of the names of folders, and typed on command lines


class _Entry(NamedTuple):
    module: str  # the first part of its name
    registered: dict[str, Any]  # where the class stands


_ENTRIES: dict[tuple[Kind, str], _Entry] = {}  # of plugins alone
LOADED: dict[str, Plugin] = {}  # by the first part of the names of their modules


def enter(
    kind: Kind,
    name: str,
    made: type,
    registered: dict[str, Any],
    built_in: Callable[[], Collection[str]],
    check: Callable[[], None] = lambda: None,
) -> None:
    """Register a class under a name.

    Args:
        kind: what it is.
        name: the name that users type.
        made: the class.
        registered: the classes of this kind by name; `made` is added.
        built_in: a function that lists the names that ibbench has itself.
        check: a function that raises an `InputError` where the class of a plugin is not what it should be.

    Raises:
        InputError: the name is taken, or cannot be typed.
    """
    known, module = registered.get(name), made.__module__.partition(".")[0]
    if known is made:
        return
    if known is not None or (module != _OWN and name in built_in()):
        theirs = known.__module__ if known is not None else _OWN
        raise InputError(f"two {kind}s are called `{name}`: one of {_tell(theirs)}, one of {_tell(made.__module__)}")
    if module != _OWN:
        check_name(kind, name)
        if (other := _RIVALS.get(kind)) and (other, name) in _ENTRIES:
            raise InputError(f"a {kind} and a {other} are called `{name}`: tables could not tell them apart")
        if inspect.isabstract(made):
            lacking = ", ".join(sorted(getattr(made, "__abstractmethods__", ())))
            raise InputError(f"the {kind} `{name}` lacks what every {kind} has: {lacking}")
        check()
        _ENTRIES[kind, name] = _Entry(module, registered)
    registered[name] = made


def check_name(kind: Kind, name: str) -> None:
    """Check that a name can be typed and be part of a folder's name.

    Raises:
        InputError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"`{name}` cannot be the name of a {kind}: expected small letters, digits and `_`, a letter first, such as "
            "mean_field"
        )


def _tell(module: str) -> str:
    top = module.partition(".")[0]
    return LOADED[top].name if top in LOADED else top


def entered_names(kind: Kind) -> list[str]:
    """List the names that plugins have registered in this process, sorted."""
    return sorted(name for entered, name in _ENTRIES if entered == kind)


def entries_of(module: str) -> list[tuple[Kind, str]]:
    """List what the plugin has registered whose modules have names that begin with this part."""
    return [key for key, entry in _ENTRIES.items() if entry.module == module]


def plugin_of(kind: Kind, name: str) -> Plugin | None:
    """Return the plugin that has registered a name; None if ibbench has.

    Raises:
        InputError: it was registered by code that stands in no file which is a plugin.
    """
    entry = _ENTRIES.get((kind, name))
    if entry is None:
        return None
    if entry.module not in LOADED:  # imported by the user's own script
        try:
            LOADED[entry.module] = find_plugin(entry.module)
        except InputError:
            raise InputError(
                f"the {kind} `{name}` stands in no file that can be found again: expected it in a file that "
                "'plugins=[FILE.py]' names"
            ) from None
    return LOADED[entry.module]


def forget(module: str) -> None:
    """Take out what a plugin has registered that could not be loaded to its end."""
    for kind, name in entries_of(module):
        _ENTRIES.pop((kind, name)).registered.pop(name, None)
    LOADED.pop(module, None)
