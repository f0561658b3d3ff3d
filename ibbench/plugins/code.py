"""Plugins as files: where the code of a plugin is, and a digest of it."""

import ast
import hashlib
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from ibbench.errors import InputError, shorten, suggest

_INSTALLED = {"site-packages", "dist-packages"}  # folders of installed packages, whose neighbours are other packages
_PINNED = re.compile(r"(.+)#([0-9a-f]{16})", re.DOTALL)


class Plugin(NamedTuple):
    """A file, a package or a module that the user names.

    Attributes:
        name: the name in messages and records: that of the file or folder, or of the installed package.
        place: the absolute path, or the name of the module, by which the plugin is found again.
        digest: the first 16 hexadecimal digits of the SHA-256 of its source files.
        module: the first part of the dotted names of its modules in this process.
        root: the file, or the folder of the package.
    """

    name: str
    place: str
    digest: str
    module: str
    root: Path

    @property
    def is_module(self) -> bool:
        """Whether Python imports the plugin by its name, and not from a path."""
        return self.module == self.place.partition(".")[0]

    @property
    def pinned(self) -> str:
        """The place with the digest behind it: by this text `find_plugin` refuses the plugin if its files change."""
        return f"{self.place}#{self.digest}"

    def holds(self, path: str) -> bool:
        """Return whether the file at this path belongs to the plugin."""
        return Path(path) == self.root or self.root in Path(path).parents


def find_plugin(text: str) -> Plugin:
    """Find what an entry of `plugins` stands for; nothing is executed.

    Args:
        text: the path of a `.py` file or of the folder of a package, or the name of a module that Python can import;
            behind it `#` and a digest, if the content must have that digest.

    Raises:
        InputError: there is no such file or module, it is not a plugin, or its content has another digest.
    """
    pinned = _PINNED.fullmatch(text)
    given = pinned[1] if pinned else text
    path = Path(given).expanduser()
    if path.suffix == ".py" or "/" in given or "\\" in given or path.is_dir():
        plugin = _find_file(given, path.absolute())
    else:
        plugin = _find_module(given)
    if pinned and pinned[2] != plugin.digest:
        raise InputError(f"`{plugin.place}` has changed since it was named: give the command again")
    return plugin


def _find_file(given: str, path: Path) -> Plugin:
    if path.is_dir():
        if not (path / "__init__.py").is_file():
            raise _refused(given, "a folder is a plugin where it is a package, with an __init__.py")
        digest = _hash_package(path)
    else:
        try:
            digest = hash_file(path.read_bytes())
        except OSError as error:
            near = suggest(path.name, [file.name for file in _python_files(path.parent)])
            hint = f"; in that folder: {near}" if near else ""
            raise _refused(given, f"{error.strerror or error}{hint}") from None
        _refuse_neighbours(given, path)
    return Plugin(path.name, str(path), digest, f"ibbench_plugin_{path.stem}_{digest}", path)


def _python_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.py")) if folder.is_dir() else []


def _find_module(given: str) -> Plugin:
    beside = Path(f"{given}.py")
    hint = f": did you mean `{beside}`?" if beside.is_file() else ": expected the path of a file, such as my_model.py"
    if not all(part.isidentifier() for part in given.split(".")):
        raise _refused(given, f"it is neither a file nor the name of a module{hint}")
    spec = _find_spec(given)
    if spec is None:
        raise _refused(given, f"Python finds no module of this name{hint}")
    if not spec.has_location or not (spec.origin or "").endswith(".py"):
        raise _refused(given, f"it has no source in Python{hint}")
    origin = Path(str(spec.origin))
    if spec.submodule_search_locations is None:
        if origin.parent.name not in _INSTALLED:
            _refuse_neighbours(given, origin)
        return Plugin(spec.name, given, hash_file(origin.read_bytes()), given.partition(".")[0], origin)
    return Plugin(spec.name, given, _hash_package(origin.parent), given.partition(".")[0], origin.parent)


def _find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find the outermost package with code of its own that contains a module, or the module itself.

    Nothing is executed. None if there is no such module, or it is a package without any code.
    """
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        outer = ".".join(parts[:count])
        try:
            spec = importlib.util.find_spec(outer)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is not None:
            return spec
    return None  # a package of packages alone, which has no code


def hash_file(content: bytes) -> str:
    """Return the digest of a plugin that is one file, from the content of the file."""
    return hashlib.sha256(content).hexdigest()[:16]


def _hash_package(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def _refuse_neighbours(given: str, path: Path) -> None:
    """Refuse a file that imports another file beside it, whose content would not be part of the digest.

    Raises:
        InputError: it imports such a file.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # loading it says what is wrong
    for name in sorted({*_imported(tree)} - {"ibbench", path.stem} - {*sys.stdlib_module_names}):
        if (path.parent / f"{name}.py").is_file() or (path.parent / name / "__init__.py").is_file():
            raise _refused(
                given,
                f"it imports `{name}`, which lies beside it, and a change there would not be seen: expected one file, "
                "or the folder of a package that has both",
            )


def _imported(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def names_in(path: str, modules: Collection[str]) -> list[str]:
    """List the names that a file registers, without executing it: shell completion must not execute a plugin.

    Args:
        path: the file.
        modules: names of the modules whose `register` counts, such as `ibbench.models.registry`.

    Returns:
        The names; none if the file cannot be read.
    """
    try:
        tree = ast.parse(Path(path).expanduser().read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    nodes = [*ast.walk(tree)]
    local = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module in modules
        for alias in node.names
        if alias.name == "register"
    }
    calls = [call for node in nodes if isinstance(node, ast.ClassDef) for call in node.decorator_list]
    return [
        str(call.args[0].value)
        for call in calls
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
        if ast.unparse(call.func) in {*local, *(f"{module}.register" for module in modules)}
    ]


def _refused(given: str, reason: str) -> InputError:
    return InputError(f"`plugins=[{shorten(given)}]` is not possible: {reason}")
