"""Labels of a user's own molecules: values that span orders of magnitude, missing ones, and none to test on."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ibbench.commands.report import tell_study
from ibbench.commands.table import tabulate
from ibbench.compare.side import read_side
from ibbench.compare.study import read_study
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.report.missing import tell_missing
from ibbench.report.plot.study import draw_study
from ibbench.run.execute import execute
from ibbench.run.plan import Point, plan
from ibbench.run.predict import load_predictor
from ibbench.track.content import outcome_of
from ibbench.training.weights import read_weights
from ibbench.worth.worth import make_worth

Train = Callable[..., Point]
MOLECULES = [f"{'C' * before}{end}{'C' * after}" for before in range(1, 11) for end in "NOS" for after in range(1, 4)]
ACTIVITY = [float(np.exp(2 * text.count("C") - 9)) for text in MOLECULES]  # from 0.007 to 24 million
SMALL = ("model=mlp", "budget=null", "model.width=8", "trainer.epochs=2", "seeds=[0,1]", "reference=none")
SIZES = ("data.train_size=40", "data.validation_size=10", "data.test_size=20")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the file of all molecules, and its own cache."""
    folder = tmp_path_factory.mktemp("labels")
    rows = [f"{text},{value:.6g},{text.count('C') - 4}" for text, value in zip(MOLECULES, ACTIVITY, strict=True)]
    (folder / "mine.csv").write_text("smiles,activity,size\n" + "\n".join(rows) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IBBENCH_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def composed(base: Path, config: Callable[..., Config]) -> Callable[..., Config]:
    """Compose a config of a tiny run on a file in the folder."""

    def compose(*overrides: str, file: str = "mine.csv") -> Config:
        data = ("data=csv", f"data.path={base / file}", "data.target_columns=[activity,size]", "targets=[activity]")
        return config(*data, *SMALL, *SIZES, f"results_dir={base}", *overrides)

    return compose


@pytest.fixture(scope="module")
def train(composed: Callable[..., Config]) -> Train:
    """Train a tiny run, and return its point."""

    def train_one(*overrides: str, file: str = "mine.csv") -> Point:
        point = plan(composed(*overrides, file=file))
        record = execute(point)
        assert record is not None
        assert record.status == "done", record.error
        return point

    return train_one


def test_a_target_is_trained_as_its_logarithm_and_predicted_in_its_unit(train: Train) -> None:
    point = train("name=log", "data.transform={activity: log}")
    values = point.dataset.values[point.split.train_subset(0), 0].log()
    scaling = read_weights(point.folder / "weights.safetensors").scaling
    assert scaling.mean[0].item() == pytest.approx(values.mean().item())
    assert scaling.scale[0].item() == pytest.approx(values.std(correction=0).item())
    with np.load(point.folder / "predictions.npz") as written:
        truth, prediction = written["truth"], written["prediction"]
    assert truth[0].tolist() == point.dataset.values[point.split.test, 0].tolist()
    assert (prediction > 0).all()
    smiles = [point.dataset.smiles[index] for index in point.split.test.tolist()]
    np.testing.assert_allclose(load_predictor(point.folder).predict_smiles(smiles), prediction, rtol=1e-5)


def test_only_a_logarithm_gives_a_run_another_name(composed: Callable[..., Config]) -> None:
    plain = composed().numerics()
    assert "transform" not in plain["data"]
    assert composed("data.transform={activity: none}").numerics() == plain
    assert composed("data.transform={activity: log, size: none}").numerics()["data"]["transform"] == {"activity": "log"}


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("{size: log}", r"data.transform=\{size: log\} takes values above 0 only: 18 of 90 values of size are not"),
        ("{mass: log}", "data.transform names mass, which data.target_columns does not"),
        ("{size: root}", "`data.transform.size=root` is not possible: expected one of: none, log"),
    ],
)
def test_a_logarithm_that_is_not_possible_says_why(
    transform: str, message: str, composed: Callable[..., Config]
) -> None:
    with pytest.raises(InputError, match=message):
        plan(composed(f"data.transform={transform}"))


def test_without_test_molecules_a_model_predicts_and_no_view_invents_an_error(train: Train, base: Path) -> None:
    point = train("name=all", "data.test_size=0", "data.train_size=null")
    assert len(point.split.test) == 0
    assert point.split.train_size == len(MOLECULES) - 10
    assert load_predictor(point.folder).predict_smiles(["CCO"]).isfinite().all()
    study = read_study(base / "all")
    assert not study.entries
    assert study.untested == (point.run,)
    assert outcome_of(study.records[0]).metrics.keys() == {
        f"activity/seed {seed}/{figure}" for seed in (0, 1) for figure in ("best_validation_mae", "best_epoch")
    }
    views: list[Callable[[], object]] = [
        lambda: draw_study(study, base / "all"),
        lambda: tell_study(study, base / "all"),
        lambda: make_worth(study),
        lambda: read_side(str(base / "all")),
        lambda: tabulate(base / "all", Console(file=StringIO()), "csv"),
    ]
    for view in views:
        with pytest.raises(InputError, match=r"all was trained without test molecules \(data.test_size=0\)"):
            view()
    shown = Console(file=StringIO(), width=120)
    assert tabulate(base / "all", shown) == (True, True, True)
    assert isinstance(shown.file, StringIO)
    text = shown.file.getvalue()
    mean = np.mean([replica.validation.mae for replica in study.records[0].replicas])
    assert "validation MAE" in text
    assert f"{mean:.4g}"[:5] in text.replace(",", "")
    assert not (base / "all/table.csv").exists()
    tested = train("name=all")
    both = read_study(base / "all")
    assert {entry.key.model for entry in both.entries} == {"mlp", "mean", "composition"}
    assert all(replica.test for entry in both.entries for replica in entry.replicas)
    assert tell_missing(both) == [f"Without test molecules (data.test_size=0), so in no table: {point.run}."]
    assert tabulate(base / "all", Console(file=StringIO())).is_whole
    assert (base / "all/table.csv").exists()
    assert tested.run != point.run


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.split=size"], "data.split=size chooses test molecules, and data.test_size=0 wants none"),
        (["data.validation_size=90"], "do not fit into 90 molecules"),
        (["data.validation_size=0"], "`data.validation_size=0` is not possible"),
    ],
)
def test_no_test_molecules_are_refused_where_a_split_names_them(
    overrides: list[str], message: str, composed: Callable[..., Config]
) -> None:
    with pytest.raises(InputError, match=message):
        plan(composed("data.test_size=0", *overrides))
