"""What the comments in `configs/` say of a file and of each option in it."""

import re
from pathlib import Path
from typing import NamedTuple

_KEY = re.compile(r"^(\s*)([\w.]+):(?:\s|$)(.*)")
_BEHIND = re.compile(r"(?:^|\s)#\s+(.*)$")


class Comments(NamedTuple):
    """The comments of one file.

    Attributes:
        header: the lines at its top; empty if there are none.
        options: of each option, with dots between its parts: the lines right above it and those behind it.
    """

    header: str
    options: dict[str, str]


def read_comments(path: Path) -> Comments:
    """Read the comments of a YAML file. An empty line ends a comment, so that it belongs to no option below it."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
    top = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return Comments(_joined(lines[:top]), _of_options(lines[top:]))


def _of_options(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        if line.lstrip().startswith("#"):
            above.append(line.strip())
            continue
        if key := _KEY.match(line):
            path = [part for part in path if part[0] < len(key[1])] + [(len(key[1]), key[2])]
            behind = _BEHIND.search(key[3])
            text = _joined([*above, *(["# " + behind[1]] if behind else [])])
            if text:
                found[".".join(name for _, name in path)] = text
        above = []
    return found


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip().removeprefix("#").strip() for line in lines)
