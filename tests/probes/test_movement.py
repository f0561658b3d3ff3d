"""Kernels along a training."""

from collections.abc import Callable

import numpy as np
import pytest

from ibbench.options.config import Config
from ibbench.probes.kernel import ALIGNED, FIRST, LAST, LEARNED, MOVED, SAME, TRAINED, Kernel
from ibbench.probes.subject.movement import (
    Look,
    centred_alignment,
    distance,
    errors_of_kernel,
    errors_of_network,
    follow,
)
from ibbench.probes.subject.ridge import RIDGES, with_constant
from ibbench.probes.subject.subject import Subject
from ibbench.run.plan import plan


def test_alignment_sees_neither_scale_nor_constant_and_distance_sees_scale() -> None:
    draws = np.random.default_rng(0)
    rows = draws.normal(size=(20, 3))
    kernel, labels = rows @ rows.T, rows[:, 0] - rows[:, 0].mean()
    assert centred_alignment(kernel, 7 * kernel + 3) == pytest.approx(1)
    assert distance(kernel, 1.5 * kernel) == pytest.approx(0.5)
    others = np.linalg.qr(np.column_stack([np.ones(20), labels, draws.normal(size=20)]))[0][:, 2]
    assert centred_alignment(np.outer(labels, labels), np.outer(others, others)) == pytest.approx(0, abs=1e-12)
    assert centred_alignment(np.outer(labels, labels), np.outer(labels, labels) + kernel * 0) == pytest.approx(1)
    assert np.isnan(centred_alignment(kernel, np.ones((20, 20))))


def _subject(config: Callable[..., Config], *options: str) -> Subject:
    point = plan(config("experiment=tiny", "model=deep_sets", "data.train_size=50", "trainer.epochs=4", *options))
    return Subject(point, 0, ["gap"], "along", 50)


def test_a_training_that_hardly_steps_keeps_its_kernel(config: Callable[..., Config]) -> None:
    found = {(one.quantity, one.part): one.value for one in Kernel().measure(_subject(config, "optimizer.lr=1e-9"))}
    assert found[MOVED, "after 100 % of the steps"] < 1e-3
    assert found[SAME, "after 100 % of the steps"] == pytest.approx(1, abs=1e-4)
    assert found[FIRST, ""] == pytest.approx(found[LAST, ""], rel=1e-2)
    assert found[ALIGNED, "after 0 % of the steps"] == pytest.approx(
        found[ALIGNED, "after 100 % of the steps"], rel=0.01
    )


def test_kernels_and_errors_along_a_training_are_those_of_its_weights(config: Callable[..., Config]) -> None:
    subject = _subject(config)
    looks, stages = follow(subject)
    assert [look.share for look in looks] == [0, 0.25, 0.5, 0.75, 1]
    assert np.array_equal(looks[0].kernel, Subject(subject.point, 0, ["gap"], "init", 50).kernel)
    moved = [distance(looks[0].kernel, look.kernel) for look in looks]
    assert moved[0] == 0
    assert all(one > 0.01 for one in moved[1:])
    last = looks[-1]
    assert np.allclose(last.network.kernel, last.kernel)  # its weights are kept, though the training went on
    index = subject.point.split.test[:500]
    predicted = stages[-1].models.predict([subject.molecules(index)]).double().numpy()
    errors = np.abs(subject.to_units(predicted, index) - subject.truth(index))[0]
    assert errors_of_network(last) == pytest.approx(errors, rel=1e-4, abs=1e-5)
    _assert_solves(looks[0])
    found = {one.quantity: one.value for one in Kernel().measure(subject) if not one.part}
    assert found[TRAINED] == pytest.approx(errors.mean(), rel=1e-4)
    assert found[LEARNED] == pytest.approx(100 * (1 - found[TRAINED] / found[FIRST]))


def _assert_solves(look: Look) -> None:
    """Check the regression against one that is solved without a spectrum, at the best of the same ridges."""
    network = look.network
    kernel, labels = with_constant(look.kernel), network.labels[0]
    constant = kernel[0, 0] - look.kernel[0, 0]
    train = network.gradients.double().numpy()

    def predict(ridge: float, index: object) -> np.ndarray:
        across = network.gradients_of(index).double().numpy() @ train.T + constant
        return np.asarray(across @ np.linalg.solve(kernel + ridge * np.eye(len(kernel)), labels))

    validation, test = network.point.split.validation[:500], network.point.split.test[:500]
    ridges = [ridge for ridge in RIDGES * np.linalg.eigvalsh(kernel).mean() if ridge > 0]
    best = min(
        ridges, key=lambda ridge: np.square(predict(ridge, validation) - network.normalised(validation)[0]).mean()
    )
    errors = np.abs(network.to_units(predict(best, test)[None], test) - network.truth(test))[0]
    assert errors_of_kernel(look).mean() == pytest.approx(errors.mean(), rel=1e-3)


def test_no_errors_where_the_kernel_sees_fewer_labels_than_the_training(config: Callable[..., Config]) -> None:
    subject = _subject(config)
    subject.limit = 20
    quantities = {one.quantity for one in Kernel().measure(subject)}
    assert MOVED in quantities
    assert TRAINED not in quantities
