from typing import get_args

import pytest

from ibbench.data.molecules import Molecules
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS, model_names
from ibbench.models.registry import Model, Symmetry, get_model, register


def test_every_file_is_a_model_that_states_its_assumptions() -> None:
    assert model_names()[:4] == list(STANDARD_MODELS)
    for name in model_names():
        model = get_model(name)
        assert issubclass(model, Model)
        assert (model.__doc__ or "").startswith("Assumes ")
        assert model.symmetries <= set(get_args(Symmetry))
        assert model.reads
        assert model.reads <= set(Molecules._fields)
        assert all(model.assumptions().values())


def test_symmetries_are_named_in_one_order() -> None:
    spoken = {name: get_model(name).assumptions()["symmetries"] for name in ("mlp", "gnn", "schnet", "cnn")}
    assert spoken == {
        "mlp": "none",
        "gnn": "permutation",
        "schnet": "permutation, rotation, translation, reflection",
        "cnn": "translation along the string",
    }


def test_a_second_model_of_the_same_name_is_an_error() -> None:
    get_model("gnn")
    with pytest.raises(InputError, match="two models are called `gnn`"):

        @register("gnn")
        class _Other(Model):
            pass


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `gnn`"):
        get_model("gn")
