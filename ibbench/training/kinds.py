"""Which class knows the labels of a pack's replicas: one for numbers and classes of molecules, one for atoms.

A further kind of label is a subclass of `Truth` in a file of its own and a line in `_KINDS`, under a word of
`Target.output` that `ModelOptions.output` knows, too: models are built for it.
"""

from collections.abc import Mapping, Sequence

from ibbench.data.dataset import DataSet
from ibbench.data.targets import Output
from ibbench.training.atoms import AtomTruth
from ibbench.training.replicas import Replica
from ibbench.training.truth import Truth

_KINDS: Mapping[Output, type[Truth]] = {"molecule": Truth, "atoms": AtomTruth}


def truth_of(dataset: DataSet, replicas: Sequence[Replica]) -> Truth:
    """Return the true targets of replicas that train together: all of one kind, as `run.plan` makes sure.

    Args:
        dataset: the molecules and their targets.
        replicas: the R replicas.
    """
    outputs = {dataset.targets[dataset.column(target)].output for target, _ in replicas}
    assert len(outputs) == 1, f"replicas of one pack predict {' and '.join(sorted(outputs))}"
    return _KINDS[outputs.pop()](dataset, list(replicas))
