"""The options that tell the runs of one model in a study apart, written as a user types them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ibbench.options.defaults import LEFT_OUT, default_options
from ibbench.record.schema import Record

# Options that a row of a table names in other columns, and `seeds`, which are averaged over.
NOT_VARIANTS = {"targets", "seeds", "model.name", "data.train_size", "data.source", "data.hydrogens"}
# Options that may follow from the train size: where all runs of a train size share a value, the size tells it. Where
# several data sets or splits stand in one study, one of them may need longer than another: its name tells it, too.
_BY_SIZE = {"trainer.steps", "trainer.epochs", "trainer.validate_every"}
# What data set a config is of. How all runs of a data set read and divide it is told by its name, where several data
# sets stand in one study: it is not what these runs are compared for. What alters molecules or labels is.
_ALTERING = {"data.graph", "data.augmentation", "data.label_noise", "data.labels", "data.standardise", "data.centre"}
_OF_MODELS = ("model.", "plugins")  # beginnings of options that only some models have
_NAMED = ("optimizer", "schedule")  # config groups: one name chooses a file that sets several options
_Flat = dict[str, Any]


class _Place(NamedTuple):
    """What rows of a table stand under: figures of two data sets, splits or train sizes are not compared."""

    dataset: str
    split: str
    train_size: int | None


def find_variants(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return for each record the options in which the records differ; see `find_variants_of`.

    Data sets, splits and train sizes are those that were found, also where options do not tell them, such as the
    content of a CSV.
    """
    places = [_Place(record.data_source, record.split_fingerprint, record.train_size) for record in records]
    return _find_variants([record.config for record in records], places, apart=True)


def find_variants_of(configs: Sequence[dict[str, Any]], *, apart: bool = True) -> list[dict[str, str]]:
    """Return for each config the options in which the configs differ; an option that is absent counts as null.

    Options that only some models have are compared between the configs of those models alone. Where optimizers or
    schedules differ, their names stand for the values in their files. The length of the training is left out where it
    depends on the train size alone, or on size, data set and split: rows of different sizes are then points of one
    learning curve, not variants. So are options of reading and dividing that depend on the data set alone: errors of
    two data sets or splits are not compared.

    Args:
        configs: configs as recorded, with nested options.
        apart: whether figures of different data sets are kept apart, so that the options of a data set need not stand
            in a variant.

    Returns:
        Options and values as typed, such as `{"model.depth": "4"}`, for each config; empty where none differs.
    """
    flat = [flatten(config) for config in configs]
    places = [
        _Place(
            " ".join(typed(options.get(key)) for key in ("data.source", "data.task")),
            " ".join(f"{key}={typed(value)}" for key, value in options.items() if key.startswith("data.split")),
            options.get("data.train_size"),
        )
        for options in flat
    ]
    return _find_variants(configs, places, apart)


def _find_variants(configs: Sequence[dict[str, Any]], places: Sequence[_Place], apart: bool) -> list[dict[str, str]]:
    flat = with_left_out([flatten(config) for config in configs])
    models = [str(options["model.name"]) for options in flat]
    keys = list(dict.fromkeys(key for options in flat for key in options if key not in NOT_VARIANTS))
    variants: list[dict[str, str]] = [{} for _ in configs]
    for key in keys:
        having = {model for model, options in zip(models, flat, strict=True) if key in options}
        of_all = not key.startswith(_OF_MODELS)
        values = {row: typed(flat[row].get(key)) for row, model in enumerate(models) if of_all or model in having}
        length = [place if apart else place.train_size for place in places]
        told = (key in _BY_SIZE and _follows(values, length)) or (
            apart
            and key.startswith("data.")
            and key not in _ALTERING
            and _follows(values, [place.dataset for place in places])
        )
        if len(set(values.values())) > 1 and not told:
            for row in values.keys() - _implied(key, values, flat):
                name, value = _as_typed(key, flat[row])
                variants[row][name] = value
    return variants


def with_left_out(flat: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the default of an option that records leave out at its default, where another record has another value.

    Args:
        flat: options with dots between their parts, as `flatten` returns them.
    """
    known = {f"{group}.{name}": value for group, options in LEFT_OUT.items() for name, value in options.items()}
    given = {key: value for key, value in known.items() if any(key in options for options in flat)}
    # An option of a model is one of those models alone that have it.
    having = {key: {options["model.name"] for options in flat if key in options} for key in given}
    return [
        {
            key: value
            for key, value in given.items()
            if not key.startswith("model.") or options["model.name"] in having[key]
        }
        | options
        for options in flat
    ]


def _follows(values: dict[int, str], givers: Sequence[object]) -> bool:
    """Whether all rows with the same giver have the same value."""
    return len({(givers[row], value) for row, value in values.items()}) == len({givers[row] for row in values})


def _implied(key: str, values: dict[int, str], flat: list[_Flat]) -> set[int]:
    """Return the rows whose value follows from the name of their optimizer or schedule, so that it can be left out.

    It follows if all rows with this name have the value that the file of this name sets.
    """
    group, _, option = key.partition(".")
    if group not in _NAMED or option == "name":
        return set()
    by_name: dict[str, set[int]] = {}
    for row in values:
        by_name.setdefault(str(flat[row].get(f"{group}.name")), set()).add(row)
    if len(by_name) == 1:
        return set()
    implied = set()
    for name, rows in by_name.items():
        if {values[row] for row in rows} == {typed(default_options(group, name).get(option))}:
            implied |= rows
    return implied


def _as_typed(key: str, options: _Flat) -> tuple[str, str]:
    """Return an option and its value in the words of the command line: `optimizer=sgd`, `budget=null`."""
    group, dot, option = key.partition(".")
    if group in _NAMED and option == "name":
        return group, typed(options.get(key))
    if dot and not any(other.startswith(f"{group}.") for other in options):
        return group, "null"  # the whole group is null
    return key, typed(options.get(key))


def typed(value: Any) -> str:
    """Write a value as a user types it on the command line, such as `null`, `true` or `[1,2]`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(typed, value))}]"
    return str(value)


def flatten(options: dict[str, Any], prefix: str = "") -> _Flat:
    """Turn nested options into `group.key: value`, without those that are null."""
    flat: _Flat = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif value is not None:  # `budget=null` has no `budget.value`: null and absent are the same
            flat[prefix + key] = value
    return flat


def describe(variant: dict[str, str]) -> str:
    """Join the options of a variant as a command line does."""
    return " ".join(f"{key}={value}" for key, value in variant.items())


def in_order(variant: str) -> str:
    """Return a described variant with its options in alphabetical order.

    Their order follows from which runs of a study are looked at, so variants are compared in this form.
    """
    return " ".join(sorted(variant.split(" ")))
