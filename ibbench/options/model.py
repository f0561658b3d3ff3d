"""The options of models: the recipe that all share, and what some need on top of it."""

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    Tag,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_jsonable_python

from ibbench.errors import InputError
from ibbench.options.defaults import config_folder
from ibbench.options.groups import Fraction, Name, Options
from ibbench.plugins.load import load_installed
from ibbench.plugins.registry import entered_names


def _is_odd(size: int) -> int:
    if size % 2 == 0:
        raise PydanticCustomError("odd", "must be odd, so that a token has as many neighbours on either side")
    return size


class ModelOptions(Options):
    """The shared recipe of all models. A model with options of its own has a subclass, registered under its name."""

    name: Name
    width: PositiveInt | None
    hidden: PositiveInt | None
    depth: PositiveInt
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "identity"]
    normalisation: Literal["none", "layer", "batch"]
    initialisation: Literal["default", "he", "xavier"]
    residual: bool
    dropout: Fraction
    pooling: Literal["sum", "mean", "max"]
    final_norm: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """Width of a node's state and of the hidden layer inside a block."""
        width = self.width or 128
        return width, self.hidden or 2 * width


_OptionsClass = TypeVar("_OptionsClass", bound=type[ModelOptions])
_PLUGIN = "a plugin"  # the tag of the branch that reads the options of all models of plugins that have their own
_OPTIONS_OF_PLUGIN: dict[str, type[ModelOptions]] = {}
_OPTIONS_OF_MODEL: dict[str, type[ModelOptions]] = {"shared": ModelOptions}  # of all models that are not named below


def _options_of(model: str) -> Callable[[_OptionsClass], _OptionsClass]:
    """Say that a class has the options of the model called `model`."""

    def add(options: _OptionsClass) -> _OptionsClass:
        _OPTIONS_OF_MODEL[model] = options
        return options

    return add


@_options_of("gnn")
class GnnOptions(ModelOptions):
    """Message passing, with or without the lengths of the bonds."""

    num_radial: Annotated[int, Field(ge=2)] | None


@_options_of("gat")
class AttentionOptions(ModelOptions):
    """What attention needs on top of the shared recipe."""

    heads: PositiveInt
    weighting: Literal["softmax", "sigmoid"]


@_options_of("graph_transformer")
class GraphTransformerOptions(AttentionOptions):
    """Attention with a structural bias."""

    max_hops: PositiveInt | None
    degrees: bool
    token: bool

    @model_validator(mode="after")
    def _one_readout(self) -> Self:
        if self.token and self.pooling != "sum":
            raise PydanticCustomError("pooling", "model.token=true reads one token: expected model.pooling=sum with it")
        return self


@_options_of("painn")
@_options_of("schnet")
class SchNetOptions(ModelOptions):
    """Filters over the distances between all atoms."""

    num_radial: Annotated[int, Field(ge=2)]
    cutoff: PositiveFloat


@_options_of("cnn")
class CnnOptions(ModelOptions):
    """Convolution over a string."""

    kernel_size: Annotated[PositiveInt, AfterValidator(_is_odd)]


def _tag_of(value: Any) -> str:
    """Return which branch of `AnyModelOptions` reads these options, or made them."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    if not isinstance(name, str):
        return "shared"
    if name in _OPTIONS_OF_MODEL:
        return name
    if not (config_folder() / "model" / f"{name}.yaml").is_file():
        load_installed("model", name)
    return _PLUGIN if name in _OPTIONS_OF_PLUGIN else "shared"


def _read_of_plugin(value: Any, _handler: object) -> ModelOptions:
    return value if isinstance(value, ModelOptions) else _OPTIONS_OF_PLUGIN[value["name"]].model_validate(value)


def set_options(model: str, options: type[ModelOptions]) -> None:
    """Say which class has the options of the model of a plugin.

    Raises:
        InputError: it does not extend those that all models share, or has an option without a value.
    """
    if not issubclass(options, ModelOptions):
        raise InputError(f"the options of the model `{model}` are no subclass of ibbench.options.model.ModelOptions")
    own = {key: field for key, field in options.model_fields.items() if key not in ModelOptions.model_fields}
    lacking = [key for key, field in own.items() if field.is_required()]
    if lacking:
        raise InputError(f"{options.__name__} needs default values for its own options: {', '.join(lacking)}")
    _OPTIONS_OF_PLUGIN[model] = options


def options_of_plugins() -> list[type[ModelOptions]]:
    """Return the classes of options that plugins have registered."""
    return [options for name, options in _OPTIONS_OF_PLUGIN.items() if name in entered_names("model")]


def defaults_of(model: str) -> dict[str, Any]:
    """Return the values that the model of a plugin gives its options, as JSON types; others are the recipe's."""
    fields = _OPTIONS_OF_PLUGIN[model].model_fields if model in _OPTIONS_OF_PLUGIN else {}
    return {
        key: to_jsonable_python(field.get_default(call_default_factory=True, validated_data={}))
        for key, field in fields.items()
        if not field.is_required()
    }


if TYPE_CHECKING:
    AnyModelOptions = ModelOptions
else:
    _branches = (Annotated[options, Tag(tag)] for tag, options in _OPTIONS_OF_MODEL.items())
    _of_plugin = Annotated[SerializeAsAny[ModelOptions], WrapValidator(_read_of_plugin), Tag(_PLUGIN)]
    AnyModelOptions = Annotated[functools.reduce(operator.or_, _branches) | _of_plugin, Discriminator(_tag_of)]
