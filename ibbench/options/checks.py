"""Checks of option values that pydantic lacks, or whose messages it words in a way that does not help a user."""

import json
import os
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def expecting(words: str) -> WrapValidator:
    """Return a validator that reports a wrong value by one message, "expected" and these words.

    By itself pydantic reports one message for each type that the option can have.
    """

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("expecting", "expected {words}", {"words": words}) from None

    return WrapValidator(check)


def not_one_point_zero(value: Any) -> Any:
    """Return a size as it is, unless it is 1.0, which may be meant as all molecules and would be read as one molecule.

    Raises:
        PydanticCustomError: the size is the float 1.0.
    """
    if isinstance(value, float) and value == 1:
        raise PydanticCustomError("whole", "expected 1 for one molecule, or a fraction below 1")
    return value


def local_path(path: str) -> str:
    """Return a path with `~` expanded.

    Raises:
        PydanticCustomError: the text is an address such as `https://...`, not a path on this machine.
    """
    if "://" in path:
        raise PydanticCustomError("address", "this is an address: download the file, and give its path")
    return os.path.expanduser(path)  # noqa: PTH111 (which raises nothing where there is no such user)


def known_encoding(name: str) -> str:
    """Return the name of a text encoding as it is.

    Raises:
        PydanticCustomError: Python knows no encoding of this name.
    """
    try:
        "".encode(name)
    except (LookupError, ValueError):
        text = "expected the name of an encoding, such as utf-8, cp1252, latin-1 or utf-16"
        raise PydanticCustomError("encoding", text) from None
    return name


def read_json(value: Any) -> Any:
    """Return the value that a text stands for as JSON; a text that is no JSON, or another value, is returned as it is.

    Hydra's command line does not take every key of a dictionary, so such dictionaries are typed as JSON in quotes.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
