"""What pydantic cannot check of a value by itself, or says in words that are no help."""

import json
import os
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def expecting(words: str) -> WrapValidator:
    """Say in words what an option takes, in place of one message per type that it can have."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("expecting", "expected {words}", {"words": words}) from None

    return WrapValidator(check)


def not_one_point_zero(value: Any) -> Any:
    """Refuse a size of 1.0, which may be meant as all molecules and would be read as one."""
    if isinstance(value, float) and value == 1:
        raise PydanticCustomError("whole", "expected 1 for one molecule, or a fraction below 1")
    return value


def local_path(path: str) -> str:
    """Expand `~`, and refuse what is no file of this machine."""
    if "://" in path:
        raise PydanticCustomError("address", "this is an address: download the file, and give its path")
    return os.path.expanduser(path)  # noqa: PTH111 (which raises nothing where there is no such user)


def known_encoding(name: str) -> str:
    """Refuse what is not the name of an encoding of text."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        text = "expected the name of an encoding, such as utf-8, cp1252, latin-1 or utf-16"
        raise PydanticCustomError("encoding", text) from None
    return name


def read_json(value: Any) -> Any:
    """Read a dictionary that came as text: on the command line some keys are possible in no other way."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
