"""The groups of options: their names, types and bounds. Defaults and explanations stand in `configs/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ibbench.options.checks import expecting

# The largest budget in seconds per molecule and step: hundreds of times what models of the standard budget take.
_MOST_SECONDS = 0.1
# Marks an option that follows from others, so that no user sets it and no page tells of it.
FOLLOWS: dict[str, JsonValue] = {"follows": True}


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
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


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
    subspace: PositiveInt | None
    keep: Literal["best", "last"]
    compile: Literal["auto", True, False, "graphs"]
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
