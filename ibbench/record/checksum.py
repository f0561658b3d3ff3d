"""Checksums of the files of a study, kept in its study.json: an edit, or a file of other tables, is noticed."""

import hashlib
import json


def checksum(content: str | bytes) -> str:
    """Return the checksum that study.json has of a file."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


def read_checksums(text: str) -> dict[str, str]:
    """Return the checksums that a study.json holds; none for one of an older version, or one that is broken."""
    try:
        content = json.loads(text)
        return {str(name): str(value) for name, value in content["checksums"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
