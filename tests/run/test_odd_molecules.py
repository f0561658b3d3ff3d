"""Molecules that train also predict, remarks say what is true of them, and pairs join a run that nothing tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ibbench.api.study import load_study
from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan

pytestmark = pytest.mark.slow
MakeConfig = Callable[..., Config]
SIZES = ("data.train_size=20", "data.validation_size=10", "data.test_size=10")
SMALL = ("budget=null", "model.width=8", "model.depth=1", "trainer.epochs=1", "seeds=[0,1]")


@pytest.fixture
def train(config: MakeConfig, tmp_path: Path) -> Callable[..., Any]:
    """Train a tiny study of a file with a spelling around each of 40 chains, and return it as Python has it."""

    def run(spelled: str, *words: str) -> Any:
        path = tmp_path / "mine.csv"
        chains = [f"{'C' * left}O{'C' * right}" for left in range(1, 9) for right in range(1, 6)]
        path.write_text("smiles,y\n" + "".join(f"{spelled.format(c)},{len(c)}\n" for c in dict.fromkeys(chains)))
        of_file = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]", *SIZES, *SMALL)
        record = execute(plan(config(*of_file, "name=mine", f"results_dir={tmp_path}", *words)))
        assert record is not None
        assert record.status == "done", record.error
        return load_study(tmp_path / "mine")

    return run


def test_repeat_units_predict_as_they_trained(train: Callable[..., Any]) -> None:
    found = train("*{}*", "model=gnn").predict(["*CCOCC*", "CCOCC"])
    assert found.iloc[:, :-1].notna().all(axis=None)
    assert not found.iloc[:, -1].str.contains("not predicted").any()


def test_a_neutral_molecule_is_odd_among_ions(train: Callable[..., Any]) -> None:
    remarks = train("C[N+](C)(C){}", "model=deep_sets").predict(["CCCCOCCN(C)C", "C[N+](C)(C)CCOC"]).iloc[:, -1]
    assert "no train molecule is neutral" in remarks[0]
    assert "neutral" not in remarks[1]


def test_pairs_join_a_run_that_nothing_tests_and_know_its_sizes(train: Callable[..., Any]) -> None:
    words = ("model=deep_sets", "data.test_size=0", "data.hydrogens=explicit")
    train("{}", *words)
    study = train("{}", *words, "baselines=[morgan+ridge]")
    (remark,) = study.predict(["CCOCC"], model=["deep_sets", "morgan+ridge"]).iloc[:, -1]
    assert "train molecule" in remark or remark == ""
    assert "no train molecule has" not in remark
