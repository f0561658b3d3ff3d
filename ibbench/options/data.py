"""The options of the data set, and of how it is divided. Defaults and explanations stand in `configs/data/`."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ibbench.options.checks import expecting, known_encoding, local_path, not_one_point_zero, read_json
from ibbench.options.groups import Name, Options, Seed, as_list, without_repeats
from ibbench.options.sources import WITH_SPLIT, OnlyFor, check_own_options, checked_source
from ibbench.options.words import NATS

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
    augmentation: Literal["none", "relabel", "rotate"]
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
