"""Config: all options of one run, validated after Hydra has composed them, and the messages about wrong options."""

import functools
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from ibbench.errors import InputError, shorten, suggest
from ibbench.options.checks import expecting, read_json
from ibbench.options.data import DataOptions
from ibbench.options.defaults import LEFT_OUT
from ibbench.options.groups import (
    FOLLOWS,
    AnyOptimizerOptions,
    AnyScheduleOptions,
    BudgetOptions,
    Name,
    Options,
    RungOptions,
    Seed,
    TrainerOptions,
    TuningOptions,
    as_list,
    without_repeats,
)
from ibbench.options.model import AnyModelOptions, options_of_plugins
from ibbench.options.sources import OF_CONTENT, OF_PACKAGES
from ibbench.options.words import Tracker
from ibbench.plugins.code import Plugin
from ibbench.plugins.load import load_plugins, names_of
from ibbench.plugins.registry import plugin_of

ReferenceOption = Literal["auto", "composition", "none"]
_MOST_BYTES = 200  # limit for the name of a study's folder; file systems take 255


def _names_one_folder(name: str) -> str:
    if PurePath(name).name != name or name.startswith("."):
        raise PydanticCustomError("folder", "must be a plain folder name, without `/` and not starting with `.`")
    if not name.isprintable() or len(name.encode()) > _MOST_BYTES:
        raise PydanticCustomError("folder", "must be printable, and no longer than a folder's name can be")
    return name


def _is_spelled_out(value: Any) -> Any:
    """Refuse a name that YAML has read as a number: whether `1.1` was written as `1.10` is lost then."""
    if isinstance(value, bool | int | float):
        raise PydanticCustomError("spelling", "in a file, a name that looks like a number stands in quotes")
    return value


def _in_full(path: str) -> str:
    """Refuse `~` at the start of a path: Hydra makes a folder of that name before the options are read here."""
    if path.startswith("~"):
        raise PydanticCustomError("home", "in a file, the home folder is written ${oc.env:HOME}")
    return path


class Config(Options):
    """One run: one point of a sweep, with every option given."""

    name: Annotated[Name, BeforeValidator(_is_spelled_out), AfterValidator(_names_one_folder)]
    results_dir: Annotated[str, Field(min_length=1), BeforeValidator(_is_spelled_out), AfterValidator(_in_full)]
    targets: Annotated[tuple[Name, ...], BeforeValidator(as_list), Field(min_length=1), AfterValidator(without_repeats)]
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(as_list), Field(min_length=1), AfterValidator(without_repeats)]
    plugins: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    baselines: Annotated[tuple[Name, ...], BeforeValidator(as_list), AfterValidator(without_repeats)] = ()
    data: DataOptions
    model: AnyModelOptions
    optimizer: AnyOptimizerOptions
    schedule: AnyScheduleOptions
    trainer: TrainerOptions
    loss: Literal["l1", "mse", "huber"]
    reference: ReferenceOption
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:(\d+|all))?)$")]
    precision: Literal["float32", "tf32", "bfloat16"]
    budget: BudgetOptions | None
    rung: RungOptions | None = None
    worth_at: Annotated[PositiveInt | None, expecting("a train size, or null")] = None
    tuning: TuningOptions | None = None
    log: Annotated[tuple[Tracker, ...], BeforeValidator(as_list), AfterValidator(without_repeats)] = ()
    rerun: bool
    workers: Annotated[Literal["auto"] | PositiveInt, expecting("`auto`, or a whole number greater than 0")]

    @model_validator(mode="before")
    @classmethod
    def _with_plugins(cls, options: Any) -> Any:
        """Load the plugins first, since other options may name their models and sources, and pin them by digests."""
        named = options.get("plugins") if isinstance(options, dict) else None
        if not named:
            return options
        texts = as_list(named)
        if not all(isinstance(text, str) for text in texts):
            raise PydanticCustomError("plugins", "plugins are named by texts, such as 'plugins=[my_model.py]'")
        return {**options, "plugins": load_plugins(texts)}

    @model_validator(mode="before")
    @classmethod
    def _steps_of_this_size(cls, options: Any) -> Any:
        """Let `trainer.steps` be a dictionary from train sizes to steps: take the entry of this run's size."""
        try:
            steps, size = read_json(options["trainer"]["steps"]), options["data"]["train_size"]
        except (KeyError, TypeError):
            return options
        if not isinstance(steps, dict):
            return options
        of_size = {str(key): value for key, value in steps.items()}
        if str(size) not in of_size:
            text = "trainer.steps names no steps for data.train_size={size}: expected one of {sizes}"
            raise PydanticCustomError("steps", text, {"size": _shown(size), "sizes": ", ".join(of_size)})
        return {**options, "trainer": {**options["trainer"], "steps": of_size[str(size)]}}

    @model_validator(mode="after")
    def _width_is_solved_or_given(self) -> Self:
        if self.budget and (self.model.width or self.model.hidden):
            raise PydanticCustomError(
                "width_and_budget",
                "model.width and model.hidden are solved from budget.value: give them together with budget=null",
            )
        return self

    @model_validator(mode="after")
    def _batches_have_statistics(self) -> Self:
        if self.trainer.batch_size == 1 and self.model.normalisation == "batch":
            text = "model.normalisation=batch needs a trainer.batch_size of at least 2: one molecule has no spread"
            raise PydanticCustomError("batch_of_one", text)
        return self

    @model_validator(mode="after")
    def _stays_in_the_subspace(self) -> Self:
        if self.trainer.subspace is not None and self.optimizer.name == "sam":
            text = (
                "optimizer=sam looks for the highest loss nearby among all weights, outside of trainer.subspace: give "
            )
            text += "one of the two"
            raise PydanticCustomError("subspace", text)
        return self

    @property
    def num_replicas(self) -> int:
        """How many replicas the run has: one per target and seed."""
        return len(self.targets) * len(self.seeds)

    @property
    def passes_per_step(self) -> int:
        """How often a training step meets its batch: twice with `optimizer=sam`, and twice with a symmetry penalty."""
        return (2 if self.optimizer.name == "sam" else 1) * (2 if self.trainer.symmetry_penalty else 1)

    def used_plugins(self) -> dict[str, Plugin]:
        """Return the plugins that the run depends on, by what each of them provides.

        Returns:
            Plugins under the keys `model`, `source` and, for each baseline of a plugin, `baselines.NAME`.
        """
        of_model, of_source = plugin_of("model", self.model.name), plugin_of("source", self.data.source)
        used = {key: plugin for key, plugin in (("model", of_model), ("source", of_source)) if plugin}
        for name in names_of("baseline", self.plugins):
            if plugin := plugin_of("baseline", name):
                used[f"baselines.{name}"] = plugin
        return used

    def numerics(self) -> dict[str, Any]:
        """Return the options that can change a run's numbers, as JSON types. The name of a run is a hash of them.

        The path of a CSV is left out: the hash contains the digest of its content instead, which the run adds. Plugins
        that the run uses are in it as the digests of their files; other plugins are left out. So are baselines: a run
        that is done gets those that it lacks, without another training.
        """
        others = {
            "plugins",
            "baselines",
            "name",
            "results_dir",
            "device",
            "rung",
            "worth_at",
            "log",
            "rerun",
            "workers",
        }
        options = self.model_dump(mode="json", exclude=others)
        # The run adds to the hash whether it compiles, which `trainer.compile=auto` leaves open. How many replicas
        # train at once changes rounding only, as the device does.
        for name in ("checkpoint_seconds", "compile", "replicas_per_pack"):
            del options["trainer"][name]
        for name in OF_CONTENT:
            if name != "max_atoms" or self.data.source not in OF_PACKAGES:
                del options["data"][name]
        transformed = {name: way for name, way in (options["data"].pop("transform") or {}).items() if way != "none"}
        if transformed:
            options["data"]["transform"] = dict(sorted(transformed.items()))
        if options["data"]["split"] == "random":  # so that runs keep the names from when all splits were random
            for name in ("held_out", "split_target"):
                del options["data"][name]
        for group, known in LEFT_OUT.items():
            for name, value in known.items():
                if options[group].get(name, ...) == value:
                    del options[group][name]
        if used := self.used_plugins():
            options["plugins"] = {key: plugin.digest for key, plugin in used.items()}
        return options


# Types of our own validation errors whose message names its options, so that `_describe` adds no name.
_SAID_IN_FULL = {
    *("source_only", "source_needs", "units", "width_and_budget", "nesterov", "batch_of_one", "seconds"),
    *("length", "trials", "steps", "pooling", "split_option", "plugins", "keep", "subspace"),
}


def option_fields() -> dict[str, FieldInfo]:
    """Return the type, default and description of every option, by its dotted name, such as `trainer.epochs`."""
    known = _own_fields()
    for options in options_of_plugins():
        known = _fields_of(options, "model.") | known
    return known


@functools.cache
def _own_fields() -> dict[str, FieldInfo]:
    return _fields_of(Config, "")


def _fields_of(options: type[BaseModel], prefix: str) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = {}
    for key, field in options.model_fields.items():
        if field.json_schema_extra == FOLLOWS:
            continue
        fields[prefix + key] = field
        for part in classes_in(field.annotation):
            if issubclass(part, Options):
                fields |= {
                    name: found for name, found in _fields_of(part, f"{prefix}{key}.").items() if name not in fields
                }
    return fields


def option_names() -> list[str]:
    """List the dotted names of all options, such as `trainer.epochs`."""
    return list(option_fields())


def suggest_option(name: str) -> str:
    """Return a hint for an option that does not exist: the options with the nearest names, or where all are listed."""
    names = option_names()
    last = [option for option in names if option.rpartition(".")[2] == name.rpartition(".")[2]]
    if last:  # `epochs` for `trainer.epochs`
        return "did you mean " + " or ".join(f"`{option}`" for option in last[:3]) + "?"
    near = suggest(name, names)
    return near if near.startswith("did you mean") else "`ibbench train --help` lists them"


def classes_in(annotation: Any) -> list[type]:
    """List the classes in the type of an option, such as `str` in `tuple[str, ...] | None`."""
    if isinstance(annotation, type):
        return [annotation]
    return [part for argument in getattr(annotation, "__args__", ()) for part in classes_in(argument)]


def read_config(composed: dict[str, Any]) -> Config:
    """Validate the options of one run.

    Args:
        composed: the options that Hydra has composed, as nested dictionaries.

    Raises:
        InputError: options are wrong; the message names all of them, with what was expected.
    """
    try:
        return Config.model_validate(composed)
    except ValidationError as error:
        raise InputError("\n".join(dict.fromkeys(_describe(detail) for detail in error.errors()))) from None


def _describe(detail: ErrorDetails) -> str:
    path = [str(part) for part in detail["loc"]]
    if len(path) > 1 and path[0] in {"model", "optimizer", "schedule"}:
        del path[1]  # the tag of the union's branch, which is no part of the option's name
    # What is left besides names are positions in a list and pydantic's labels of the branches of a union.
    path = [part for part in path if part.isidentifier() and part not in {"int", "float", "constrained"}]
    key = ".".join(path)
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            if key in option_names():
                return f"`{key}` is not an option of the choice made for `{path[0]}`"
            return f"`{key}` is not an option: {suggest_option(key)}"
        case "missing":
            return f"`{key}` is missing"
        case "literal_error" | "enum" | "union_tag_invalid":
            if detail["type"] == "union_tag_invalid":
                key, value = f"{key}.name", value["name"]
            context = detail.get("ctx", {})
            valid = str(context.get("expected") or context.get("expected_tags")).replace(" or ", ", ")
            names = [name.strip("' ") for name in valid.split(",")]
            return f"`{key}={_shown(value)}` is not possible: {suggest(str(value), names)}"
        case "string_pattern_mismatch" if key == "device":
            return f"`device={_shown(value)}` is not possible: expected auto, cpu, cuda, cuda:N or cuda:all"
        case kind if kind in _SAID_IN_FULL:
            return detail["msg"]
        case _:
            return f"`{key}={_shown(value)}` is not possible: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _shown(value: Any) -> str:
    """Write a value as a user would, cut where it is long."""
    plain = value is None or isinstance(value, bool)
    text = {None: "null", True: "true", False: "false"}[value] if plain else str(value)
    return shorten(text)
