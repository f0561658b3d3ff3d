"""What models cannot tell apart, against figures known of QM9 and another implementation of the refinement."""

from collections import defaultdict
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
import torch

from ibbench.data.colours import refine
from ibbench.data.dataset import DataSet
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_smiles
from ibbench.models.registry import build_model, get_model
from ibbench.options.config import Config
from ibbench.probes.subject.classes import ATOMS, WHOLE, classes_of, divide_by_composition, floor_of

# Different molecules that four rounds of colour refinement cannot tell apart.
TWINS = [("C1OC11C2CCC1CC2", "C1CC1C1(CO1)C1CC1"), ("N1C2C1C1OC2C2NC12", "N1C2C3NC4C1C2OC34")]


@pytest.fixture(scope="module")
def gap(qm9: DataSet) -> np.ndarray:
    return qm9.values[:, qm9.column("gap")].numpy()


def test_floors_of_the_gap_are_those_known(qm9: DataSet, gap: np.ndarray, config: Callable[..., Config]) -> None:
    composition = np.unique(qm9.composition()[0].numpy(), axis=0, return_inverse=True)[1].ravel()
    of_composition = floor_of(composition, gap)
    assert of_composition.num_classes == 616
    assert of_composition.mae == pytest.approx(0.779, abs=5e-4)
    gnn = config("model=gnn")
    classes = classes_of(qm9, gnn.data, gnn.model)
    floors = {part: floor_of(keys, gap).mae for part, keys in classes.items()}
    assert list(classes) == [ATOMS, "1 layer", "2 layers", "3 layers", WHOLE]
    assert floors[ATOMS] == pytest.approx(0.240, abs=5e-4)
    assert floors["1 layer"] == pytest.approx(0.025, abs=5e-4)
    assert floors[WHOLE] == pytest.approx(0.001, abs=5e-4)
    untyped = config("model=gnn", "data.graph=untyped")
    assert floor_of(classes_of(qm9, untyped.data, untyped.model)[WHOLE], gap).mae > floors[WHOLE]
    sets = config("model=deep_sets")
    assert list(classes_of(qm9, sets.data, sets.model)) == [WHOLE]
    assert floor_of(classes_of(qm9, sets.data, sets.model)[WHOLE], gap).mae == floors[ATOMS]
    for model in ("mlp", "cnn", "schnet"):  # an order, a string, coordinates
        options = config(f"model={model}")
        assert floor_of(classes_of(qm9, options.data, options.model)[WHOLE], gap) == (0, 0, len(qm9), 0)


def test_what_composition_tells_beside_the_network_counts_as_seen(
    qm9: DataSet, gap: np.ndarray, config: Callable[..., Config]
) -> None:
    hidden = config("model=deep_sets", "data.features=element")
    seen = classes_of(qm9, hidden.data, hidden.model)[WHOLE]
    alone, together = floor_of(seen, gap).mae, floor_of(divide_by_composition(seen, qm9), gap).mae
    assert alone == pytest.approx(0.950, abs=5e-4)  # without the numbers of hydrogens
    assert together == pytest.approx(0.779, abs=5e-4)  # with them it is the floor of composition
    whole = config("model=deep_sets")
    seen = classes_of(qm9, whole.data, whole.model)[WHOLE]
    assert floor_of(divide_by_composition(seen, qm9), gap) == floor_of(seen, gap)  # it tells nothing new


def test_a_floor_is_the_deviation_from_the_median_of_a_class() -> None:
    found = floor_of(np.array([0, 0, 1, 1, 1, 2]), np.array([1.0, 3.0, 0.0, 1.0, 5.0, 9.0]))
    assert found.mae == pytest.approx((1 + 1 + 1 + 0 + 4 + 0) / 6)
    assert found.new == pytest.approx((2 + 2 + 1.5 + 0 + 6 + 0) / 6)
    assert (found.num_classes, found.shared) == (3, pytest.approx(5 / 6))


def _partition(keys: list) -> set[tuple[int, ...]]:
    groups = defaultdict(list)
    for place, key in enumerate(keys):
        groups[key].append(place)
    return {tuple(group) for group in groups.values()}


def _hash(molecules: Molecules, rounds: int) -> str:
    """Return the hash of one molecule that networkx computes."""
    atoms, bonds, mask, *_ = (tensor[0] for tensor in molecules)
    graph = nx.Graph()
    for place in mask.nonzero().flatten().tolist():
        graph.add_node(place, kind=str(atoms[place].tolist()))
    for start, end in bonds.triu().nonzero().tolist():
        graph.add_edge(start, end, kind=str(int(bonds[start, end])))
    return nx.weisfeiler_lehman_graph_hash(graph, edge_attr="kind", node_attr="kind", iterations=rounds)


@pytest.mark.filterwarnings("ignore::UserWarning:networkx")
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_refinement_divides_molecules_as_that_of_networkx(qm9: DataSet, rounds: int) -> None:
    keys = refine(qm9.molecules.atoms.numpy()[:20_000], qm9.molecules.bonds.numpy()[:20_000],
                  qm9.molecules.mask.numpy()[:20_000], rounds)  # fmt: skip
    _, place, count = np.unique(keys[1], return_inverse=True, return_counts=True)
    alike = np.flatnonzero(count[place] > 1)[:300]  # after one round: what the next rounds have to divide
    hashes = [_hash(qm9.molecules.select(torch.tensor([index])), rounds) for index in alike.tolist()]
    assert _partition(keys[rounds][alike].tolist()) == _partition(hashes)


@pytest.mark.parametrize("twins", TWINS)
def test_a_gnn_predicts_one_value_for_molecules_of_a_class_and_hops_tell_them_apart(
    twins: tuple[str, str], config: Callable[..., Config]
) -> None:
    molecules = pack_smiles(list(twins), "implicit")
    molecules = molecules._replace(atoms=molecules.atoms.float())
    for name, tells in (("gnn", False), ("gat", False), ("graph_transformer", True)):
        options = config(f"model={name}").model
        model = build_model(molecules.padding, options)
        if name == "graph_transformer":
            torch.nn.init.normal_(model.hop_bias)
        with torch.no_grad():
            first, second = model.eval()(molecules).double()
        assert (abs(first - second) > 1e-4) == tells


@pytest.mark.parametrize("twins", TWINS)
def test_classes_divide_twins_where_hops_are_seen_and_only_there(
    twins: tuple[str, str], config: Callable[..., Config]
) -> None:
    molecules = pack_smiles(list(twins), "implicit")
    for name, tells in (("gnn", False), ("gat", False), ("graph_transformer", True)):
        pairs = get_model(name).tell_pairs(molecules, config(f"model={name}").model)
        assert torch.equal(pairs, pairs.mT)
        assert not pairs[~molecules.mask].any()
        first, second = refine(molecules.atoms.numpy(), pairs.numpy(), molecules.mask.numpy(), 4)[-1]
        assert (first != second) == tells
