"""Config: all options of one run, read from what Hydra composed, and what is said of wrong ones."""

from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from ibbench.errors import InputError, suggest
from ibbench.options.groups import (
    AnyModelOptions,
    AnyOptimizerOptions,
    AnyScheduleOptions,
    BudgetOptions,
    DataOptions,
    Name,
    Options,
    RungOptions,
    Seed,
    TrainerOptions,
    TuningOptions,
    as_list,
    without_repeats,
)


def _names_one_folder(name: str) -> str:
    if PurePath(name).name != name or name.startswith("."):
        raise PydanticCustomError("folder", "must be a plain folder name, without `/` and not starting with `.`")
    return name


class Config(Options):
    """One run: one point of a sweep, with every option given."""

    name: Annotated[Name, AfterValidator(_names_one_folder)]
    results_dir: str
    targets: Annotated[tuple[Name, ...], BeforeValidator(as_list), Field(min_length=1), AfterValidator(without_repeats)]
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(as_list), Field(min_length=1), AfterValidator(without_repeats)]
    data: DataOptions
    model: AnyModelOptions
    optimizer: AnyOptimizerOptions
    schedule: AnyScheduleOptions
    trainer: TrainerOptions
    loss: Literal["l1", "mse", "huber"]
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    precision: Literal["float32", "tf32", "bfloat16"]
    budget: BudgetOptions | None
    rung: RungOptions | None = None
    tuning: TuningOptions | None = None
    rerun: bool

    @model_validator(mode="after")
    def _width_is_solved_or_given(self) -> Self:
        if self.budget and (self.model.width or self.model.hidden):
            raise PydanticCustomError(
                "width_and_budget",
                "model.width and model.hidden are solved from budget.value: give them together with budget=null",
            )
        return self

    @property
    def num_replicas(self) -> int:
        """How many replicas the run has: one per target and seed."""
        return len(self.targets) * len(self.seeds)

    def numerics(self) -> dict[str, Any]:
        """Return the options that can change a run's numbers, as JSON types: what a run is identified by.

        A CSV is known by its content, which the run adds, not by where it lies.
        """
        options = self.model_dump(mode="json", exclude={"name", "results_dir", "device", "rung", "tuning", "rerun"})
        # Whether `trainer.compile=auto` compiles follows from the rest, which the run adds. How many replicas train
        # at once changes rounding only, as the device does.
        for name in ("checkpoint_seconds", "compile", "replicas_per_pack"):
            del options["trainer"][name]
        del options["data"]["strict"], options["data"]["path"]
        return options


def option_names(options: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """List every option with dots between its parts, such as `trainer.epochs`."""
    names: list[str] = []
    for key, field in options.model_fields.items():
        nested = [part for part in _classes_in(field.annotation) if issubclass(part, Options)]
        names.append(prefix + key)
        for part in nested:
            names += option_names(part, f"{prefix}{key}.")
    return list(dict.fromkeys(names))


def _classes_in(annotation: Any) -> list[type]:
    if isinstance(annotation, type):
        return [annotation]
    return [part for argument in getattr(annotation, "__args__", ()) for part in _classes_in(argument)]


def read_config(composed: dict[str, Any]) -> Config:
    """Validate one composed config.

    Raises:
        InputError: it names every wrong option at once, with what was expected.
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
            return f"`{key}` is not an option: {suggest(key, option_names())}"
        case "missing":
            return f"`{key}` is missing"
        case "literal_error" | "union_tag_invalid":
            if detail["type"] == "union_tag_invalid":
                key, value = f"{key}.name", value["name"]
            context = detail.get("ctx", {})
            valid = str(context.get("expected") or context.get("expected_tags")).replace(" or ", ", ")
            names = [name.strip("' ") for name in valid.split(",")]
            return f"`{key}={value}` is not possible: {suggest(str(value), names)}"
        case "string_pattern_mismatch" if key == "device":
            return f"`device={value}` is not possible: expected auto, cpu, cuda or cuda:N"
        case "source_only" | "source_needs" | "units" | "width_and_budget" | "nesterov":
            return detail["msg"]
        case _:
            shown = "null" if value is None else value
            return f"`{key}={shown}` is not possible: {detail['msg'][0].lower()}{detail['msg'][1:]}"
