"""Curves of known laws: invented errors whose truth is given, as no real training's is."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ibbench.compare.rows import Cost, Entry, Group, Key, Section
from ibbench.compare.statistics import Sample
from ibbench.record.schema import RungEntry
from ibbench.worth.curves import Curve
from tests.compare.conftest import MakeRecord, WriteStudy, make_record, write_study

__all__ = ["make_record", "write_study"]  # their fixtures serve here too

SIZES = (250, 500, 1000, 2000, 4000, 8000, 16000)
Law = tuple[float, float, float]  # a, b, c of a N^-b + c
MakeCurves = Callable[..., list[Curve]]


def evaluate(law: Law, sizes: Sequence[int] = SIZES) -> np.ndarray:
    a, b, c = law
    return a * np.array(sizes, dtype=float) ** -b + c


def _curves(
    random: np.random.RandomState,
    *laws: Law,
    num_seeds: int = 3,
    molecules: int = 500,
    noise: float = 0.02,
    sizes: Sequence[int] = SIZES,
) -> list[Curve]:
    """Draw a curve for each law; seeds are good or bad for all models alike, and molecules hard for all alike."""
    section = Section("invented", "implicit", "s")
    hardness = random.gamma(2, 0.5, size=molecules)
    luck = 0.6 * noise * random.standard_normal((num_seeds, len(sizes)))
    curves = []
    for place, law in enumerate(laws):
        own = 0.8 * noise * random.standard_normal((num_seeds, len(sizes)))
        entries = []
        for column, size in enumerate(sizes):
            true = evaluate(law, sizes)[column] * np.exp((luck + own)[:, column])
            errors = true[:, None] * hardness * random.gamma(4, 0.25, size=(num_seeds, molecules))
            sample = Sample(tuple(range(num_seeds)), errors.mean(1), errors)
            key = Key(Group(section, "t", "eV", size), f"m{place}", "")
            entries.append(Entry(key, (), sample, Cost(100, 1000, 1.0), {}))
        curves.append(Curve(section, "t", "eV", f"m{place}", np.array(sizes, dtype=float), tuple(entries)))
    return curves


@pytest.fixture
def make_curves() -> MakeCurves:
    return _curves


@pytest.fixture
def exact() -> Callable[..., Curve]:
    """A curve of one seed and no noise."""

    def make(maes: Sequence[float], sizes: Sequence[int]) -> Curve:
        section = Section("invented", "implicit", "s")
        entries = tuple(
            Entry(
                Key(Group(section, "t", "eV", size), "m", ""),
                (),
                Sample((0,), np.array([mae]), None),
                Cost(1, 1, 1.0),
                {},
            )
            for mae, size in zip(maes, sizes, strict=True)
        )
        return Curve(section, "t", "eV", "m", np.array(sizes, dtype=float), entries)

    return make


@pytest.fixture
def ladder_study(write_study: WriteStudy, make_record: MakeRecord) -> Path:
    """Four rungs on two targets at three sizes: each needs half the labels of the one that it comes after."""
    records = []
    for place, (model, after) in enumerate([("mlp", None), ("deep_sets", "one"), ("gnn", "two"), ("gat", "two")]):
        name = ("one", "two", "three", "sideways")[place]
        rung = RungEntry(number=place + 1, name=name, adds=f"assumption {place}", after=after)
        halvings = (0, 1, 2, 2)[place]
        for size in (500, 1000, 2000, 4000):
            maes = {
                (target, seed): scale * (size * 2**halvings) ** -0.5 * (1 + 0.001 * seed)
                for target, scale in (("gap", 10.0), ("mu", 20.0))
                for seed in range(3)
            }
            records.append(make_record(model, maes, train_size=size).model_copy(update={"rung": rung}))
    return write_study("ladder", *records)
