"""How much the error rises on the straight line between the weights of two trained networks."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from ibbench.probes import Finding, Mean, PairProbe, register
from ibbench.probes.subject.pairs import Side
from ibbench.probes.subject.subject import Subject
from ibbench.record.predictions import Floats

BARRIER, RELATIVE = "barrier", "barrier over the MAE of the ends"
ENDS, HALFWAY, HIGHEST = "MAE of the ends", "MAE halfway", "highest MAE"
APART = "distance over the size of the weights"
_STEPS = 10  # equal parts of the line


@register("connectivity")
class Connectivity(PairProbe):
    """Barrier between two trained networks of one architecture, along a straight line in their weights.

    At w(t) = (1 - t) w_a + t w_b, for t from 0 to 1 in steps of a tenth, the MAE of test molecules is measured. The
    barrier is how far it is above the line between the MAEs of the ends, at most (Frankle et al. 2020,
    arXiv:1912.05671). What standardises the inputs and scales the outputs belongs to the weights here, since each seed
    has its own, so that both ends are the trained networks as they are.

    Draxler et al. 2018 (arXiv:1803.00885) and Garipov et al. 2018 (arXiv:1802.10026) found that networks with a high
    barrier between them are joined by curves on which the loss stays low. So a barrier on the straight line does not
    prove two valleys. The hidden neurons of a network may also be permuted without a change of its function: two
    networks that differ in nothing else have a barrier between them (Entezari et al. 2022, arXiv:2110.06296). Without a
    barrier both do lie in one valley.

    Two seeds have different weights at the start, and different train molecules. Two variants of a model with the same
    seed, such as two batch sizes, start from the same weights and have the same molecules, if they are equally wide: so
    a study with variants tells a barrier between starts from one between trainings. Models of different shapes have no
    line between them.
    """

    summary = (
        "how much the error rises on the straight line between two trained networks (a barrier does not prove two "
        "valleys: curves may go around it, and neurons may be permuted)"
    )
    needs = "forward"
    moments = ("trained",)
    headline = RELATIVE
    by_default = False

    def compare(self, one: Side, other: Side) -> Iterator[Finding]:
        """Measure along the line between two networks, on test molecules, in the unit of the first one's target."""
        assert one.subject is not None
        assert other.subject is not None
        a, b = one.subject(), other.subject()
        if not _same_shapes(a, b):
            return
        errors = errors_between(a, b)
        barrier, ends = barrier_of(errors), float(errors[[0, -1]].mean())
        yield Finding(BARRIER, "", barrier, one.unit)
        yield Finding(RELATIVE, "", barrier / ends if ends else 0.0)
        yield Finding(ENDS, "", ends, one.unit)
        yield Finding(HALFWAY, "", float(errors[_STEPS // 2]), one.unit)
        yield Finding(HIGHEST, "", float(errors.max()), one.unit)
        yield Finding(APART, "", _distance(a, b))

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the errors at the ends and halfway, and the barrier."""
        ends, halfway, barrier = (figures[name].text for name in (ENDS, HALFWAY, BARRIER))
        return f"{who}, {part}: the MAE is {ends} at the ends of the line and {halfway} halfway, a barrier of {barrier}"


def barrier_of(errors: Floats) -> float:
    """Return how far errors at equal steps along a line, `[K]`, rise above the line between the first and the last."""
    return float((errors - np.linspace(errors[0], errors[-1], len(errors))).max())


def errors_between(a: Subject, b: Subject) -> Floats:
    """Return the MAEs of test molecules at 11 places from the weights of `a` to those of `b`, in the target's unit."""
    index = a.test_index
    truth, molecules, left = a.truth(index)[0], a.molecules(index), a.tensors()
    errors = []
    for t in np.linspace(0, 1, _STEPS + 1):
        between = {name: _mix(tensor, b.tensors()[name], float(t)) for name, tensor in left.items()}
        normalised = a.with_tensors(between).predict(molecules)[None]
        # Values are linear in the scaling, so the mean of both values is the value of the mean scaling.
        values = (1 - t) * a.to_units(normalised, index)[0] + t * b.to_units(normalised, index)[0]
        errors.append(float(np.abs(values - truth).mean()))
    return np.array(errors)


def _mix(one: Tensor, other: Tensor, t: float) -> Tensor:
    return torch.lerp(one, other, t) if one.is_floating_point() else one


def _same_shapes(a: Subject, b: Subject) -> bool:
    """Whether the weights of two networks can be mixed, and both read the same molecules in the same way."""
    data = [one.point.config.data for one in (a, b)]
    if any(getattr(data[0], name) != getattr(data[1], name) for name in ("graph", "features", "hydrogens")):
        return False
    shapes = [{name: tensor.shape for name, tensor in subject.tensors().items()} for subject in (a, b)]
    return shapes[0] == shapes[1] and a.point.resolved.model == b.point.resolved.model


def _distance(a: Subject, b: Subject) -> float:
    """Return |w_a - w_b| over the root of |w_a| |w_b|, of all weights without their scaling of inputs."""
    one, other = (torch.cat([tensor.flatten().double() for tensor in subject.weights().values()]) for subject in (a, b))
    size = float((one.norm() * other.norm()).sqrt())
    return float((one - other).norm()) / size if size else 0.0
