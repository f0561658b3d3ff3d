"""Reads SDF files: molecules as drawn structures, each with named values."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ibbench.errors import InputError, shorten, suggest

_END = re.compile(rb"^\$\$\$\$[ \t]*(?:\n|\Z)", re.MULTILINE)
_TAG = re.compile(r"^>[^\n<]*<([^>\n]+)>[^\n]*\n((?:[^\n]+(?:\n|\Z))*)", re.MULTILINE)


class Structures(NamedTuple):
    """The M molecules of an SDF file.

    Attributes:
        smiles: the SMILES of each structure, in RDKit's spelling; empty where RDKit cannot read the structure.
        columns: the values of each tag that was asked for, by its name; an empty text where a molecule has none.
        lines: the line of the file where each molecule begins, counted from 1.
    """

    smiles: list[str]
    columns: dict[str, list[str]]
    lines: list[int]


def read_sdf(content: bytes, path: str, names: Sequence[str]) -> Structures:
    """Read the structures of an SDF file, and some of their values.

    Args:
        content: the bytes of the file.
        path: the name of the file in messages.
        names: the tags to read, such as `logS` for values below `> <logS>`.

    Raises:
        InputError: the file has no molecule, or no molecule has a tag.
    """
    from rdkit import Chem, rdBase

    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = Structures([], {name: [] for name in names}, [])
    tags: dict[str, None] = {}
    start, line = 0, 1
    with rdBase.BlockLogs():
        for block, length in _cut(content):
            text = block.decode("utf-8", "replace")
            values = {name: value.strip() for name, value in _TAG.findall(text)}
            tags |= dict.fromkeys(values)
            molecule = Chem.MolFromMolBlock(text)
            found.smiles.append("" if molecule is None else Chem.MolToSmiles(molecule))
            for name in names:
                found.columns[name].append(values.get(name, ""))
            found.lines.append(line)
            line += content.count(b"\n", start, start + length)
            start += length
    if not found.smiles:
        raise InputError(f"{path} has no molecule: expected an SDF file, whose molecules end with $$$$")
    for name in names:
        if name not in tags:
            raise InputError(f"{path} has no value `{name}`: {shorten(suggest(name, list(tags)), 300)}")
    return found


def _cut(content: bytes) -> list[tuple[bytes, int]]:
    """Return the text of each molecule of a file, and its length with the line that ends it."""
    blocks, start = [], 0
    for end in _END.finditer(content):
        blocks.append((content[start : end.start()], end.end() - start))
        start = end.end()
    if content[start:].strip():
        blocks.append((content[start:], len(content) - start))
    return blocks
