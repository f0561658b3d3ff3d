"""Arguments as a user types them, rewritten so that Hydra's grammar reads what the user means.

That grammar reads `2024_05_01` as the number 20240501 and knows no letters but the English ones. So the value of an
option that takes text is put into quotes where Hydra would read it as something else, or not at all.
"""

import itertools
import json
import os
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from ibbench.errors import InputError, shorten
from ibbench.options.config import classes_in, option_fields, suggest_option
from ibbench.options.defaults import config_groups

_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_WORD = re.compile(rf"{_QUOTED}|[^,]+")
_WORD_IN_LIST = re.compile(rf"{_QUOTED}|[^,\[\]]+")
_PAIR = re.compile(rf"\s*({_QUOTED}|[^:,{{}}]+?)\s*:\s*({_QUOTED}|[^,{{}}]*?)\s*(,|$)")
_FUNCTION = re.compile(r"\s*(choice|range|sort|shuffle|glob|tag|interval|str|int|float|bool)\s*\(.*\)\s*$", re.DOTALL)
_FUNCTION_IN_LIST = re.compile(r"^\[\s*(range|choice|glob|interval)\(.*\)\s*\]$")
_COLUMNS = ("data.target_columns", "data.classes")
_STEPS = "trainer.steps"  # may be a dictionary, which Hydra does not take for it on a command line
_LENGTHS = ("trainer.epochs", _STEPS)
_MOST_VALUES = 10_000  # limit for one sweep


def as_hydra_reads(arguments: Sequence[str]) -> list[str]:
    """Rewrite the overrides among the arguments of a command so that Hydra reads them as they are typed.

    Overrides that Hydra reads as they are stay unchanged, so that doing this twice changes nothing.

    Args:
        arguments: overrides, `OPTION=VALUE`, and flags, which begin with `-`.

    Raises:
        InputError: an argument is not an override, or cannot be read; the message says what to type.
    """
    rewritten = []
    is_value_of_flag = False
    for argument in arguments:
        is_override = not argument.startswith("-") and not (is_value_of_flag and "=" not in argument)
        rewritten.append(_rewrite(argument) if is_override else argument)
        is_value_of_flag = argument.startswith("-") and "=" not in argument
    _refuse_two_experiments(rewritten)
    return _with_one_length(rewritten)


def _refuse_two_experiments(arguments: Sequence[str]) -> None:
    given = [argument.partition("=")[2] for argument in arguments if argument.startswith("experiment=")]
    if len(given) > 1:
        names = ",".join(name.strip("[]") for name in given)
        raise InputError(f"`experiment` is given {len(given)} times: expected once, such as 'experiment=[{names}]'")


def _with_one_length(arguments: list[str]) -> list[str]:
    """Where `trainer.epochs` or `trainer.steps` alone is typed, set the other to null, as a config may have set it."""
    typed = [(name, at) for at, word in enumerate(arguments) for name in _LENGTHS if word.startswith(f"{name}=")]
    if len({name for name, _ in typed}) != 1 or arguments[typed[-1][1]].endswith("=null"):
        return arguments
    name, at = typed[-1]
    other = _LENGTHS[1 - _LENGTHS.index(name)]
    return [*arguments[: at + 1], f"{other}=null", *arguments[at + 1 :]]


def _rewrite(argument: str) -> str:
    if "\0" in argument or argument != argument.encode(errors="replace").decode():
        raise InputError(f"`{shorten(argument.encode(errors='replace').decode())}` is not text in UTF-8")
    short = shorten(argument)
    key, equals, value = argument.partition("=")
    if key.startswith("+") and key[1:] in config_groups():
        key = key[1:]  # all groups have a default choice, so Hydra takes no plus; older versions needed it for some
    option = key.strip().lstrip("+~")
    if not equals and not argument.startswith("~"):
        hint = "" if option in option_fields() else f"; {suggest_option(option)}"
        raise InputError(f"`{short}` gives no value: expected OPTION=VALUE, such as trainer.epochs=3{hint}")
    if not option:
        raise InputError(f"`{short}` names no option: expected OPTION=VALUE, such as trainer.epochs=3")
    if _parse(f"{key}=0") is None:
        raise InputError(f"`{shorten(option)}` is not an option: {suggest_option(option)}")
    if _FUNCTION_IN_LIST.match(value):
        plain = value.strip("[] ")
        raise InputError(
            f"`{short}` is not possible: a range stands without brackets, as in '{option}={shorten(plain)}'"
        )
    if option in _COLUMNS:
        _refuse_single_columns(argument, option)
    if option == "results_dir":  # before Hydra makes the folder
        value = os.path.expanduser(value)  # noqa: PTH111 (which raises nothing where there is no such user)
    if equals:
        is_text = option in _text_options() or (option == _STEPS and value.startswith("{"))
        value = _rewrite_value(value, is_text)
    rewritten = key + equals + value
    if _parse(rewritten) is None:
        raise InputError(
            f"`{short}` cannot be read: brackets and quotes come in pairs, and text with other signs stands in "
            "quotes of its own, such as 'name=\"a (b)\"'"
        )
    return rewritten


def _refuse_single_columns(argument: str, option: str) -> None:
    """Refuse a sweep over single target columns: each of its points would need other `targets` as well."""
    override = _parse(argument)
    if override and override.is_discrete_sweep() and "[" not in argument:
        columns = override.get_value_string()
        raise InputError(f"`{argument}` would be a run for each column: expected '{option}=[{columns}]'")


def _text_options() -> frozenset[str]:
    """Return the names of options whose value is a text, or a list or dictionary of texts."""
    return frozenset(name for name, field in option_fields().items() if str in classes_in(field.annotation))


def _rewrite_value(value: str, is_text: bool) -> str:
    if "${" in value or _FUNCTION.match(value):
        return value
    if not is_text and (_parse(f"x={value}") or re.search(r"[{}()'\"]", value)):
        return value  # Hydra reads it, or its brackets and quotes leave unclear where a word ends
    if value.startswith("{") and value.endswith("}"):
        return _rewrite_pairs(value)
    words = _WORD_IN_LIST if value.startswith("[") else _WORD
    return words.sub(lambda match: _rewrite_word(match[0], is_text), value)


def _rewrite_word(word: str, is_text: bool) -> str:
    """Quote a word that Hydra cannot read, or that it would not read as text although the option takes text."""
    text = word.strip()
    if not text or text == "null" or re.fullmatch(_QUOTED, text, re.DOTALL):
        return word
    override = _parse(f"x={text}")
    return word if override and (isinstance(override.value(), str) or not is_text) else quote(text)


def _rewrite_pairs(value: str) -> str:
    """Write a dictionary as quoted JSON, which `data.units` takes: Hydra allows no quotes around keys."""
    override = _parse(f"x={value}")
    if override and isinstance(known := override.value(), dict):
        texts = [*known, *known.values()]
        if all(isinstance(text, str) for text in texts):
            return value
    inner, pairs, place = value[1:-1].strip(), {}, 0
    while place < len(inner):
        pair = _PAIR.match(inner, place)
        if not pair:
            return value
        key, text = (word[1:-1] if re.fullmatch(_QUOTED, word) else word for word in pair.group(1, 2))
        pairs[key] = text
        place = pair.end()
    return quote(json.dumps(pairs, ensure_ascii=False))


def quote(text: str) -> str:
    """Return a text in quotes, escaped so that Hydra reads exactly this text."""
    return QuotedString(text, Quote.single).with_quotes()


def _parse(override: str) -> Override | None:
    """Return an override as Hydra parses it; None if Hydra cannot."""
    try:
        return OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError):
        return None


def sweep_values(override: Override) -> list[str]:
    """List the values of a sweep, as texts for the right side of an override.

    Raises:
        InputError: the sweep has no value, more than 10,000 values, or a continuous range in place of single values.
    """
    line = shorten(override.input_line or "")
    if not override.is_discrete_sweep():
        raise InputError(f"`{line}`: a sweep needs single values, such as {override.get_key_element()}=1,2,3")
    try:
        values = list(itertools.islice(override.sweep_string_iterator(), _MOST_VALUES + 1))
    except (ValueError, ArithmeticError) as error:  # `range(0,3,0)`
        raise InputError(f"`{line}` is not possible: {error}") from None
    if not values:
        raise InputError(f"`{line}` means no value at all")
    if len(values) > _MOST_VALUES:
        raise InputError(f"`{line}` means more than {_MOST_VALUES:,} values")
    return values
