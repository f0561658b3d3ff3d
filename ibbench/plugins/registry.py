"""The register of models, sources, baselines and probes: which class has a name, and which plugin has given it."""

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple

from ibbench.errors import InputError
from ibbench.plugins.code import Plugin, find_plugin

Kind = Literal["model", "source", "baseline", "probe"]
_OWN = "ibbench"
_RIVALS: dict[Kind, Kind] = {"model": "baseline", "baseline": "model"}  # kinds that share one column of tables
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # names are typed on command lines, and are part of the names of folders


class _Entry(NamedTuple):
    module: str  # the first part of the dotted name of the plugin's module
    registered: dict[str, Any]  # the dictionary that has the class by its name


_ENTRIES: dict[tuple[Kind, str], _Entry] = {}  # the names that plugins have registered; those of ibbench are not here
LOADED: dict[str, Plugin] = {}  # the loaded plugins, by the first part of the dotted names of their modules


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
        kind: the kind of the class.
        name: the name that users type.
        made: the class.
        registered: the classes of this kind by name; `made` is added.
        built_in: a function that lists the names of this kind that ibbench has itself.
        check: a function that raises an `InputError` if the class of a plugin is not as it should be.

    Raises:
        InputError: the name is taken or cannot be typed, or the class of a plugin lacks a method or fails its check.
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
    """Check that a name can be typed, and be part of a folder's name.

    Raises:
        InputError: the name has other signs than small letters, digits and `_`, or does not begin with a letter.
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
    """List kind and name of all classes that a plugin has registered.

    Args:
        module: the first part of the dotted names of the plugin's modules.
    """
    return [key for key, entry in _ENTRIES.items() if entry.module == module]


def plugin_of(kind: Kind, name: str) -> Plugin | None:
    """Return the plugin that has registered a name; None if no plugin has.

    Raises:
        InputError: the name was registered by code that is in no file, or in a file that cannot be a plugin.
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
    """Remove a plugin that could not be loaded completely, with all that it has registered.

    Args:
        module: the first part of the dotted names of the plugin's modules.
    """
    for kind, name in entries_of(module):
        _ENTRIES.pop((kind, name)).registered.pop(name, None)
    LOADED.pop(module, None)
