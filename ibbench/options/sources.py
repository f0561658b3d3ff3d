"""The names of data sources, known without importing them, and the options that belong to a single source."""

import functools
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from ibbench.errors import InputError, suggest
from ibbench.plugins.load import load_installed, plugin_names

_FOLDER = Path(__file__).parents[1] / "data" / "sources"  # one file per source, named after it

# Options that say where a CSV lies, or how it is read. They do not identify a run: the content that was read does.
PATHS = ("path", "test_path")  # those among the following that name files
OF_CONTENT = ("path", "strict", "encoding", "decimal", "smiles_names", "max_atoms", "split_column", "test_path")


_TAKEABLE = (*OF_CONTENT, "smiles_column", "target_columns", "units", "transform", "classes")
# Sources that read a table of an installed package; those that divide their molecules themselves.
OF_PACKAGES = frozenset(
    {"boiling_point", "freesolv", "heat_of_formation", "logp", "melting_point", "moleculeace", "solubility"}
)
WITH_SPLIT = frozenset({"moleculeace", "solubility"})
WITH_CLIFFS = frozenset({"moleculeace"})  # sources that mark molecules on activity cliffs
# The options of other sources that each source takes. The sources of ibbench are not imported to know them.
_TAKEN: dict[str, frozenset[str]] = dict.fromkeys(OF_PACKAGES, frozenset({"max_atoms", "strict"}))


class OnlyFor(NamedTuple):
    """Marks an option that belongs to one source: it is an error to set the option with another source."""

    source: str
    needed: bool = False  # whether that source cannot be read without it


def source_names() -> tuple[str, ...]:
    """List the sources by name: those of `ibbench/data/sources/`, and then those of plugins."""
    return (*built_in_sources(), *plugin_names("source"))


@functools.cache
def built_in_sources() -> tuple[str, ...]:
    """List the sources that are files of `ibbench/data/sources/`."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(_FOLDER)])))


def checked_source(name: str) -> str:
    """Return the name of a source as it is.

    Raises:
        PydanticCustomError: there is no source of this name; the message names the nearest.
    """
    if name not in built_in_sources() and not load_installed("source", name):
        raise PydanticCustomError("source", "{hint}", {"hint": suggest(name, source_names())})
    return name


def set_taken(source: str, options: Iterable[str]) -> None:
    """Register options that belong to another source as options of this source, too.

    Args:
        source: the name of the source.
        options: names of options within the group `data`, such as `path`.

    Raises:
        InputError: there is no such option, or it cannot be taken over.
    """
    unknown = sorted({*options} - {*_TAKEABLE})
    if unknown:
        raise InputError(
            f"`{unknown[0]}` is not possible in `takes` of the source `{source}`: {suggest(unknown[0], _TAKEABLE)}"
        )
    _TAKEN[source] = frozenset(options)


def check_own_options(options: BaseModel, source: str) -> None:
    """Check that no option belongs to another source, and that all options that `source` needs are set.

    Args:
        options: a group of options, in which those of a single source have an `OnlyFor` beside their type.
        source: the name of the source that is to be read.

    Raises:
        PydanticCustomError: an option is foreign or missing; the message names all such options.
    """
    fields = type(options).model_fields
    marks = {key: mark for key, field in fields.items() for mark in field.metadata if isinstance(mark, OnlyFor)}
    foreign = [key for key, mark in marks.items() if mark.source != source and key not in _TAKEN.get(source, ())]
    given = [key for key in foreign if getattr(options, key) != fields[key].default]
    if given:
        sources = " or ".join(dict.fromkeys(marks[key].source for key in given))
        text = "{names}: only for data.source={sources}"
        raise PydanticCustomError("source_only", text, {"names": _in_full(given), "sources": sources})
    needed = [key for key, mark in marks.items() if mark.source == source and mark.needed]
    missing = [key for key in needed if not getattr(options, key)]
    if missing:
        text = "data.source={source} also needs {names}"
        raise PydanticCustomError("source_needs", text, {"source": source, "names": _in_full(missing)})


def _in_full(keys: list[str]) -> str:
    return ", ".join(f"data.{key}" for key in keys)
