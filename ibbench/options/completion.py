"""Shell completion of groups, options and their values, from `configs/` and the classes of the options."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from ibbench.options.config import option_fields
from ibbench.options.defaults import config_groups, default_options

_REPLICAS = ("seeds", "targets")  # lists that may be typed with commas alone
_NOT_TYPED = re.compile(r"rung($|\.)|\w+\.name$")  # options that the choice of a group sets, so that nobody types them


def complete_option(given: Sequence[str], typed: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """List what the last word of a command may become.

    A single option that fits comes with its values, so that a shell stops behind the `=` and adds no space.

    Args:
        given: the words before the last one. Bash divides `model=gnn` into three words, `model`, `=` and `gnn`.
        typed: the part of the last word that is typed already.
        known: further values to offer, by the name of their option.

    Returns:
        The whole words that the last word may become.
    """
    if (key := _key_before(given)) in _names():
        return _values(key, typed, known)
    plus = "+" if typed.startswith("+") else ""
    key, equals, value = typed.removeprefix(plus).partition("=")
    if equals:
        return [f"{plus}{key}={one}" for one in _values(key, value, known)]
    found = [name for name in _names() if name.startswith(key)]
    values = _values(found[0], "", known) if len(found) == 1 else []
    return [f"{plus}{name}={one}" for name in found for one in ("", *values)]


def _names() -> list[str]:
    return list(dict.fromkeys([*config_groups(), *(name for name in option_fields() if not _NOT_TYPED.match(name))]))


def _key_before(given: Sequence[str]) -> str:
    """Return the option whose value is being typed, where bash has divided `OPTION=VALUE` at its `=`; else nothing."""
    words = given[:-1] if given[-1:] == ["="] else given if given[-2:-1] != ["="] else []
    return words[-1].lstrip("+") if words else ""


def _values(key: str, typed: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """List the values of an option that begin with the typed text.

    In a list or a sweep only its last entry is completed, by values that are not among the entries before it.
    """
    place = max(typed.rfind(","), typed.rfind("[")) + 1
    before, last = typed[:place], typed[place:]
    chosen = re.split(r"[,\[]", before)
    return [f"{before}{one}" for one in _choices(key, known) if one.startswith(last) and one not in chosen]


def _choices(key: str, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if key in known:
        return known[key]
    if key in config_groups():
        return [*config_groups()[key], *known.get(f"{key}=", ())]
    if key not in option_fields():
        return []
    return list(dict.fromkeys([*_words(option_fields()[key].annotation), *_default(key)]))


def _words(annotation: Any) -> list[str]:
    """List the words in the type of an option, such as those of a `Literal`."""
    if annotation in {bool, NoneType}:
        return [_as_typed(value) for value in ((True, False) if annotation is bool else (None,))]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [str(value) for value in annotation]
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return [_as_typed(value) for value in parts]
    return [word for part in (parts[:1] if get_origin(annotation) is Annotated else parts) for word in _words(part)]


def _default(key: str) -> list[str]:
    """Return the default value of an option as a list of one, or an empty list if it cannot be typed without quotes."""
    root = default_options("", "train")
    group, _, name = key.rpartition(".")
    chosen = next((entry[group] for entry in root["defaults"] if isinstance(entry, dict) and group in entry), "")
    options = default_options(group, chosen) if chosen else root.get(group) if group else root
    if group == "model":
        options = default_options("recipe", "shared") | default_options(group, chosen)
    value = options.get(name) if isinstance(options, dict) else None
    if key in _REPLICAS and isinstance(value, list):
        return [",".join(map(_as_typed, value))]
    return [_as_typed(value)] if isinstance(value, str | bool | int | float) else []


def _as_typed(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
