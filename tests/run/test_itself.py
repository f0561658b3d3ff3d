"""Runs of models that restore molecules: their targets, their baselines, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.itself import is_itself, with_itself
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.run.predict import load_predictor

FLAT = ("model=autoencoder", "targets=[molecule]", "seeds=[0]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model=mlp", "targets=[molecule]"], "which `model=mlp` does not restore: expected model=autoencoder"),
        (["model=gnn", "targets=[atom_set]"], "expected model=set_autoencoder"),
        (["model=autoencoder"], r"predicts no label: expected 'targets=\[molecule\]'"),
        (["model=autoencoder", "targets=[molecule,gap]"], r"expected 'targets=\[molecule\]'"),
        ([*FLAT, "loss=mse"], "`loss=mse` has no meaning for `model=autoencoder`"),
        ([*FLAT, "data.label_noise=0.5"], "`data.label_noise=0.5` has no meaning"),
        ([*FLAT, "data.labels=shuffled"], "`data.labels=shuffled` has no meaning"),
        ([*FLAT, "reference=composition"], "`reference=composition` changes nothing"),
        ([*FLAT, "baselines=[morgan+ridge]"], "does not restore what `model=autoencoder` does: expected pca_"),
        ([*FLAT, "baselines=[pca_4]", "data.graph=empty"], "restores molecules as they are: leave out data.graph"),
        (["model=set_autoencoder", "targets=[atom_set]", "baselines=[pca_4]"], "leave it out"),
        (["model=mlp", "baselines=[pca_4]"], "restores molecules and predicts no label"),
        (["model=mlp", "baselines=[pca_x]"], r"'baselines=\[pca_x\]' is not possible"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], message: str, config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=message):
        plan(config("experiment=tiny", *options))


def test_a_column_of_that_name_stays_a_label(qm9: DataSet) -> None:
    data = with_itself(qm9, "molecule")
    assert is_itself(data, "molecule")
    assert not is_itself(data, "gap")
    assert data.values[:, data.column("molecule")].abs().max() == 0
    with pytest.raises(InputError, match="the data have a target `molecule`"):
        with_itself(data, "molecule")


@pytest.mark.slow
def test_a_run_restores_molecules_and_has_only_baselines_that_do(
    config: Callable[..., Config], tmp_path: Path, qm9: DataSet
) -> None:
    point = plan(
        config("experiment=tiny", *FLAT, f"results_dir={tmp_path}", "baselines=[pca_2]", "model.corruption=0.1")
    )
    record = execute(point)
    assert record is not None
    assert record.status == "done"
    assert [entry.name for entry in record.baselines] == ["pca_2"]
    (replica,) = record.replicas
    assert (replica.target, replica.unit) == ("molecule", "count^2")
    predictor = load_predictor(point.folder)
    test = qm9.molecules.select(point.split.test)
    predicted = predictor.predict(test)[0]
    assert predicted.mean().item() == pytest.approx(replica.tested.mae, rel=1e-5)
    alone, mean = predictor.models.alone(0), predictor.models.buffers["atom_mean"][0]
    assert torch.equal(predictor.models.buffers["atom_scale"][0], torch.ones(11))
    clean = test._replace(atoms=(test.atoms - mean) * test.mask[..., None])
    assert torch.allclose(alone(clean).double(), predicted, rtol=1e-4)
    assert execute(point) == record  # done before: nothing is lacking
