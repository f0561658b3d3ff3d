"""The groups of options: their names, types and bounds. Defaults and explanations stand in `configs/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ibbench.options.checks import expecting, known_encoding, local_path, not_one_point_zero, read_json
from ibbench.options.sources import WITH_SPLIT, OnlyFor, check_own_options, checked_source
from ibbench.options.words import NATS

# The largest budget in seconds per molecule and step: hundreds of times what models of the standard budget take.
_MOST_SECONDS = 0.1


class Options(BaseModel):
    """A group of options: unknown keys are errors, values do not change once read."""

    # YAML reads `name=1` as a number; a name made of digits is a name all the same.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True)


def as_list(value: Any) -> Any:
    """Return a list or tuple as it is, and any other value as a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values as they are.

    Raises:
        PydanticCustomError: an entry is in the list twice.
    """
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "names the same entry twice")
    return values


def _rises(bounds: tuple[float, float]) -> tuple[float, float]:
    if not 0 < bounds[0] <= bounds[1]:
        raise PydanticCustomError("range", "must be two numbers above 0, the lower first")
    return bounds


def _rises_or_stays(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise PydanticCustomError("range", "must be two numbers, the lower first")
    return bounds


Fraction = Annotated[float, Field(ge=0, lt=1)]
Size = Annotated[
    PositiveInt | Annotated[float, Field(gt=0, lt=1)],
    expecting("a whole number of molecules above 0, or a fraction below 1"),
    BeforeValidator(not_one_point_zero),
]
TestSize = Annotated[
    NonNegativeInt | Annotated[float, Field(gt=0, lt=1)],
    expecting("a whole number of molecules, 0 for none, or a fraction below 1"),
    BeforeValidator(not_one_point_zero),
]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


# Splits that need an option of their own, and an example of its value.
_SPLIT_OPTIONS = (
    ("element", "held_out", "[F]"),
    ("target_tail", "split_target", "gap"),
    ("column", "split_column", "split"),
    ("file", "test_path", "data/test.csv"),
)


class DataOptions(Options):
    """The data set, and how it is divided into train, validation and test molecules."""

    source: Annotated[Name, AfterValidator(checked_source)]
    hydrogens: Literal["implicit", "explicit"]
    train_size: PositiveInt | None
    validation_size: Size
    test_size: TestSize
    split: Literal["random", "scaffold", "size", "element", "target_tail", "column", "file"]
    held_out: Annotated[tuple[Name, ...], BeforeValidator(as_list), AfterValidator(without_repeats)] | None
    split_target: Name | None
    split_seed: Seed
    graph: Annotated[
        Literal["true", "empty", "complete", "untyped", "rewired", "shuffled_features"],
        BeforeValidator(lambda value: "true" if value is True else value),  # YAML reads `true` as a boolean
    ]
    augmentation: Literal["none", "relabel"]
    features: Literal["qm9", "organic", "element"]
    label_noise: NonNegativeFloat
    labels: Annotated[
        Literal["true", "shuffled"],
        BeforeValidator(lambda value: "true" if value is True else value),  # YAML reads `true` as a boolean
    ]
    standardise: bool
    centre: bool
    path: Annotated[Annotated[str, AfterValidator(local_path)] | None, OnlyFor("csv", needed=True)] = None
    smiles_column: Annotated[Name | None, OnlyFor("csv", needed=True)] = None
    target_columns: Annotated[
        Annotated[tuple[Name, ...], BeforeValidator(as_list), AfterValidator(without_repeats)] | None,
        OnlyFor("csv", needed=True),
    ] = None
    units: Annotated[Annotated[dict[str, str], BeforeValidator(read_json)] | None, OnlyFor("csv")] = None
    transform: Annotated[
        Annotated[dict[str, Literal["none", "log"]], BeforeValidator(read_json)] | None, OnlyFor("csv")
    ] = None
    classes: Annotated[
        Annotated[tuple[Name, ...], BeforeValidator(as_list), AfterValidator(without_repeats)] | None, OnlyFor("csv")
    ] = None
    encoding: Annotated[Annotated[Name, AfterValidator(known_encoding)] | None, OnlyFor("csv")] = None
    split_column: Annotated[Name | None, OnlyFor("csv")] = None
    test_path: Annotated[Annotated[str, AfterValidator(local_path)] | None, OnlyFor("csv")] = None
    decimal: Annotated[Literal["point", "comma"], OnlyFor("csv")] = "point"
    smiles_names: Annotated[bool, OnlyFor("csv")] = False
    max_atoms: Annotated[Annotated[int, Field(ge=1, le=128)] | None, OnlyFor("csv")] = None
    strict: Annotated[bool, OnlyFor("csv")] = False
    task: Annotated[Name | None, OnlyFor("moleculeace", needed=True)] = None

    @property
    def layout(self) -> Literal["qm9", "organic"]:
        """Which features are computed, of which `features` shows all or some (see `ibbench.data.layout`)."""
        if self.features == "element":
            return "qm9" if self.source == "qm9pack" else "organic"
        return self.features

    @model_validator(mode="after")
    def _split_has_what_it_needs(self) -> Self:
        for split, option, example in _SPLIT_OPTIONS:
            if option == "split_column" and self.source in WITH_SPLIT:
                continue
            given = getattr(self, option)
            if (self.split == split) != bool(given):
                text = "data.split={split} needs data.{option}, such as {example}, and no other split takes it"
                context = {"split": split, "option": option, "example": example}
                raise PydanticCustomError("split_option", text, context)
        if not self.test_size and self.split not in {"random", "scaffold"}:
            text = (
                "data.split={split} chooses test molecules, and data.test_size=0 wants none: expected data.split=random"
            )
            raise PydanticCustomError("split_option", text, {"split": self.split})
        return self

    @model_validator(mode="after")
    def _options_fit_the_source(self) -> Self:
        check_own_options(self, self.source)
        for option, named in (("units", self.units), ("transform", self.transform)):
            unknown = sorted(set(named or {}) - set(self.target_columns or ()))
            if unknown:
                text = "data.{option} names {names}, which data.target_columns does not"
                raise PydanticCustomError("units", text, {"option": option, "names": ", ".join(unknown)})
        return self

    @model_validator(mode="after")
    def _classes_are_targets_without_unit(self) -> Self:
        unknown = [name for name in self.classes or () if name not in (self.target_columns or ())]
        if unknown:
            text = "data.classes names {names}, which data.target_columns does not"
            raise PydanticCustomError("units", text, {"names": ", ".join(unknown)})
        if named := [name for name in self.classes or () if name in (self.units or {})]:
            text = "data.units names {names}, which data.classes makes a class, and a class has no unit"
            raise PydanticCustomError("units", text, {"names": ", ".join(named)})
        if named := [name for name in self.classes or () if (self.transform or {}).get(name, "none") != "none"]:
            text = "data.transform names {names}, which data.classes makes a class, and a class has no logarithm"
            raise PydanticCustomError("units", text, {"names": ", ".join(named)})
        if taken := [name for name, unit in (self.units or {}).items() if unit == NATS]:
            text = "data.units gives {names} the unit {nats}, which tables keep for the log loss of classes"
            raise PydanticCustomError("units", text, {"names": ", ".join(taken), "nats": NATS})
        return self


class AdamOptions(Options):
    """Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019)."""

    name: Literal["adamw", "adam"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    beta1: Fraction
    beta2: Fraction


class SamOptions(Options):
    """AdamW with the gradients of sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412)."""

    name: Literal["sam"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    beta1: Fraction
    beta2: Fraction
    rho: PositiveFloat


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


AnyOptimizerOptions = Annotated[AdamOptions | SamOptions | SgdOptions | SgdMomentumOptions, Field(discriminator="name")]


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
    """How long and in which steps models are trained. The length is given as `epochs` or as `steps`, never as both."""

    epochs: PositiveInt | None
    steps: PositiveInt | None
    validate_every: PositiveInt | None
    batch_size: PositiveInt
    patience: PositiveInt | None
    clip_norm: PositiveFloat | None
    average: PositiveInt | None
    symmetry_penalty: NonNegativeFloat
    keep: Literal["best", "last"]
    compile: Literal["auto", True, False]
    replicas_per_pack: Annotated[Literal["auto"] | PositiveInt, expecting("`auto`, or a whole number greater than 0")]
    checkpoint_seconds: NonNegativeFloat

    @model_validator(mode="after")
    def _patience_waits_for_the_best(self) -> Self:
        if self.keep == "last" and self.patience is not None:
            text = "trainer.patience stops a replica after its best validation: it needs trainer.keep=best"
            raise PydanticCustomError("keep", text)
        return self

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            text = "a training is as long as trainer.epochs or trainer.steps say: give one, and null for the other"
            raise PydanticCustomError("length", text)
        return self


class BudgetOptions(Options):
    """What is held equal between models: parameters, FLOPs per molecule, or training seconds per molecule and step."""

    match: Literal["parameters", "flops", "seconds"]
    value: PositiveFloat

    @model_validator(mode="after")
    def _is_per_molecule(self) -> Self:
        if self.match == "seconds" and self.value > _MOST_SECONDS:
            text = "budget.value={value} with budget.match=seconds is for one molecule of one step: expected at most "
            text += "{most} seconds, such as 1e-4"
            raise PydanticCustomError("seconds", text, {"value": f"{self.value:.15g}", "most": str(_MOST_SECONDS)})
        return self


class RungOptions(Options):
    """The place of a config in a ladder of assumptions (`configs/model/ladder/`).

    The config differs from the rung called `after` in one assumption, which `adds` says in words.
    """

    number: Annotated[PositiveInt, Field(description="its place in the order in which rungs are shown")]
    name: Annotated[Name, Field(description="what the rung is called in tables")]
    adds: Annotated[Name, Field(description="the assumption in which it differs from the rung `after`, in words")]
    after: Annotated[Name | None, Field(description="the rung it is compared with; null for the first")] = None


Range = Annotated[tuple[float, float], AfterValidator(_rises)]


class TuningOptions(Options):
    """How each seed finds its own learning rate, weight decay and dropout: by successive halving.

    In stage k, `trials[k]` draws of these options are trained. Each stage has twice the steps of the stage before, and
    the last stage has all steps. Source: Jamieson & Talwalkar 2016, arXiv:1502.07943.
    """

    trials: Annotated[tuple[PositiveInt, ...], BeforeValidator(as_list), Field(min_length=1, max_length=8)]
    lr: Range | None = None
    weight_decay: Range | None = None
    dropout: Annotated[tuple[Fraction, Fraction], AfterValidator(_rises_or_stays)] | None = None

    @model_validator(mode="after")
    def _narrows_to_one(self) -> Self:
        if list(self.trials) != sorted(self.trials, reverse=True) or self.trials[-1] != 1:
            text = "tuning.trials must fall to 1, such as [5,2,1]: so many are trained for a quarter of the steps, "
            text += "for half, and for all"
            raise PydanticCustomError("trials", text)
        ranges = {"lr": self.lr, "weight_decay": self.weight_decay, "dropout": self.dropout}
        wrong = [f"tuning.{name}" for name, bounds in ranges.items() if (bounds is None) == (self.trials[0] > 1)]
        if wrong:
            text = "several trials are drawn from ranges, and one is not: {names} must be "
            text += "given with them" if self.trials[0] > 1 else "null with it"
            raise PydanticCustomError("trials", text, {"names": ", ".join(wrong)})
        return self
