"""What difference matters is said by who reads the table."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.rows import Cost, Entry, Group, Key, Section
from ibbench.compare.statistics import Sample
from ibbench.errors import InputError
from tests.compare.conftest import MakeRecord, WriteStudy

GROUP = Group(Section("s", "implicit", "abc"), "t", "eV", 1000)


def _verdict(ratio: float, relevance: float, noise: float = 0.0005) -> str:
    generator = np.random.default_rng(0)
    samples = [level * (1 + noise * generator.normal(size=5)) for level in (ratio, 1.0)]
    a, b = (
        Entry(Key(GROUP, name, ""), (), Sample((0, 1, 2, 3, 4), maes, None), Cost(1, 1, 1.0), {})
        for name, maes in zip("ab", samples, strict=True)
    )
    pair = compare_pairs([a, b], relevance=relevance)[a.key, b.key]
    assert pair.reversed().reversed() == pair
    assert pair.reversed().verdict.word == pair.verdict.reversed().word
    return str(pair.verdict)


def test_a_sure_difference_that_does_not_matter_is_said_to_be_none() -> None:
    assert _verdict(0.97, 0.01) == "better"
    assert _verdict(0.97, 0.05) == "better (by less than 5 %)"
    assert _verdict(1.03, 0.05) == "worse (by less than 5 %)"
    assert _verdict(1.0, 0.01) == "equal (within 1 %)"
    assert _verdict(1.0, 0.0001).startswith("not distinguishable")


def test_what_matters_changes_what_is_shown_and_not_what_is_written(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    records = [
        make_record(model, {("gap", seed): mae * (1 + noise * (seed - 1)) for seed in range(3)}, baselines=False)
        for model, mae, noise in (("gnn", 0.300, 0.0001), ("mlp", 0.306, -0.0001))
    ]
    study: Path = write_study("close", *records)
    shown = {}
    for relevance in (0.01, 0.05):
        console = Console(file=io.StringIO(), width=200)
        tabulate(study, console, "md", relevance=relevance)
        shown[relevance] = console.file.getvalue()
    assert "| worse |" in shown[0.01]
    assert "| worse (by less than 5 %) |" in shown[0.05]
    assert "equal: within 5 %" in shown[0.05]
    assert (study / "table.md").read_text() == shown[0.01]
    for impossible in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="--relevance"):
            tabulate(study, Console(quiet=True), relevance=impossible)
