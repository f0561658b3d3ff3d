"""Features for organic chemistry from the data to predictions, and runs that were trained before there were any."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.folder import WEIGHTS
from ibbench.run.batch import Batch
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.run.predict import load_predictor

SMILES = ["C", "CC", "CCC", "CCO", "CCN", "c1ccccc1", "CCCl", "CC=O", "C#N", "CCCC"]
PAIRS = [("[Na].CO", "[Na+].CO"), ("C/C=C/Br", "C/C=C\\Br"), ("C[C@H](N)O", "C[C@@H](N)O"), ("CSC", "C[Se]C")]
Of = Callable[..., Config]


@pytest.fixture
def of_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Of) -> Of:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))

    def compose(smiles: list[str], *overrides: str) -> Config:
        path = tmp_path / "mine.csv"
        path.write_text("smiles,y\n" + "".join(f"{text},{len(text)}\n" for text in smiles))
        base = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]", f"results_dir={tmp_path}")
        return config(*base, "budget.value=5000", "trainer.epochs=1", "trainer.steps=null", *overrides)

    return compose


def test_runs_with_the_features_of_qm9_keep_the_names_that_they_had_when_there_were_no_others(of_csv: Of) -> None:
    names = [plan(of_csv(SMILES, f"model={model}", "data.features=qm9")).run for model in ("gnn", "mlp")]
    assert names == ["gnn-0c7ad83a11", "mlp-c868906ac1"]
    points = [plan(of_csv(SMILES, "model=gnn", *more)) for more in ((), ("data.features=element",))]
    assert [point.dataset.layout for point in points] == ["organic", "organic"]
    assert len({*names, *(point.run for point in points)}) == 4
    assert len({point.split.fingerprint for point in points}) == 1


def test_features_that_no_model_reads_are_refused_where_they_were_asked_for(of_csv: Of, config: Of) -> None:
    assert plan(of_csv(SMILES, "model=rnn")).run  # they are the default there
    with pytest.raises(InputError, match=r"`data.features=element` alters atoms, which `model=rnn` does not read"):
        plan(of_csv(SMILES, "model=rnn", "data.features=element"))
    assert config().data.layout == config("data.features=element").data.layout == "qm9"
    assert config("data.features=organic").data.layout == "organic"


@pytest.mark.parametrize(("features", "apart"), [("organic", 4), ("element", 2), ("qm9", 1)])
def test_a_trained_model_sees_what_its_features_show(features: str, apart: int, of_csv: Of) -> None:
    smiles = [*SMILES * 2, *(text for pair in PAIRS for text in pair)]
    point = plan(of_csv(smiles, "model=gnn", f"data.features={features}", "seeds=[0]"))
    assert execute(point).status == "done"
    predictor = load_predictor(point.folder)
    batch = Batch([text for pair in PAIRS for text in pair]).molecules("implicit", predictor.layout)
    as_commands_predict = predictor.predict_possible(batch.molecules)[0]
    one, other = (predictor.predict_smiles(list(molecules)) for molecules in zip(*PAIRS, strict=True))
    torch.testing.assert_close(as_commands_predict, torch.stack([one, other], -1).flatten(1))
    with safe_open(point.folder / WEIGHTS, framework="np") as file:
        metadata = file.metadata()
    assert metadata.get("layout") == (None if features == "qm9" else '"organic"')
    assert ((one - other).abs() > 1e-9).sum() == apart
