"""The page of all names that `import ibbench` gives, with their signatures and docstrings."""

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

import ibbench
from autodoc.markdown import plain

_TOP = """# Every name of the Python API

What `import ibbench` gives, in alphabetical order. [From Python](python.md) shows the names at work.
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
_ENTRY = re.compile(r"^    (\*{0,2}[\w.]+): ?(.*)$")
_MODULE = re.compile(r"\b(?:\w+\.)+(?=\w)")
_WIDTH = 100  # of a signature that stands on one line


def page() -> str:
    """Write the page."""
    return _TOP + "".join(f"\n{part}" for name in sorted(names(), key=str.lower) for part in _tell(name))


def names() -> list[str]:
    """List what the package exports and a reader might call, which is all but its version."""
    return [name for name in ibbench.__all__ if not name.startswith("__")]


def _tell(name: str) -> Iterator[str]:
    # Where the name is also that of a folder of the package, an attribute would be the folder.
    value = getattr(importlib.import_module(ibbench._HOME[name]), name)
    yield f"## `{name}`\n"
    if not callable(value):
        yield f"{_described(value)}\n"
        return
    if isinstance(value, type) and issubclass(value, BaseModel):
        yield f"A class of `{value.__module__}`, whose fields are the [options](options.md).\n"
    elif not (isinstance(value, type) and issubclass(value, BaseException)):
        yield _signature(name, value)
    yield _docstring(value)
    if isinstance(value, type):
        yield from _members(name, value)


def _described(value: Any) -> str:
    if isinstance(value, dict):
        return f"A dictionary with {len(value)} entries: {', '.join(f'`{key}`' for key in value)}."
    return f"`{value!r}`"


def _members(name: str, cls: type) -> Iterator[str]:
    """Tell the public methods and properties that a class defines itself."""
    for key, member in vars(cls).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if key.startswith("_") or not (inspect.isfunction(plain) or isinstance(plain, property)):
            continue
        yield f"### `{name}.{key}`\n"
        if inspect.isfunction(plain):
            yield _signature(f"{name}.{key}", getattr(cls, key))
        yield _docstring(plain)


def _signature(name: str, value: Any) -> str:
    signature = inspect.signature(value)
    parameters = [_parameter(one) for key, one in signature.parameters.items() if key != "self"]
    if parameters[:1] == ["*args: Any"]:
        return ""  # a class that says nothing of how it is made
    returns = signature.return_annotation
    known = returns is not inspect.Signature.empty and not isinstance(value, type)
    behind = f" -> {_annotation(returns)}" if known else ""
    text = f"{name}({', '.join(parameters)}){behind}"
    if len(text) > _WIDTH:
        text = f"{name}(\n" + "".join(f"    {one},\n" for one in parameters) + f"){behind}"
    return f"```python\n{text}\n```\n"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = "*" * (parameter.kind is parameter.VAR_POSITIONAL) + "**" * (parameter.kind is parameter.VAR_KEYWORD)
    kind = "" if parameter.annotation is parameter.empty else f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}{kind}"
    default = parameter.default.__name__ if callable(parameter.default) else repr(parameter.default)
    return f"{stars}{parameter.name}{kind} = {'...' if ' at 0x' in default else default}"


def _annotation(annotation: Any) -> str:
    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    written = re.sub(r"""ForwardRef\(['"](.*?)['"]\)""", r"\1", written)
    return _MODULE.sub("", written).replace("~", "").replace("'", "").replace('"', "")


def _docstring(value: Any) -> str:
    """Write a docstring in Google's style as Markdown: its sections become lists."""
    lines, section = [], ""
    for line in (inspect.getdoc(value) or "").splitlines():
        if match := _SECTION.match(line):
            section = match[1]
            lines += [f"**{'Arguments' if section == 'Args' else section}**", ""]
        elif section and (entry := _ENTRY.match(line)) and section != "Returns":
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and section != "Returns":
            lines.append(f"  {line.strip()}".rstrip())
        else:
            lines.append(line.strip() if section else line)
    return plain("\n".join(lines)) + "\n"
