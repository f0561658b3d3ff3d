"""The straight line between two networks: no barrier to itself, and one to the same function in other weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ibbench.options.config import Config
from ibbench.probes.connectivity import APART, BARRIER, ENDS, Connectivity, barrier_of, errors_between
from ibbench.probes.subject.pairs import Side
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan
from tests.forked import run_command


def _side(subject: Subject) -> Side:
    return Side(np.zeros(1), np.zeros(1), None, "eV", lambda: subject)


def _figures(one: Subject, other: Subject) -> dict[str, float]:
    return {finding.quantity: finding.value for finding in Connectivity().compare(_side(one), _side(other))}


def test_a_barrier_is_what_rises_above_the_line_between_the_ends() -> None:
    assert barrier_of(np.array([1.0, 2.0, 3.0])) == 0
    assert barrier_of(np.array([1.0, 4.0, 3.0])) == pytest.approx(2)
    assert barrier_of(np.array([1.0, 0.0, 3.0])) == 0  # a valley between them is no barrier


def test_there_is_no_barrier_to_itself_and_one_to_its_permuted_twin(config: Callable[..., Config]) -> None:
    point = plan(config("experiment=tiny", "model=mlp"))
    subject = Subject(point, 0, ["gap"], "init", 60)
    tensors = {name: tensor.clone() for name, tensor in subject.tensors().items()}
    first = next(name for name in tensors if name.endswith("embed.weight"))
    width = tensors[first].shape[1]
    itself = _figures(subject, subject)
    assert (itself[BARRIER], itself[APART]) == (0, 0)
    # The states of all layers are permuted alike: what reads them and what writes them. What is 1 wide is no state.
    order = torch.randperm(width, generator=torch.Generator().manual_seed(0))
    permuted = {
        name: _permute(tensor, order) if name in subject.weights() else tensor for name, tensor in tensors.items()
    }
    twin = subject.with_tensors(permuted)
    errors = errors_between(subject, twin)
    assert errors[0] == pytest.approx(errors[-1], rel=1e-4)
    found = _figures(subject, twin)
    assert found[APART] > 0.1
    assert abs(errors[5] - errors[0]) > 1e-3 * errors[0]
    assert found[ENDS] == pytest.approx(errors[0], rel=1e-4)


def _permute(tensor: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Permute each dimension of a weight `[1, ...]` that is as long as a state."""
    for dim in range(1, tensor.dim()):
        if tensor.shape[dim] == len(order):
            tensor = tensor.index_select(dim, order)
    return tensor


def test_networks_of_other_shapes_have_no_line_between_them(config: Callable[..., Config]) -> None:
    one, other = (
        Subject(plan(config("experiment=tiny", f"model={name}")), 0, ["gap"], "init", 40)
        for name in ("mlp", "deep_sets")
    )
    assert _figures(one, other) == {}


@pytest.mark.slow
def test_the_command_compares_seeds_and_variants(cache: Path, tmp_path: Path) -> None:  # noqa: ARG001
    train = ["train", "experiment=tiny", "name=t", "model=mlp", "trainer.batch_size=16,32", "seeds=[0,1]"]
    assert run_command([*train, "trainer.compile=false"], tmp_path).returncode == 0
    run = run_command(["probe", "results/t", "--probe", "connectivity", "--molecules", "100"], tmp_path)
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results/t/probes.csv")
    parts = set(table["part"])
    assert "with itself, another seed" in parts
    assert any("batch_size" in part for part in parts)
    (tmp_path / "results/t/probe_connectivity.png").stat()
    apart = table[table["quantity"] == APART].groupby("part")["value"].mean()
    assert apart["with itself, another seed"] > 1.2 * apart.drop("with itself, another seed").max()
