"""Labels of a user's own molecules: values that span orders of magnitude, missing ones, and none to test on."""

import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from ibbench.commands.report import tell_study
from ibbench.commands.table import tabulate
from ibbench.compare.pairs import compare_pairs
from ibbench.compare.side import read_side
from ibbench.compare.study import read_study
from ibbench.compare.table import build_table
from ibbench.compare.table_file import to_csv
from ibbench.compare.worst import find_worst
from ibbench.data.dataset import load_dataset
from ibbench.data.domain import read_domain
from ibbench.data.repeats import Repeats, count_repeats, describe_labels, warn_of_repeats
from ibbench.data.unseen import count_unseen
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.report.missing import tell_missing
from ibbench.report.plot.study import draw_study
from ibbench.run.execute import execute
from ibbench.run.plan import Point, plan
from ibbench.run.predict import load_predictor
from ibbench.sweep.warnings import list_warnings
from ibbench.track.content import outcome_of
from ibbench.training.loop import prepare
from ibbench.training.packs import list_replicas
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
        ("{size: log}", r"'data.transform=\{size: log\}' takes values above 0 only: 18 of 90 values of size are not"),
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
    assert "validation error" in text
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


BOTH = "targets=[activity,size]"
FEW = ("data.train_size=20", "data.test_size=30")


@pytest.fixture(scope="module")
def gaps(base: Path) -> str:
    """Write a file in which a third of the molecules lack one target, a quarter another one, and some lack both."""
    rows = []
    for place, (text, value) in enumerate(zip(MOLECULES, ACTIVITY, strict=True)):
        activity = "" if place % 3 == 0 else f"{np.log(value):.6g}"
        rows.append(f"{text},{activity},{'' if place % 4 == 0 else text.count('C') - 4}")
    (base / "gaps.csv").write_text("smiles,activity,size\n" + "\n".join(rows) + "\n")
    return "gaps.csv"


def test_a_missing_label_leaves_a_molecule_out_for_that_target_alone(
    composed: Callable[..., Config], gaps: str
) -> None:
    point = plan(composed(BOTH, *FEW, file=gaps))
    lacking = [[place % 3 == 0, place % 4 == 0] for place in range(len(MOLECULES))]
    expected = [row for row in lacking if not all(row)]
    assert point.dataset.values.isnan().tolist() == expected
    assert point.dataset.rejected == sum(map(all, lacking)) == 8
    values = prepare(point.resolved, point.dataset, point.split, torch.device("cpu"), list_replicas(point.resolved))[
        0
    ].truth.values
    for seed in (0, 1):
        for column, target in enumerate(point.config.targets):
            subset = point.split.of_target(target).train_subset(seed)
            assert len(subset.unique()) == 20
            assert point.dataset.values[subset, column].isfinite().all()
            assert {*subset.tolist()} <= {*point.split.train_pool.tolist()}
            assert values(subset)[2 * column].isfinite().all()
    counts = (~point.dataset.values.isnan()).sum(0).tolist()
    assert describe_labels(point.dataset) == (
        f"labels: of {len(expected)} molecules have one: activity {counts[0]}, size {counts[1]}"
    )
    (told,) = [text for text in list_warnings([point]) if "without a label" in text]
    tested = (~point.dataset.values[point.split.test].isnan()).sum(0).tolist()
    assert f"{tested[0]} test); size" in told
    assert told.endswith(f"{tested[1]} test).")


def test_errors_are_those_of_the_molecules_with_a_label(train: Train, base: Path, gaps: str) -> None:
    runs = [train("name=gaps", BOTH, *FEW, f"model={model}", file=gaps) for model in ("mlp", "deep_sets")]
    alone = train("name=alone", "targets=[size]", *FEW, file=gaps)
    with np.load(runs[0].folder / "predictions.npz") as written:
        truth, prediction, target = written["truth"], written["prediction"], written["target"].tolist()
    with np.load(alone.folder / "predictions.npz") as written:
        # The labels of the other target in the pack change nothing.
        np.testing.assert_allclose(prediction[2:], written["prediction"], rtol=1e-4, atol=1e-4)
    record = next(one for one in read_study(base / "gaps").records if one.run == runs[0].run)
    counts = dict(zip(target, (~np.isnan(truth)).sum(1).tolist(), strict=True))
    assert 0 < counts["activity"] < counts["size"] < 30
    for row, replica in enumerate(record.replicas):
        assert replica.tested.mae == pytest.approx(np.nanmean(np.abs(prediction[row] - truth[row])), rel=1e-9)
        assert replica.tested.r2 is not None
    assert record.labelled is not None
    assert {name: sizes.test for name, sizes in record.labelled.items()} == counts
    study = read_study(base / "gaps")
    assert len(study.entries) == 8
    for entry in study.entries:
        name = entry.key.group.target
        assert entry.sample.errors is not None
        assert entry.sample.errors.shape == (2, counts[name])
        assert entry.basis.num_test == counts[name]
        assert entry.basis.pool_size == record.labelled[name].train_pool
    for pair in compare_pairs(study.entries).values():
        assert pair.comparison.basis == "predictions"
        assert pair.comparison.difference.num_molecules == counts[pair.a.group.target]
        assert np.isfinite(pair.comparison.difference.molecule_variance)
    of_size = [entry for entry in study.entries if entry.key.group.target == "size"]
    worst = find_worst(base / "gaps", study, of_size, 30, 2)
    assert worst is not None
    assert len(worst.places) == counts["size"]
    labels = runs[0].dataset.values[worst.places, 1]
    assert worst.truth.tolist() == labels.tolist()
    assert np.isfinite(worst.error).all()


def test_a_train_molecule_of_any_target_is_known_as_one(train: Train, gaps: str) -> None:
    point = train("name=gaps", BOTH, *FEW, "model=mlp", file=gaps)
    domain = read_domain(point.folder / "domain.safetensors")
    assert domain is not None
    for row, seed in enumerate(domain.seeds):
        subsets = [point.split.of_target(target).train_subset(seed) for target in point.config.targets]
        assert domain.members[row].sum() == len(point.dataset.groups[torch.cat(subsets)].unique())


def test_molecules_without_a_value_are_not_its_tail(composed: Callable[..., Config], gaps: str) -> None:
    tail = ("data.split=target_tail", "data.split_target=activity", "data.test_size=15")
    point = plan(composed(*tail, "data.train_size=20", file=gaps))
    values = point.dataset.values[:, 0]
    others = values[torch.cat([point.split.train_pool, point.split.validation])]
    assert values[point.split.test].min() >= others[~others.isnan()].max()


def test_evidence_keeps_which_labels_are_missing(train: Train, base: Path, gaps: str) -> None:
    point = train("name=packed", BOTH, *FEW, file=gaps)
    assert tabulate(base / "packed", Console(file=StringIO())).is_whole
    table = (base / "packed/table.csv").read_text()
    (base / "clone").mkdir()
    for name in ("evidence.zip", "study.json"):
        shutil.copy(base / "packed" / name, base / "clone")
    here, there = (build_table(read_study(base / name)) for name in ("packed", "clone"))
    assert to_csv(here) == to_csv(there) == table
    assert "nan" not in table
    assert here["num_test_molecules"].nunique() == 2
    assert point.split.unlabelled


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.train_size=null"],
            r"on equally many labels, and of 42 .*: activity \d+, size ",
        ),
        (["data.train_size=null"], r"a run for each target, as in 'targets=\[activity\],\[size\]'"),
        (["data.train_size=41"], "`data.train_size=41` is not possible: of 42 molecules to train on have a label: act"),
    ],
)
def test_a_train_size_that_labels_do_not_reach_is_refused(
    overrides: list[str], message: str, composed: Callable[..., Config], gaps: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(composed(BOTH, "data.test_size=30", *overrides, file=gaps))


def test_all_labels_of_one_target_train_it(composed: Callable[..., Config], gaps: str) -> None:
    point = plan(composed("data.train_size=null", "targets=[size]", file=gaps))
    assert point.split.train_size == len(point.split.of_target("size").train_pool) < len(point.split.train_pool)


def test_a_label_that_is_missing_contradicts_none(base: Path, composed: Callable[..., Config]) -> None:
    rows = [
        "CO,1,1",
        "OC,2,3",
        "CCO,,1",
        "OCC,2,1",
        "C(O)C,2,1",
        "CCN,1,",
        "NCC,,2",
        "CCF,1,1",
        "FCC,,1",
        "C(F)C,2,",
        "CC,0,0",
    ]
    (base / "twice.csv").write_text("smiles,activity,size\n" + "\n".join(rows) + "\n")
    dataset = load_dataset(composed(file="twice.csv").data, lambda _: None)
    assert count_repeats(dataset) == Repeats(repeats=6, contradicting=2)  # of CCF the first row agrees with both
    assert count_unseen(dataset.unseen, dataset.values.numpy()).alike == 5
    assert "2 molecules have labels that contradict each other (activity 2, size 1). A" in warn_of_repeats(dataset)


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
