import pytest

from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS, model_names
from ibbench.models.registry import Model, get_model, register


def test_every_file_is_a_model_that_states_its_assumptions() -> None:
    assert model_names()[:4] == list(STANDARD_MODELS)
    for name in model_names():
        model = get_model(name)
        assert issubclass(model, Model)
        assert (model.__doc__ or "").startswith("Assumes ")
        assert model.symmetries
        assert model.connectivity
        assert model.weights


def test_a_second_model_of_the_same_name_is_an_error() -> None:
    get_model("gnn")
    with pytest.raises(ValueError, match="two models are called `gnn`"):

        @register("gnn")
        class _Other(Model):
            pass


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `gnn`"):
        get_model("gn")
