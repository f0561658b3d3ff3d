"""How states become a prediction: what pooling can count, and what hides the features of atoms."""

from collections.abc import Callable

import pytest
import torch

from ibbench.data.graphs import hide_features
from ibbench.data.layout import ATOM_FEATURES, ELEMENTS
from ibbench.data.molecules import Molecules
from ibbench.errors import InputError
from ibbench.models.registry import Model
from ibbench.options.config import Config
from ibbench.run.plan import plan

Build = Callable[..., Model]


def _doubled(molecules: Molecules) -> Molecules:
    """Two copies of each molecule side by side, which do not touch, as one molecule of twice the atoms."""
    atoms, mask = (torch.cat([part, part], dim=1) for part in (molecules.atoms, molecules.mask))
    bonds = torch.stack([torch.block_diag(one, one) for one in molecules.bonds])
    positions = torch.cat([molecules.positions, molecules.positions + 1000], dim=1)
    return molecules._replace(atoms=atoms, bonds=bonds, mask=mask, positions=positions)


@pytest.mark.parametrize("name", ["deep_sets", "gnn", "gat"])
@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
def test_only_the_sum_can_count(name: str, pooling: str, build: Build, molecules: Molecules) -> None:
    model = build(name, f"model.pooling={pooling}")
    change = (model(_doubled(molecules)) - model(molecules)).abs().max().item()
    assert change > 0.01 if pooling == "sum" else change < 1e-9


@pytest.mark.parametrize(("weighting", "counts"), [("softmax", False), ("sigmoid", True)])
def test_attention_counts_only_where_its_weights_need_not_add_up_to_one(
    weighting: str, counts: bool, build: Build, molecules: Molecules
) -> None:
    model = build("ladder/transformer", f"model.weighting={weighting}", "model.pooling=mean")
    change = (model(_doubled(molecules)) - model(molecules)).abs().max().item()
    assert change > 0.01 if counts else change < 1e-9


def test_a_token_is_read_out_and_the_atoms_are_not(build: Build, molecules: Molecules) -> None:
    model = build("ladder/graph_transformer_token")
    states, mask = model.states(molecules), model.mask_of(molecules)
    assert mask is not None
    assert states.shape[1] == mask.shape[1] == 10
    assert (mask.sum(1) == 1).all()
    elsewhere = torch.where(mask[..., None], states, torch.randn_like(states))
    assert torch.equal(model.readout(elsewhere, mask), model.readout(states, mask))


def test_element_alone_hides_what_was_read_from_the_bonds(molecules: Molecules) -> None:
    shown = hide_features(molecules, "element").atoms
    for column, name in enumerate(ATOM_FEATURES):
        of_element = name in ELEMENTS or name == "atomic_number"
        assert torch.equal(shown[..., column], molecules.atoms[..., column]) == of_element
        assert of_element or not shown[..., column].any()
    assert hide_features(molecules, "qm9") is molecules


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=mlp", "model.pooling=mean"), "`model.pooling=mean` changes nothing for `model=mlp`"),
        (("model=cnn", "data.features=element"), "`data.features=element` alters atoms, which `model=cnn` does not"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    overrides: tuple[str, ...], message: str, config: Callable[..., Config]
) -> None:
    with pytest.raises(InputError, match=message):
        plan(config(*overrides))


def test_a_token_and_another_pooling_are_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=r"expected model\.pooling=sum"):
        config("model=ladder/graph_transformer_token", "model.pooling=mean")
