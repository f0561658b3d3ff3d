"""Every option of ibbench: its name, type and bounds. Defaults and explanations stand in `configs/`."""

from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from ibbench.errors import InputError, suggest


class Options(BaseModel):
    """A group of options: unknown keys are errors, values do not change once read."""

    # YAML reads `name=1` as a number; a name made of digits is a name all the same.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True)


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "names the same entry twice")
    return values


def _names_one_folder(name: str) -> str:
    if PurePath(name).name != name or name.startswith("."):
        raise PydanticCustomError("folder", "must be a plain folder name, without `/` and not starting with `.`")
    return name


Fraction = Annotated[float, Field(ge=0, lt=1)]
Size = PositiveInt | Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class DataOptions(Options):
    """Which molecules, and how they are divided."""

    source: Literal["qm9pack", "csv"]
    hydrogens: Literal["implicit", "explicit"]
    train_size: PositiveInt | None
    validation_size: Size
    test_size: Size
    split_seed: Seed
    path: str | None = None
    smiles_column: Name | None = None
    target_columns: Annotated[tuple[Name, ...], BeforeValidator(_as_list)] | None = None
    units: dict[str, str] | None = None
    strict: bool = False

    @model_validator(mode="after")
    def _csv_options_belong_to_csv(self) -> Self:
        given = [key for key in ("path", "smiles_column", "target_columns", "units") if getattr(self, key) is not None]
        if self.source == "qm9pack" and (given or self.strict):
            names = ", ".join(f"data.{key}" for key in [*given, *(["strict"] if self.strict else [])])
            raise PydanticCustomError("csv_only", "{names}: only for data.source=csv", {"names": names})
        if self.source == "csv":
            missing = [key for key in ("path", "smiles_column", "target_columns") if not getattr(self, key)]
            if missing:
                names = ", ".join(f"data.{key}" for key in missing)
                raise PydanticCustomError("csv_needs", "data.source=csv also needs {names}", {"names": names})
            unknown = sorted(set(self.units or {}) - set(self.target_columns or ()))
            if unknown:
                text = "data.units names {names}, which data.target_columns does not"
                raise PydanticCustomError("csv_units", text, {"names": ", ".join(unknown)})
        return self


class ModelOptions(Options):
    """The shared recipe of all models; a model with options of its own has a subclass below."""

    name: Name
    width: PositiveInt | None
    hidden: PositiveInt | None
    depth: PositiveInt
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
    normalisation: Literal["none", "layer", "batch"]
    initialisation: Literal["default", "he", "xavier"]
    residual: bool
    dropout: Fraction

    @property
    def sizes(self) -> tuple[int, int]:
        """Width of a node's state and of the hidden layer inside a block."""
        width = self.width or 128
        return width, self.hidden or 2 * width


class GraphTransformerOptions(ModelOptions):
    """What attention needs on top of the shared recipe."""

    heads: PositiveInt
    max_hops: PositiveInt


def _options_of_model(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return "graph_transformer" if name == "graph_transformer" else "shared"


AnyModelOptions = Annotated[
    Annotated[ModelOptions, Tag("shared")] | Annotated[GraphTransformerOptions, Tag("graph_transformer")],
    Discriminator(_options_of_model),
]


class AdamOptions(Options):
    """Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019)."""

    name: Literal["adamw", "adam"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    beta1: Fraction
    beta2: Fraction


class SgdOptions(Options):
    """Stochastic gradient descent without momentum."""

    name: Literal["sgd"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat


class SgdMomentumOptions(Options):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd_momentum"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    momentum: Fraction
    nesterov: bool

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise PydanticCustomError("nesterov", "optimizer.nesterov=true needs an optimizer.momentum above 0")
        return self


AnyOptimizerOptions = Annotated[AdamOptions | SgdOptions | SgdMomentumOptions, Field(discriminator="name")]


class ConstantOptions(Options):
    """The same learning rate from the first step to the last."""

    name: Literal["constant"]


class StepOptions(Options):
    """The learning rate times `factor` after every `every` fraction of the training."""

    name: Literal["step"]
    every: Annotated[float, Field(gt=0, le=1)]
    factor: Annotated[float, Field(gt=0, le=1)]


class CosineOptions(Options):
    """Half a cosine from the learning rate down to `final` times it."""

    name: Literal["cosine"]
    final: Fraction


class WarmupCosineOptions(Options):
    """A linear rise over the `warmup` fraction of the training, then half a cosine."""

    name: Literal["warmup_cosine"]
    warmup: Fraction
    final: Fraction


AnyScheduleOptions = Annotated[
    ConstantOptions | StepOptions | CosineOptions | WarmupCosineOptions, Field(discriminator="name")
]


class TrainerOptions(Options):
    """How long and in which steps."""

    epochs: PositiveInt
    batch_size: PositiveInt
    patience: PositiveInt | None
    clip_norm: PositiveFloat | None
    compile: Literal["auto", True, False]
    replicas_per_pack: Literal["auto"] | PositiveInt
    checkpoint_seconds: NonNegativeFloat


class BudgetOptions(Options):
    """What all models get the same amount of."""

    parameters: PositiveInt


class Config(Options):
    """One run: one point of a sweep, with every option given."""

    name: Annotated[Name, AfterValidator(_names_one_folder)]
    results_dir: str
    targets: Annotated[
        tuple[Name, ...], BeforeValidator(_as_list), Field(min_length=1), AfterValidator(_without_repeats)
    ]
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_as_list), Field(min_length=1), AfterValidator(_without_repeats)]
    data: DataOptions
    model: AnyModelOptions
    optimizer: AnyOptimizerOptions
    schedule: AnyScheduleOptions
    trainer: TrainerOptions
    loss: Literal["l1", "mse", "huber"]
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    precision: Literal["float32", "tf32", "bfloat16"]
    budget: BudgetOptions | None

    @model_validator(mode="after")
    def _width_is_solved_or_given(self) -> Self:
        if self.budget and (self.model.width or self.model.hidden):
            raise PydanticCustomError(
                "width_and_budget",
                "model.width and model.hidden are solved from budget.parameters: give them together with budget=null",
            )
        return self

    def numerics(self) -> dict[str, Any]:
        """Return the options that can change a run's numbers, as JSON types: what a run is identified by.

        A CSV is known by its content, which the run adds, not by where it lies.
        """
        options = self.model_dump(mode="json", exclude={"name", "results_dir", "device"})
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
        case "csv_only" | "csv_needs" | "csv_units" | "width_and_budget" | "nesterov":
            return detail["msg"]
        case _:
            shown = "null" if value is None else value
            return f"`{key}={shown}` is not possible: {detail['msg'][0].lower()}{detail['msg'][1:]}"
