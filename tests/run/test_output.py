"""Runs with a target of atoms, from the plan to the table: what is measured, kept, predicted and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ibbench.compare.study import gather
from ibbench.data.dataset import DataSet
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.evidence import pack_evidence
from ibbench.record.folder import EVIDENCE
from ibbench.record.metrics import AtomMetricsEntry
from ibbench.record.predictions import Predictor, open_predictions, read_errors, read_predictions, read_tested
from ibbench.record.schema import Record, read_record
from ibbench.run.execute import execute
from ibbench.run.forecast import Crew, forecast
from ibbench.run.plan import Point, plan
from ibbench.run.predict import load_predictor

TINY = ("targets=[mulliken]", "seeds=[0,1]", "budget=null", "model.width=8", "model.depth=1", "trainer.compile=false")
FEW = ("data.train_size=60", "data.validation_size=50", "data.test_size=100", "trainer.epochs=2")


@pytest.fixture(scope="module")
def done(
    config: Callable[..., Config],
    qm9: DataSet,  # noqa: ARG001 (its cache is built once)
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Point, Record]:
    point = plan(config("model=gnn", *TINY, *FEW, f"results_dir={tmp_path_factory.mktemp('atoms')}"))
    record = execute(point)
    assert record is not None
    assert record.error is None, record.error
    return point, record


def test_errors_are_over_atoms_and_compared_over_molecules(done: tuple[Point, Record]) -> None:
    point, record = done
    predictor, test = load_predictor(point.folder, "cpu"), point.split.test
    predicted = predictor.predict(point.dataset.molecules.select(test))
    truth = point.dataset.labels("mulliken")[test]
    real = ~truth.isnan()
    assert torch.equal(predicted[0].isnan(), ~real)
    errors = read_errors(point.folder, record)
    for row, entry in enumerate(record.replicas):
        off = (predicted[row] - truth)[real].abs()
        assert isinstance(entry.test, AtomMetricsEntry)
        assert entry.test.atoms == int(real.sum())
        assert entry.test.mae == pytest.approx(float(off.mean()), rel=1e-6)
        assert entry.test.rmse == pytest.approx(float(off.square().mean().sqrt()), rel=1e-6)
        of_molecules = (predicted[row] - truth).abs().nansum(1) / real.sum(1).double().mean()
        own = errors[Predictor("mulliken", entry.seed)]
        np.testing.assert_allclose(own, of_molecules, atol=0.05 * entry.test.mae)  # rounded to a fortieth, per atom
        assert own.mean() == pytest.approx(entry.test.mae, rel=0.01)
    assert read_record(point.folder / "record.json") == record


def test_statistics_resample_molecules(done: tuple[Point, Record]) -> None:
    point, record = done
    entries = {entry.key.name: entry for entry in gather("atoms", [record], point.folder.parents[1]).entries}
    for entry in entries.values():
        assert entry.of_atoms
        assert entry.sample.errors is not None
        assert entry.sample.errors.shape == (2, 100)  # not the 880 atoms
        assert entry.signed_errors is None
    truth, predicted = read_predictions(point.folder, record)[Predictor("mulliken", 0)]
    assert len(truth) == len(predicted) == record.replicas[0].tested.atoms
    tested = read_tested(point.folder, "mulliken")
    assert tested is not None
    assert tested.places.tolist() == point.split.test.tolist()


def test_baselines_are_the_mean_of_all_atoms_and_of_each_element(done: tuple[Point, Record]) -> None:
    point, record = done
    dataset, train, test = point.dataset, point.split.of_target("mulliken").train_subset(1), point.split.test
    labels, numbers = dataset.labels("mulliken"), dataset.molecules.atoms[..., 5]
    of_elements = {int(one): labels[train][numbers[train] == one].mean() for one in numbers[train].unique() if one}
    guesses = {
        "mean": torch.full((100, 9), float(labels[train].nanmean())),
        "composition": torch.tensor([[float(of_elements.get(int(z), 0)) for z in row] for row in numbers[test]]),
    }
    for baseline in record.baselines:
        (entry,) = (one for one in baseline.replicas if one.seed == 1)
        assert entry.tested.mae == pytest.approx(
            float((guesses[baseline.name] - labels[test]).abs().nanmean()), rel=1e-5
        )


def test_evidence_keeps_the_same_digits(done: tuple[Point, Record], tmp_path: Path) -> None:
    point, record = done
    (tmp_path / EVIDENCE).write_bytes(pack_evidence([record], lambda _: open_predictions(point.folder)))
    kept = gather("atoms", [record], tmp_path).entries
    for one, other in zip(kept, gather("atoms", [record], point.folder.parents[1]).entries, strict=True):
        np.testing.assert_array_equal(one.sample.errors, other.sample.errors)


def test_new_molecules_get_a_value_per_atom(done: tuple[Point, Record]) -> None:
    point, _ = done
    crew = Crew((("", (point.folder,)),), "cpu")
    (found,) = forecast(crew, ["CCO", "OCC", "C1CC", "c1ccccc1C(=O)NCC(C)C"], 4)
    atoms = found.atoms[0]
    assert [[symbol for symbol in row if symbol] for row in atoms.elements.tolist()][:3] == [
        ["C", "C", "O"],
        ["O", "C", "C"],
        [],
    ]
    assert (~np.isnan(atoms.mean)).sum(1).tolist() == [3, 3, 0, 13]
    np.testing.assert_allclose(atoms.mean[0, :3], atoms.mean[1, [2, 1, 0]], atol=1e-6)
    assert np.isnan(found.mean[0, 2])
    alone = load_predictor(point.folder, "cpu").predict_smiles(["CCO"])
    np.testing.assert_allclose(alone.mean(0)[0], atoms.mean[0, :3], atol=1e-6)


def test_weights_say_that_they_are_of_atoms(done: tuple[Point, Record], config: Callable[..., Config]) -> None:
    point, record = done
    assert load_predictor(point.folder, "cpu").of_atoms
    assert "output" not in json.loads((point.folder / "record.json").read_text())["config"]["model"]
    assert record.labelled is not None
    assert plan(config("model=gnn", *TINY, *FEW, f"results_dir={point.folder.parents[2]}")).run == point.run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model=cnn"], "`model=cnn` reads the tokens of a SMILES and has no states of atoms"),
        (["model=rnn"], "`model=rnn` reads the tokens"),
        (["targets=[gap,mulliken]"], r"mulliken has a value per atom and gap one per molecule.*'targets=\[gap\],\[mul"),
        (["data.labels=shuffled"], "`data.labels=shuffled` is for values of molecules only: leave it out"),
        (["data.label_noise=0.1"], "`data.label_noise=0.1` is for values of molecules only"),
        (["model=mlp", "trainer.symmetry_penalty=1"], "`trainer.symmetry_penalty=1` is for values of molecules only"),
        (["data.graph=shuffled_features"], "`data.graph=shuffled_features` is for values of molecules only"),
        (["baselines=[morgan+ridge]"], r"`baselines=\[morgan\+ridge\]` is for values of molecules only"),
        (["targets=[muliken]"], "`mulliken`"),
    ],
)
def test_what_has_no_meaning_for_atoms_is_refused(
    options: list[str], message: str, config: Callable[..., Config], tmp_path: Path
) -> None:
    given = {text.partition("=")[0]: text for text in ["model=gnn", *TINY, *FEW, f"results_dir={tmp_path}", *options]}
    given = {"model": given.pop("model"), **given}
    with pytest.raises(InputError, match=message):
        plan(config(*given.values()))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_that_is_interrupted_goes_on_exactly(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ibbench.training.loop import train

    options = ["model=mlp", *TINY, *FEW, "data.augmentation=relabel", "trainer.checkpoint_seconds=0"]
    disturbed, undisturbed = (plan(config(*options, f"results_dir={tmp_path / name}")) for name in ("one", "other"))

    def interrupted(*arguments: object) -> object:
        for number, state in enumerate(train(*arguments)):
            yield state
            if number == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ibbench.run.pack.train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(disturbed)
    assert list(disturbed.folder.glob("checkpoint*"))
    for point in (disturbed, undisturbed):
        assert execute(point).status == "done"
    files = [np.load(point.folder / "predictions.npz", allow_pickle=False) for point in (disturbed, undisturbed)]
    np.testing.assert_array_equal(files[0]["prediction"], files[1]["prediction"])
