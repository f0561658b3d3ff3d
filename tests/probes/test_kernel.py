"""Gradients and kernels of real models."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch

from ibbench.models import model_names
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.probes import BITS, Need, get_probe, probe_names
from ibbench.probes.subject.candidate import plan_candidates
from ibbench.probes.subject.measure import average, measure
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan

TINY = ("experiment=tiny", "seeds=[0]")


@pytest.mark.parametrize("name", model_names())
def test_gradients_are_those_of_each_molecule_by_itself(name: str, config: Callable[..., Config]) -> None:
    target = get_model(name).reconstructs or "gap"
    subject = Subject(plan(config(*TINY, f"model={name}", f"targets=[{target}]")), 0, [target], "init", 10)
    runner, parameters, buffers = subject._network
    wanted = {key: tensor.clone().requires_grad_() for key, tensor in parameters.items()}
    molecules = subject.molecules(subject.train_index)
    for row in (0, 9):
        one = molecules.select(torch.tensor([row]))
        output = runner.run(wanted, buffers, one).squeeze()
        found = torch.autograd.grad(output, list(wanted.values()), allow_unused=True, materialize_grads=True)
        flat = torch.cat([gradient.flatten() for gradient in found])
        assert torch.allclose(subject.gradients[row], flat, rtol=1e-3, atol=1e-5 * float(flat.abs().max()))
    gradients = subject.gradients.double().numpy()
    assert np.allclose(subject.kernel, gradients @ gradients.T, rtol=1e-12)
    assert subject.kernel.dtype == np.float64


def test_untrained_weights_are_those_that_training_starts_from(config: Callable[..., Config]) -> None:
    point = plan(config(*TINY, "model=gnn", "targets=[gap,mu]"))
    both, one = (Subject(point, 0, targets, "init", 10) for targets in (["gap", "mu"], ["mu"]))
    assert torch.equal(both.predictions, one.predictions)
    assert np.array_equal(both.labels[1], one.labels[0])
    assert not torch.equal(both.predictions, Subject(point, 1, ["gap"], "init", 10).predictions)
    index = both.train_index
    assert np.allclose(both.to_units(both.labels, index), both.truth(index), rtol=1e-5)


def test_kernels_rank_models_and_see_only_gradients_of_what_starts_at_zero(config: Callable[..., Config]) -> None:
    rungs = ["mlp", "transformer", "graph_transformer"]
    configs = [config(*TINY, f"model=ladder/{rung}", "data.train_size=60") for rung in rungs]
    measured = measure(plan_candidates(configs), ["symmetry", "kernel"], ["init"], 60, lambda _: None)
    assert measured.alike == [["transformer", "graph_transformer"]]
    means = average(measured.table).set_index(["model", "variant", "quantity", "part"])["mean"]
    bits = means.xs(("evidence", ""), level=("quantity", "part"))
    shuffled = means.xs(("evidence", "shuffled labels"), level=("quantity", "part"))
    assert (bits.to_numpy() < shuffled.to_numpy()).all()
    assert bits["graph_transformer"].nunique() == 2  # their functions are equal, their gradients are not
    declared = means.xs(("declared", "permutation"), level=("quantity", "part"))
    shares = means.xs(("variance over the group / over molecules", "permutation"), level=("quantity", "part"))
    assert declared.tolist() == [0, 1, 1]
    assert shares.iloc[0] > 0.1
    assert (shares.iloc[1:] < 1e-10).all()


def test_relabelled_training_makes_the_kernel_forget_the_order(config: Callable[..., Config]) -> None:
    """Gradients that are averaged over orders of atoms vary less than those of one order."""
    kernels = {}
    for rung in ("mlp", "mlp_relabelled"):
        kernels[rung] = Subject(plan(config(*TINY, f"model=ladder/{rung}")), 0, ["gap"], "init", 20).kernel
    diagonals = {rung: np.diag(kernel).mean() for rung, kernel in kernels.items()}
    assert diagonals["mlp_relabelled"] < diagonals["mlp"]


def test_every_probe_says_what_it_measures_and_bits_are_not_kept_above_zero(config: Callable[..., Config]) -> None:
    for name in probe_names():
        probe = get_probe(name)
        assert probe.summary
        assert probe.needs in get_args(Need)
    point = config(*TINY, "model=mlp", "seeds=[0,1]", "data.train_size=20")
    means = average(measure(plan_candidates([point]), ["kernel"], ["init"], 20, lambda _: None).table)
    errors = means[means["unit"] != BITS]
    assert (errors["low"] > 0).all()
    assert (means["low"] < means["mean"]).all()
    assert (means["high"] > means["mean"]).all()
