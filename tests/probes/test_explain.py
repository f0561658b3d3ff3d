"""Occlusion and attention where they are known without measuring, and whether their agreement is told as it is."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from ibbench.data.layout import ATOM_FEATURES
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_smiles
from ibbench.options.config import Config
from ibbench.probes.explain.agreement import ATTENTION, OCCLUSION_OF_SEEDS, agree, rank_correlation
from ibbench.probes.explain.hearing import attend, received
from ibbench.probes.explain.look import Look
from ibbench.probes.explain.molecules import spell
from ibbench.probes.explain.occlusion import occlude, predict_hidden
from ibbench.report.explain import tell_agreement
from ibbench.run.ensemble import Column
from ibbench.run.plan import plan
from ibbench.run.predict import Predictor
from ibbench.training.loop import prepare
from ibbench.training.replicas import Replica
from ibbench.training.weights import WeightFacts, Weights

SMILES = ["CC(=O)NCCO", "CCO", "c1ccccc1", "C", "N#CC1CC1"]
TINY = ("experiment=tiny", "seeds=[0,1]", "reference=none")
Predict = Callable[..., Predictor]


@pytest.fixture
def predictor(config: Callable[..., Config]) -> Predict:
    """Return two untrained replicas that predict, by the options of their model; what weights are does not matter."""

    def make(*options: str) -> Predictor:
        point = plan(config(*TINY, *options))
        replicas = [Replica("gap", 0), Replica("gap", 1)]
        task, state = prepare(point.resolved, point.dataset, point.split, torch.device("cpu"), replicas)
        facts = WeightFacts(
            elements=task.truth.elements,
            replicas=tuple(replicas),
            units=("eV", "eV"),
            options=point.resolved.model,
            num_atoms=point.dataset.molecules.padding.num_atoms,
            hydrogens=point.config.data.hydrogens,
            graph=point.config.data.graph,
            feature_set=point.config.data.features,
            precision="float32",
        )
        return Predictor(Weights(facts, state.models.snapshot(), task.scaling), torch.device("cpu"))

    return make


def _there(values: Tensor, molecules: Molecules) -> Tensor:
    return values.masked_fill(~molecules.mask, 0.0)


def test_of_a_sum_over_atoms_the_effects_add_up(predictor: Predict) -> None:
    linear = predictor("model=deep_sets", "model.activation=identity", "model.normalisation=none")
    molecules = pack_smiles(SMILES, "implicit")
    change = occlude(linear, molecules)
    index, none = torch.arange(len(SMILES)), torch.zeros_like(molecules.mask)
    all_at_once = predict_hidden(linear, molecules, index, molecules.mask) - linear.predict(molecules)
    assert change.shape == (2, len(SMILES), molecules.mask.shape[1])
    assert torch.equal(change.isnan(), ~molecules.mask.expand(change.shape))
    assert all_at_once.abs().min() > 1e-3
    assert torch.allclose(_there(change, molecules).sum(-1), all_at_once, atol=1e-4)
    assert torch.allclose(predict_hidden(linear, molecules, index, none), linear.predict(molecules), atol=1e-6)


@pytest.mark.parametrize("features", ["qm9", "element"])
@pytest.mark.parametrize("model", ["mlp", "gat"])
def test_a_hidden_atom_has_the_mean_features_of_the_train_atoms(
    features: str, model: str, config: Callable[..., Config], predictor: Predict
) -> None:
    options = (f"model={model}", f"data.features={features}")
    point = plan(config(*TINY, *options))
    train = point.dataset.molecules.select(point.split.train_subset(1))
    mean = train.atoms[train.mask].double().mean(0)
    assert 0.5 < mean[ATOM_FEATURES.index("C")] < 0.9
    molecules = pack_smiles(SMILES[:1], "implicit")
    atoms = molecules.atoms.float()
    atoms[0, 2] = mean.float()
    blind = predictor(*options)
    expected = (blind.predict(molecules._replace(atoms=atoms)) - blind.predict(molecules))[1]
    assert abs(float(expected)) > 1e-4
    assert float(occlude(blind, molecules)[1, 0, 2]) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("model", ["deep_sets", "gnn", "gat", "graph_transformer"])
def test_atoms_in_another_order_have_the_same_effects_in_that_order(model: str, predictor: Predict) -> None:
    one = predictor(f"model={model}")
    molecules = pack_smiles(SMILES[:1], "implicit")
    order = torch.randperm(molecules.mask.shape[1])
    change = occlude(one, molecules)
    assert torch.allclose(occlude(one, molecules.relabel(order)), change[..., order], atol=1e-5)
    assert change.abs().max() > 1e-3
    benzene = occlude(one, pack_smiles(["c1ccccc1"], "implicit"))
    assert torch.allclose(benzene, benzene[..., :1].expand(benzene.shape), atol=1e-5)
    assert benzene.abs().min() > 1e-4
    assert spell("OCCNC(C)=O") == spell("CC(=O)NCCO")


@pytest.mark.parametrize("model", ["gat", "graph_transformer", "ladder/transformer", "ladder/graph_transformer_token"])
def test_attention_is_shared_out_among_the_atoms_and_a_token(model: str, predictor: Predict) -> None:
    one = predictor(f"model={model}")
    molecules = pack_smiles(SMILES, "implicit")
    weights = attend(one, molecules, 1)
    assert weights is not None
    size = molecules.mask.shape[1]
    token = weights.shape[-1] - size
    assert token == ("token" in model)
    of_atoms = weights.sum(-1)[..., :size].movedim(-1, 1)[molecules.mask]
    assert torch.allclose(of_atoms, torch.ones(()), atol=1e-5)
    shares = received(weights, molecules.mask)
    total = shares.nansum(-1)
    assert torch.equal(shares[:, 0, 0].isnan(), ~molecules.mask)
    if token:
        assert (total < 1).all()
        assert (total > 0.3).all()
    else:
        assert torch.allclose(total, torch.ones(()), atol=1e-5)
    benzene = shares[2, :, :, :6]
    assert torch.allclose(benzene, benzene[..., :1].expand(benzene.shape), atol=1e-5)
    assert attend(predictor("model=gnn"), molecules, 0) is None


def test_what_is_known_of_rank_correlations() -> None:
    rising = np.array([1.0, 2.0, 5.0, 9.0, np.nan])
    assert rank_correlation(rising, rising**3) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    assert np.isnan(rank_correlation(rising, np.ones(5)))
    assert np.isnan(rank_correlation(rising[:2], rising[:2]))
    nearly = 1 + 1e-7 * np.array([3.0, 1.0, 2.0, 0.0, 0.0])  # equal atoms, in float32
    assert np.isnan(rank_correlation(rising, nearly))


def _look(attention: np.ndarray, change: np.ndarray) -> Look:
    seeds, count, size = change.shape
    numbers = np.full((count, size), 6)
    return Look(Column("gat", "gap", "eV", seeds), tuple(range(seeds)), numbers, numbers, change, attention, None, None)


def _cases() -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    generator = np.random.default_rng(0)
    change = generator.normal(size=(5, 60, 9))
    noise = generator.normal(size=change.shape)
    yield "attention and occlusion agree:", np.abs(change) + 0.01 * noise, change, 1.0
    yield "agree in part", np.abs(change) + 0.9 * noise, change, 0.4
    yield "hardly agree", np.abs(change) + 2.5 * noise, change, 0.15
    yield "contradict", -np.abs(change) + 0.01 * noise, change, -1.0
    yield "do not agree:", noise, change, 0.0


@pytest.mark.parametrize(("words", "attention", "change", "value"), list(_cases()))
def test_agreement_and_its_failure_are_told(
    words: str, attention: np.ndarray, change: np.ndarray, value: float
) -> None:
    found = _look(attention, change)
    agreements = {one.quantity: one for one in agree(found)}
    assert agreements[ATTENTION].estimate.value == pytest.approx(value, abs=0.15)
    assert agreements[ATTENTION].num_molecules == 60
    assert agreements[OCCLUSION_OF_SEEDS].estimate.value == pytest.approx(0, abs=0.15)
    first, beside = tell_agreement(found, list(agreements.values()))
    assert words in first
    assert "5 seeds and 60 molecules" in first
    assert "the occlusion of one seed with that of another is" in beside


def test_one_molecule_of_one_seed_concludes_nothing() -> None:
    found = _look(np.arange(9.0)[None, None], np.arange(9.0)[None, None])
    (told,) = tell_agreement(found, list(agree(found)))
    assert "nothing is concluded" in told
    assert "1.00" in told
    assert "says nothing of others" in told
