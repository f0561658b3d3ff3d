"""The options of models: the recipe that all models share, and the further options of some."""

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
from ibbench.options.groups import FOLLOWS, Fraction, Name, Options
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
    initialisation: Literal["default", "he", "xavier", "small", "large"]
    residual: bool
    dropout: Fraction
    pooling: Literal["sum", "mean", "max"]
    final_norm: bool
    # What a model predicts a value for. It follows from the targets of a run: no user sets it.
    output: Literal["molecule", "atoms"] = Field(default="molecule", json_schema_extra=FOLLOWS)

    @property
    def sizes(self) -> tuple[int, int]:
        """Width of a node's state, and width of the hidden layer inside a block, in numbers."""
        width = self.width or 128
        return width, self.hidden or 2 * width


_OptionsClass = TypeVar("_OptionsClass", bound=type[ModelOptions])
_PLUGIN = "a plugin"  # the tag of the branch that reads the options of all models of plugins that have their own
_OPTIONS_OF_PLUGIN: dict[str, type[ModelOptions]] = {}
_OPTIONS_OF_MODEL: dict[str, type[ModelOptions]] = {"shared": ModelOptions}  # `shared`: models without a class below


def _options_of(model: str) -> Callable[[_OptionsClass], _OptionsClass]:
    """Return a decorator that registers a class as the options of the model called `model`."""

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
    """Attention between neighbours: the number of heads, and how scores become weights."""

    heads: PositiveInt
    weighting: Literal["softmax", "sigmoid"]


@_options_of("graph_transformer")
class GraphTransformerOptions(AttentionOptions):
    """Attention with a structural bias."""

    max_hops: PositiveInt | None
    degrees: bool
    random_walk: Annotated[int, Field(ge=2)] | None
    token: bool

    @model_validator(mode="after")
    def _one_readout(self) -> Self:
        if self.token and self.pooling != "sum":
            raise PydanticCustomError("pooling", "model.token=true reads one token: expected model.pooling=sum with it")
        return self


@_options_of("painn")
@_options_of("schnet")
class SchNetOptions(ModelOptions):
    """Filters over the distances between atoms, up to a cutoff in angstrom."""

    num_radial: Annotated[int, Field(ge=2)]
    cutoff: PositiveFloat


@_options_of("residual_pathway")
class ResidualPathwayOptions(ModelOptions):
    """Deep Sets with a free branch beside it."""

    free: PositiveFloat


@_options_of("autoencoder")
@_options_of("set_autoencoder")
class AutoencoderOptions(ModelOptions):
    """An encoder and a decoder: how many numbers pass between them, and how much of the input is hidden in training."""

    latent: PositiveInt
    corruption: Fraction


@_options_of("cnn")
class CnnOptions(ModelOptions):
    """Convolution over the tokens of a SMILES."""

    kernel_size: Annotated[PositiveInt, AfterValidator(_is_odd)]


def _tag_of(value: Any) -> str:
    """Return the tag of the branch of `AnyModelOptions` that a dictionary, or an object, of options belongs to."""
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
    """Register the class that has the options of a plugin's model.

    Args:
        model: the name of the model.
        options: the class.

    Raises:
        InputError: the class is no subclass of `ModelOptions`, or one of its own options has no default value.
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
    """Return the default values of a plugin's model as JSON types; options without one have the recipe's value."""
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
