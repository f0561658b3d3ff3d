"""Loads plugins: those that the user names, and those that installed packages offer by entry points."""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator

from ibbench.errors import InputError, shorten
from ibbench.plugins.code import Plugin, find_plugin, hash_file
from ibbench.plugins.registry import LOADED, Kind, entered_names, entries_of, forget, plugin_of

_GROUPS: dict[Kind, str] = {
    "model": "ibbench.models", "source": "ibbench.sources", "baseline": "ibbench.baselines", "probe": "ibbench.probes",
}  # fmt: skip
_BY_PIN: dict[str, Plugin] = {}  # the plugins that the user has named, by place and digest
_BROKEN: dict[tuple[Kind, str], str] = {}  # why entry points of installed packages cannot be loaded


def load_plugins(named: Iterable[str]) -> tuple[str, ...]:
    """Load plugins, each once in a process.

    Args:
        named: paths or names of modules, as `find_plugin` takes them.

    Returns:
        The plugins with absolute paths and digests, so that another process loads the same code, or none.

    Raises:
        InputError: a plugin is not there, cannot be imported, registers nothing, or registers a name that is taken.
    """
    return tuple(dict.fromkeys(_load_named(text) for text in named))


def loaded_plugins() -> tuple[str, ...]:
    """Return all plugins that were named in this process, with places and digests, for another process to load."""
    return tuple(_BY_PIN)


def _load_named(text: str) -> str:
    if text in _BY_PIN:
        return text
    plugin = find_plugin(text)
    _refuse_changed(plugin)
    if plugin.pinned not in _BY_PIN:
        _load(plugin, text)
        if plugin.is_module:
            for kind in _GROUPS:
                for name, points in _installed(kind).items():
                    if any(point.module.partition(".")[0] == plugin.module for point in points):
                        load_installed(kind, name)
        if not entries_of(plugin.module):
            forget(plugin.module)
            raise InputError(
                f"`plugins=[{shorten(text)}]` is not possible: it registers nothing: expected a class under "
                "@register(NAME), as `ibbench new-model NAME` writes one"
            )
        _BY_PIN[plugin.pinned] = plugin
    return plugin.pinned


def _refuse_changed(plugin: Plugin) -> None:
    for known in LOADED.values():
        if known.place == plugin.place and known.digest != plugin.digest:
            raise InputError(f"`{plugin.place}` has changed since this process loaded it: start Python anew")


def _load(plugin: Plugin, text: str) -> None:
    known = LOADED.get(plugin.module)
    LOADED[plugin.module] = plugin
    if known:
        return
    modules = {*sys.modules}
    with blaming(plugin, f"`plugins=[{shorten(text)}]` is not possible", whatever=True):
        try:
            _import(plugin)
        except BaseException:
            forget(plugin.module)
            for name in {*sys.modules} - modules:
                if name.partition(".")[0] == plugin.module:
                    del sys.modules[name]
            raise


def _import(plugin: Plugin) -> None:
    if plugin.is_module:
        importlib.import_module(plugin.place)
        return
    is_package = plugin.root.is_dir()
    spec = importlib.util.spec_from_file_location(
        plugin.module,
        plugin.root / "__init__.py" if is_package else plugin.root,
        submodule_search_locations=[str(plugin.root)] if is_package else None,
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[plugin.module] = module
    if is_package:
        spec.loader.exec_module(module)
        return
    content = plugin.root.read_bytes()  # not by the import system, whose cached bytecode may be that of other bytes
    if hash_file(content) != plugin.digest:
        raise InputError(f"`{plugin.place}` has changed just now: give the command again")
    exec(compile(content, str(plugin.root), "exec"), module.__dict__)


@contextlib.contextmanager
def blaming(plugin: Plugin, what: str, whatever: bool = False) -> Iterator[None]:
    """Turn an exception in the code of a plugin into one line that says the file, the line and the error.

    Args:
        plugin: the plugin whose code runs in the block.
        what: the beginning of the message: what cannot be done because of the error.
        whatever: whether to blame the plugin also for an exception that passed through none of its lines.

    Raises:
        InputError: the block has raised an exception that is the plugin's.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        where = _place_of(plugin, error)
        if not where and (isinstance(error, InputError) or not whatever):
            raise
        message = error.msg if isinstance(error, SyntaxError) else str(error)  # without the line, which `where` has
        told = message if isinstance(error, InputError) else f"{type(error).__name__}: {message}"
        first = told.strip().partition("\n")[0]
        raise InputError(f"{what}: {where}{first}") from (None if isinstance(error, InputError) else error)


def _place_of(plugin: Plugin, error: BaseException) -> str:
    """Return file and line where an exception last passed through the plugin's code; empty if it did not."""
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        lines.append((error.filename or "", error.lineno))
    own = [(path, line) for path, line in lines if plugin.holds(path)]
    return f"{own[-1][0]}, line {own[-1][1]}: " if own else ""


@functools.cache
def _installed(kind: Kind) -> dict[str, list[importlib.metadata.EntryPoint]]:
    """Return the entry points of installed packages for a kind, by the names that they offer."""
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in importlib.metadata.entry_points(group=_GROUPS[kind]):
        if point.value not in {known.value for known in found.get(point.name, [])}:  # a folder may be searched twice
            found.setdefault(point.name, []).append(point)
    return found


def plugin_names(kind: Kind) -> list[str]:
    """List the names of plugins that are loaded, or installed and not known to be broken, sorted."""
    offered = [name for name in _installed(kind) if (kind, name) not in _BROKEN]
    return sorted({*entered_names(kind), *offered})


def load_installed(kind: Kind, name: str) -> bool:
    """Load the class that an installed package offers under a name, unless a plugin has registered it already.

    Args:
        kind: the kind of the class, such as `model`.
        name: the name.

    Returns:
        Whether a plugin has registered the name now; False if no installed package offers it.

    Raises:
        InputError: the package cannot be imported, or does not register the name, or several packages offer it.
    """
    if plugin_of(kind, name):
        return True
    points = _installed(kind).get(name, [])
    if not points:
        return False
    if (kind, name) in _BROKEN:
        raise InputError(_BROKEN[kind, name])
    try:
        _load_point(kind, name, points)
    except InputError as error:
        _BROKEN[kind, name] = str(error)
        raise
    return True


def _load_point(kind: Kind, name: str, points: list[importlib.metadata.EntryPoint]) -> None:
    package = points[0].module.partition(".")[0]
    if len(points) > 1:
        told = " and ".join(point.module for point in points)
        raise InputError(f"the {kind} `{name}` is offered by {told}: expected one of them installed")
    what = f"the {kind} `{name}` of the installed package {package} cannot be loaded"
    try:
        plugin = find_plugin(points[0].module)
    except InputError:
        raise InputError(f"{what}: there is no module {points[0].module}") from None
    with blaming(plugin, what, whatever=True):
        LOADED.setdefault(plugin.module, plugin)
        importlib.import_module(points[0].module)
    if not plugin_of(kind, name):
        raise InputError(f"{what}: {points[0].module} registers no {kind} of this name")


def installed_faults(kind: Kind) -> list[str]:
    """Load all classes of a kind that installed packages offer; return a sentence for each that cannot be loaded."""
    faults = []
    for name in _installed(kind):
        try:
            load_installed(kind, name)
        except InputError as error:
            faults.append(str(error))
    return faults


def fault_of(kind: str, name: str) -> str:
    """Return why the class that an installed package offers under a name could not be loaded; empty if it could."""
    return next((fault for known, fault in _BROKEN.items() if known == (kind, name)), "")


def names_of(kind: Kind, named: Iterable[str]) -> list[str]:
    """List the names that some plugins have registered, sorted.

    Args:
        kind: the kind of the names, such as `model`.
        named: the plugins, as `load_plugins` takes or returns them.

    Raises:
        InputError: a plugin cannot be loaded.
    """
    modules = {_BY_PIN[text].module for text in load_plugins(named)}
    return sorted(name for module in modules for entered, name in entries_of(module) if entered == kind)
