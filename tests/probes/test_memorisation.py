"""Memorisation: a known score is found, membership by chance has none, and labels by heart have a high one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.probes.long_tail import INFLUENCE, SHARE
from ibbench.probes.memorisation import CONTROL, IN, MEMORISED, OUT, SCORE, _Pool, left_out, scores
from tests.forked import run_command


def _errors(by_heart: np.ndarray, num_seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Invent errors of 1 and some chance, to which a molecule adds its own score where a seed has not seen it."""
    random = np.random.default_rng(0)
    inside = random.random((num_seeds, len(by_heart))) < 0.5
    return 1 + 0.1 * random.standard_normal(inside.shape) + by_heart * ~inside, inside


def test_a_known_score_is_found_and_shuffled_membership_has_none() -> None:
    by_heart = np.repeat([0.0, 2.0], 100)
    errors, inside = _errors(by_heart, 40)
    assert scores(errors, inside)[:100].mean() == pytest.approx(0, abs=0.02)
    assert scores(errors, inside)[100:].mean() == pytest.approx(2, abs=0.02)
    shuffled = np.random.default_rng(1).permuted(inside, axis=0)
    assert np.nanmean(scores(errors, shuffled)) == pytest.approx(0, abs=0.05)


def test_what_too_few_seeds_have_or_lack_is_not_scored() -> None:
    inside = np.array([[True, True, False], [False, True, False], [False, True, True], [False, False, True]])
    assert np.isnan(scores(np.ones((4, 3)), inside)).tolist() == [True, True, False]


def test_the_error_left_out_is_of_the_other_seeds_that_lack_a_molecule() -> None:
    inside = np.array([[True, False, True], [False, False, True], [False, True, True]])
    pool = _Pool(torch.arange(3), np.array([[9.0, 9, 9], [1, 2, 3], [5, 6, 7]]), inside, 0)
    assert left_out(pool)[:2].tolist() == [3, 2]
    assert np.isnan(left_out(pool)[2])


@pytest.mark.slow
def test_the_command_finds_what_was_learned_by_heart(qm9: DataSet, tmp_path: Path) -> None:
    few = range(1000, 1200)
    gaps = qm9.values[few.start : few.stop, qm9.column("gap")].tolist()
    lines = [f"{smiles},{gap}" for smiles, gap in zip(qm9.smiles[few.start : few.stop], gaps, strict=True)]
    (tmp_path / "few.csv").write_text("\n".join(["smiles,gap", *lines]) + "\n")
    data = ["data=csv", "data.path=few.csv", "data.smiles_column=smiles", "data.target_columns=[gap]", "targets=[gap]"]
    data += ["data.train_size=70", "data.validation_size=30", "data.test_size=30"]
    options = ["experiment=tiny", "name=t", "model=mlp", "trainer.epochs=60", "trainer.keep=last", *data]
    seeds = "seeds=[0,1,2,3,4,5,6,7,8,9,10,11]"
    run = run_command(["train", *options, seeds, "trainer.compile=false"], tmp_path)
    assert run.returncode == 0, run.stderr
    run = run_command(["probe", *options, seeds, "--probe", "memorisation,long_tail"], tmp_path)
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results/t/probes.csv")
    means = table.groupby("quantity")["value"].mean()
    assert means[SCORE] == pytest.approx(means[OUT] - means[IN])
    assert means[IN] < 0.5 * means[OUT]
    spread = table[table["quantity"] == CONTROL]["value"].std() / 12**0.5
    assert abs(means[CONTROL]) < 5 * spread < means[SCORE]
    assert (table["quantity"] == MEMORISED).sum() == 10
    bands = table[table["quantity"] == SHARE].groupby("seed")["value"].sum()
    assert bands.to_numpy() == pytest.approx(100)  # each test molecule is in one band
    counts = table.groupby("quantity").size()
    assert counts[INFLUENCE] == counts[SHARE] >= 12
    refused = run_command(["probe", *options, "seeds=[0]", "--probe", "memorisation"], tmp_path)
    assert refused.returncode == 2
