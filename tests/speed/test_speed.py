"""Timings compare like with like, and ours stay ahead of the peer's in one run."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.loader import DataLoader

from ibbench.budget.cost import count_flops, count_parameters
from ibbench.data.dataset import DataSet
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models import STANDARD_MODELS
from ibbench.options.config import Config
from ibbench.run.plan import plan
from ibbench.speed.ceiling import ceiling_gflops, linear_shapes
from ibbench.speed.columns import COLUMNS, PHASES
from ibbench.speed.contestants import Entry, Phase
from ibbench.speed.crew import Crew, Timed
from ibbench.speed.growth import growth_exponent
from ibbench.speed.measure import compete, fastest, measure
from ibbench.speed.peers import PEERS, flatten_molecules, unpack
from ibbench.training.device import count_cores


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_the_peer_is_the_same_architecture(name: str, config: Callable[..., Config], qm9: DataSet) -> None:
    options = plan(config(f"model={name}")).resolved.model
    molecules = qm9.molecules.select(torch.arange(50, 70))
    flat = flatten_molecules(molecules.atoms, molecules.bonds)
    graphs = molecules.to_pyg()
    for graph, row in zip(graphs, flat, strict=True):
        if name == "mlp":
            graph.flat = row[None]
    peer = PEERS[name](molecules.padding, options)
    parameters = sum(parameter.numel() for parameter in peer.parameters())
    # Its attention has biases and its norms have scales, which ours need not have.
    assert parameters == pytest.approx(count_parameters(molecules.padding, options), rel=0.08)
    predictions = peer(*unpack(next(iter(DataLoader(graphs, 20)))))
    assert predictions.shape == (20,)
    assert predictions.isfinite().all()


@pytest.mark.parametrize("name", ["mlp", "deep_sets"])
def test_the_ceiling_is_measured_at_the_shapes_of_the_model(
    name: str, config: Callable[..., Config], qm9: DataSet
) -> None:
    options = plan(config(f"model={name}")).resolved.model
    shapes = linear_shapes(qm9.molecules.select(torch.arange(32)), options)
    flops = sum(2 * rows * inputs * outputs * count for (rows, inputs, outputs), count in shapes.items())
    assert flops == 32 * count_flops(QM9_PADDING["implicit"], options)  # these two models are nothing but linear layers
    assert 0.1 < ceiling_gflops(shapes) < 100_000


def test_the_growth_exponent_is_that_of_the_data() -> None:
    sizes = np.array([1e3, 1e4, 1e5])
    rows = pd.DataFrame({"value": sizes, "epoch_seconds": 0.01 * sizes**1.07})
    assert growth_exponent(rows) == pytest.approx(1.07)


@pytest.mark.slow
def test_a_timing_says_where_the_time_went(config: Callable[..., Config]) -> None:
    point = plan(config("model=mlp", "seeds=[0,1]", "data.train_size=100", "trainer.compile=false"))
    table = measure(point, repeats=3, seconds=0.05)
    assert table.columns.tolist() == list(COLUMNS)
    assert table[["replicas", "phase"]].to_numpy().tolist() == [[1, "train"], [1, "infer"], [2, "train"], [2, "infer"]]
    possible = {f"1 x {count_cores()}", f"{count_cores()} x 1"}
    assert set(table["arrangement"]) | set(table["peer_arrangement"]) <= possible
    assert np.allclose(table["ratio"], table["ours_molecules_per_second"] / table["peer_molecules_per_second"])
    for _, train in table[table["phase"] == "train"].iterrows():
        assert train[[f"{phase}_share" for phase in PHASES]].sum() == pytest.approx(1)
        assert 0 < train["fraction_of_ceiling"] < 1
    # A ratio of contestants that take turns: a machine that is slow, or busy, slows both.
    assert table[table["phase"] == "train"]["ratio"].max() > 1


def test_of_all_ways_to_run_the_peer_the_fastest_counts() -> None:
    """What the peer is compared at cannot be chosen for us."""
    plain, compiled = Entry("peer", 1, False), Entry("peer", 1, True)
    known = {
        Timed(plain, "threads"): 3.0, Timed(plain, "processes"): 5.0,
        Timed(compiled, "threads"): 4.0, Timed(compiled, "processes"): 2.0,
    }  # fmt: skip

    class Known:
        def rate(self, timed: Timed, _phase: Phase, _seconds: float) -> float:
            return known[timed]

    rates = compete(cast(Crew, Known()), [plain, compiled], "train", 3, 0.1)
    assert {timed: rate.median for timed, rate in rates.items()} == known
    assert fastest(rates, [plain, compiled]) == Timed(plain, "processes")
    assert fastest(rates, [compiled]) == Timed(compiled, "threads")
