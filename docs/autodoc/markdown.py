"""Tables in Markdown, and types in words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NOUNS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
_BOUNDS = {
    "minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "below {}",
}  # fmt: skip


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, with the signs that would end a cell replaced."""
    lines = [header, [":--"] * len(header), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return _outside_of_code(" ".join(text.split()), {"|": "&#124;"})


def plain(text: str) -> str:
    """Write text so that no word in it is taken for HTML; what stands between backticks stays."""
    return _outside_of_code(text, {"&": "&amp;", "<": "&lt;"})


def _outside_of_code(text: str, replaced: Mapping[str, str]) -> str:
    parts = text.split("`")
    return "`".join(part if place % 2 else _replace(part, replaced) for place, part in enumerate(parts))


def _replace(text: str, replaced: Mapping[str, str]) -> str:
    return "".join(replaced.get(letter, letter) for letter in text)


def code(value: Any) -> str:
    """Write a value as it is typed on a command line, in the type of code."""
    return f"`{typed(value)}`"


def typed(value: Any) -> str:
    """Write a value as it is typed on a command line, without quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(typed, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{typed(one)}" for key, one in value.items()) + "}"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def with_words_in_place(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema in which each list of possible words stands where it is referred to."""
    words = {f"#/$defs/{name}": part for name, part in schema.get("$defs", {}).items() if "enum" in part}

    def replace(part: Any) -> Any:
        if isinstance(part, dict):
            return (
                words[part["$ref"]] if part.get("$ref") in words else {key: replace(one) for key, one in part.items()}
            )
        return [replace(one) for one in part] if isinstance(part, list) else part

    return {str(key): replace(part) for key, part in schema.items()}


def in_words(schema: Mapping[str, Any]) -> str:
    """Say what a JSON schema takes: its type and its bounds."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(one) for one in schema["anyOf"]))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return _either([code(one) for one in schema["enum"]])
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    match schema.get("type"):
        case "null":
            return "`null`"
        case "array":
            return _list_in_words(schema)
        case "object":
            inner = schema.get("additionalProperties")
            return "dictionary" + (f" of {in_words(inner)}" if isinstance(inner, dict) and inner else "")
        case str(kind):
            return " ".join([_NOUNS[kind], " and ".join(_bounds(schema))]).strip()
    return "any"


def _list_in_words(schema: Mapping[str, Any]) -> str:
    parts = schema.get("prefixItems")
    each = in_words(parts[0] if parts else schema.get("items", {}))
    count = f" of {len(parts)}" if parts else ""
    return f"list{count} of text" if each == "text" else f"list{count}, each a {each}"


def _bounds(schema: Mapping[str, Any]) -> list[str]:
    numbers = [words.format(f"{schema[name]:,}") for name, words in _BOUNDS.items() if name in schema]
    return [*numbers, *([f"that matches `{schema['pattern']}`"] if "pattern" in schema else [])]


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
