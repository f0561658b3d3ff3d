"""Checksums of the files of a study, kept in its study.json: they show edits, and files that belong to other tables."""

import hashlib
import json


def checksum(content: str | bytes) -> str:
    """Return the checksum of a file's content, as study.json keeps it: 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


def read_checksums(text: str) -> dict[str, str]:
    """Return the checksums in the text of a study.json, by file name; empty if it is broken or of an older version."""
    try:
        content = json.loads(text)
        return {str(name): str(value) for name, value in content["checksums"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
