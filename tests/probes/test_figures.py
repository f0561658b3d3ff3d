"""Means over seeds and what they are of: intervals that cover, labels that vary, rates that were trained with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.probes.long_tail import INFLUENCE
from ibbench.probes.signal import EMBEDDING, READOUT, _layer_of
from ibbench.probes.subject.candidate import plan_candidates
from ibbench.probes.subject.measure import COLUMNS, average, measure


def _of_seeds(values: np.ndarray) -> pd.DataFrame:
    rows = [
        ("gap", 250, "gnn", "", seed, "trained", "long_tail", INFLUENCE, "", value, "eV", "")
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": object})


def test_the_interval_of_a_difference_holds_zero_as_often_as_it_should() -> None:
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        (row,) = average(_of_seeds(random.standard_normal(3))).to_dict("records")
        missed += not row["low"] < 0 < row["high"]
    assert 0.02 < missed / 400 < 0.09


def test_weights_of_a_branch_belong_to_its_readout() -> None:
    assert _layer_of("free_branch.readout.rho.3.weight") == READOUT
    assert _layer_of("free_branch.embed.weight") == EMBEDDING
    assert _layer_of("layers.1.linear.weight") == "layer 2"


def test_labels_that_do_not_vary_are_told(config: Callable[..., Config], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{'C' * left}O{'C' * right},1.5\n" for left in range(1, 9) for right in range(1, 9)]
    path.write_text("smiles,same\n" + "".join(rows))
    words = ["data=csv", f"data.path={path}", "data.target_columns=[same]", "targets=[same]", "model=mlp", "seeds=[0]"]
    small = ["budget=null", "model.width=4", "data.train_size=10", "data.validation_size=10", "data.test_size=10"]
    with pytest.raises(InputError, match="same is the same for all 10 train molecules that are looked at"):
        measure(plan_candidates([config(*words, *small)]), ["kernel"], ["init"], 20, lambda _: None)
