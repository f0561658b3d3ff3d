"""Warnings about rows whose figures rest on little: few test molecules, or train sets that overlap much."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ibbench.data.sources import find_num_molecules
from ibbench.record.schema import Record

FEW_MOLECULES = 100  # a test set with fewer molecules gets a warning
MOST_SHARED = 0.3  # if a seed trains on a larger share of the train pool, the row says that it holds for this pool


class Basis(NamedTuple):
    """What the figures of a row rest on.

    Attributes:
        train_size: number of molecules that each seed trains on.
        pool_size: number of molecules in the train pool, which those are drawn from; None where it is not known.
        num_test: number of test molecules; None where it is not known.
    """

    train_size: int
    pool_size: int | None = None
    num_test: int | None = None

    @property
    def shared(self) -> float | None:
        """The share of its train molecules that a seed has in common with any other, on average."""
        return self.train_size / self.pool_size if self.pool_size else None

    @property
    def is_of_pool(self) -> bool:
        """Whether seeds share so many train molecules that their variance says little about other train molecules.

        Variances over overlapping train sets are too small (Nadeau & Bengio 2003, Mach. Learn. 52, 239).
        """
        return (self.shared or 0.0) > MOST_SHARED


def read_basis(record: Record, target: str) -> Basis:
    """Return what the figures of a run on one of its targets rest on.

    Records of older versions do not hold the sizes of the split. If the size of the data set is known, they follow from
    the options.
    """
    sizes = (record.labelled or {}).get(target, record.split_sizes)
    if sizes:
        return Basis(record.train_size, sizes.train_pool, sizes.test)
    data, total = record.config["data"], find_num_molecules(record.data_source)
    held_out = [_count(data.get(name), total) for name in ("test_size", "validation_size")]
    pool = None if total is None or None in held_out else total - sum(filter(None, held_out))
    return Basis(record.train_size, pool, held_out[0])


def _count(size: float | None, total: int | None) -> int | None:
    """Return the number of molecules that an option asks for, as a number or as a share."""
    if size is None or isinstance(size, int):
        return size
    return None if total is None else round(size * total)


def cautions(bases: Iterable[Basis]) -> Iterator[str]:
    """Yield the warnings that a reader of rows with these bases needs, one sentence each."""
    bases = list(bases)
    few = sorted({basis.num_test for basis in bases if basis.num_test is not None and basis.num_test < FEW_MOLECULES})
    if few:
        yield (
            f"Only {' or '.join(map(str, few))} test molecules: below {FEW_MOLECULES}, a few odd ones can decide a "
            "verdict."
        )
    shared = {basis.train_size: basis.shared or 0.0 for basis in bases if basis.is_of_pool}
    if shared:
        sizes = ", ".join(f"{share:.0%} at {size:,}" for size, share in sorted(shared.items()))
        yield (
            f"Seeds share their train molecules ({sizes}): what is said there is said for this pool of train "
            "molecules, and not for others."
        )


_OF_BASIS = {
    "variances": (
        "the errors of each test molecule are not known on both sides, only their variance. It is counted on both as "
        "if other molecules were hard for the one than for the other, which makes intervals wide rather than narrow."
    ),
    "seeds": "test molecules are not counted, so intervals are too narrow.",
    "deviations": "test molecules are not counted, so intervals are too narrow; seeds are taken as other ones.",
}


def cautions_of_basis(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say for which models a comparison could not use the errors of single molecules, and what that means.

    Args:
        rows: basis of each comparison (see `statistics.Comparison`), and name of its model.
    """
    rows = list(rows)
    for basis, words in _OF_BASIS.items():
        models = dict.fromkeys(model for of_row, model in rows if of_row == basis)
        if models:
            yield f"{', '.join(models)}: {words}"
