"""Coherence and hardness, where they are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ibbench.options.config import Config
from ibbench.probes.coherence import COHERENCE, EL2N, GRAND, HARD, WHOLE, Coherence, m_coherence, slopes_of_loss
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


def _coherence(gradients: torch.Tensor, slopes: torch.Tensor) -> float:
    return m_coherence(gradients, gradients.square().sum(1).double(), slopes.double())


def test_orthogonal_gradients_have_a_coherence_of_one_and_equal_ones_of_their_number() -> None:
    one = torch.ones(8)
    assert _coherence(3 * torch.eye(8), one) == pytest.approx(1)
    assert _coherence(torch.randn(20).repeat(8, 1), one) == pytest.approx(8)
    opposite = torch.tensor([1.0, -1.0] * 4)
    assert _coherence(torch.randn(20).repeat(8, 1), opposite) == pytest.approx(0, abs=1e-10)
    assert _coherence(torch.zeros(8, 2), one) == 0
    halves = torch.eye(2).repeat_interleave(4, 0)  # two groups of four that agree
    assert _coherence(halves, one) == pytest.approx(4)


def test_slopes_are_those_of_the_loss_that_is_trained_with() -> None:
    predictions, labels = torch.tensor([1.0, -3.0, 0.2]), torch.zeros(3)
    assert slopes_of_loss(predictions, labels, "l1").tolist() == [1, -1, 1]
    assert slopes_of_loss(predictions, labels, "mse").tolist() == pytest.approx([2, -6, 0.4])
    assert slopes_of_loss(predictions, labels, "huber").tolist() == pytest.approx([1, -1, 0.2])


def test_scores_of_a_model_are_those_of_its_loss(config: Callable[..., Config]) -> None:
    subject = Subject(plan(config("experiment=tiny", "model=gnn", "loss=mse")), 0, ["gap"], "init", 40)
    found = {(finding.quantity, finding.part): finding.value for finding in Coherence().measure(subject)}
    model, index = subject.module(), subject.train_index
    labels = torch.from_numpy(subject.labels[0]).float()
    norms, total = [], torch.zeros(())
    for row in range(len(index)):
        model.zero_grad()
        (model(subject.inputs(index[row : row + 1]))[0] - labels[row]).square().backward()
        flat = torch.cat([torch.zeros(each.numel()) if each.grad is None else each.grad.flatten().clone()
                          for each in model.parameters()])  # fmt: skip
        norms.append(float(flat.norm()))
        total = total + flat
    assert found[GRAND, WHOLE] == pytest.approx(np.mean(norms), rel=1e-3)
    assert found[COHERENCE, WHOLE] == pytest.approx(float(total.square().sum()) / np.square(norms).sum(), rel=1e-3)
    hard = {part: value for (quantity, part), value in found.items() if quantity == HARD}
    assert len(hard) == 10
    assert min(hard.values()) > found[EL2N, WHOLE]
    assert set(hard) <= {subject.point.dataset.smiles[place] for place in index.tolist()}
    assert (COHERENCE, "layer 4") in found
