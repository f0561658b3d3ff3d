"""What follows from a config before anything is trained."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ibbench.baselines import baseline_names
from ibbench.errors import InputError
from ibbench.models import registry
from ibbench.options.compose import compose_sweep
from ibbench.options.config import Config
from ibbench.record.folder import read_records
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.length import measure_length

ROOT = Path(__file__).parents[2]
FEW = ("model=mlp", "budget.value=10000", "data.validation_size=100", "data.test_size=200", "seeds=[0]")


@pytest.mark.parametrize(
    ("length", "steps", "interval", "molecules"),
    [
        (("trainer.epochs=3",), 12, 4, 300),  # 100 molecules are 3 batches of 32 and one of 4
        (("trainer.steps=13",), 13, 1, 332),
        (("trainer.steps=200",), 200, 10, 5000),
        (("trainer.steps=200", "trainer.validate_every=64"), 200, 64, 5000),
        (("trainer.epochs=3", "trainer.validate_every=5"), 12, 5, 300),
        (("trainer.steps={64:10,100:14}",), 14, 1, 364),
        (("experiment=robustness", "trainer.epochs=3", "trainer.validate_every=null"), 12, 4, 300),
    ],
)
def test_a_training_is_as_long_as_its_epochs_or_its_steps(
    length: tuple[str, ...], steps: int, interval: int, molecules: int, config: Callable[..., Config]
) -> None:
    found = measure_length(config(*FEW, "data.train_size=100", *length).trainer, 100)
    assert (found.steps, found.interval, found.molecules) == (steps, interval, molecules)


CURVE = [["experiment=learning_curve"], ["+experiment=learning_curve", "+cluster=local"]]


@pytest.mark.parametrize(
    ("study", "commands"),
    [
        ("quick", [[]]),
        ("quick_lr", [["name=quick_lr", "optimizer.lr=4e-3"]]),
        *(("learning_curve", [[*words], [*words, "targets=[gap]"], [*words, "targets=[alpha,mu]"]]) for words in CURVE),
    ],
)
def test_the_runs_of_committed_studies_are_found_by_their_commands(
    study: str,
    commands: list[list[str]],
    cache: Path,  # noqa: ARG001
) -> None:
    trained = {record.run for record in read_records(ROOT / "results" / study)}
    assert trained
    assert trained <= {plan(point).run for words in commands for point in compose_sweep(words)}


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (("trainer.epochs=3", "trainer.steps=9"), "a training is as long as trainer.epochs or trainer.steps say"),
        (("trainer.epochs=null",), "a training is as long as trainer.epochs or trainer.steps say"),
        (("trainer.steps={64:10}",), "trainer.steps names no steps for data.train_size=100: expected one of 64"),
        (("trainer.steps={100:many}",), "`trainer.steps=many` is not possible"),
    ],
)
def test_a_length_that_is_none_is_refused(length: tuple[str, ...], message: str, config: Callable[..., Config]) -> None:
    with pytest.raises(InputError, match=message):
        config(*FEW, "data.train_size=100", *length)


def test_the_steps_of_other_sizes_change_no_name(config: Callable[..., Config]) -> None:
    one, other, alone = (
        plan(config(*FEW, "data.train_size=100", f"trainer.steps={steps}")).run
        for steps in ("{100:10,200:20}", "{100:10,300:50}", "10")
    )
    assert one == other == alone


@pytest.mark.parametrize("overrides", [("budget.value=10000",), ("budget=null",), ("budget=null", "model.width=16")])
def test_what_is_resolved_is_a_config_that_leaves_nothing_open(
    overrides: tuple[str, ...], config: Callable[..., Config]
) -> None:
    few = (*FEW[:1], *FEW[2:], "data.train_size=100", "trainer.epochs=4")
    point = plan(config(*few, *overrides))
    model, trainer = point.resolved.model, point.resolved.trainer
    assert (model.width, model.hidden, trainer.epochs, trainer.compile) == (*model.sizes, 4, False)
    again = plan(Config.model_validate(point.resolved.model_dump()))
    assert again.resolved == point.resolved
    other = {"model", "trainer", "budget"}
    assert point.resolved.model_dump(exclude=other) == point.config.model_dump(exclude=other)


def test_a_run_has_the_same_name_wherever_it_is_planned(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = config("model=gnn", "trainer.epochs=500")
    here = plan(long)
    assert here.resolved.trainer.compile
    for device in ("auto", "cuda:7"):  # which the machine that submits need not have
        assert plan(long.model_copy(update={"device": device}), here=False).run == here.run
    monkeypatch.setattr("ibbench.run.plan.compiler", lambda: None)
    without = plan(long.model_copy(update={"name": "without_a_compiler"}))
    assert (without.run, without.resolved.trainer.compile) == (here.run, False)
    wanted = config("model=gnn", "trainer.compile=true", "name=wanted")
    with pytest.raises(InputError, match="needs a C"):
        plan(wanted)
    assert plan(wanted, here=False).run == plan(wanted.model_copy(update={"device": "auto"}), here=False).run


def test_as_many_steps_are_trained_as_are_asked_for(config: Callable[..., Config], tmp_path: Path) -> None:
    point = plan(config(*FEW, "data.train_size=64", "trainer.steps=7", f"results_dir={tmp_path}"))
    record = execute(point)
    assert record is not None
    assert [(replica.steps, replica.epochs, replica.molecules) for replica in record.replicas] == [(7, 3.5, 224)]
    history = pd.read_csv(point.folder / "history.csv")
    assert history["step"].tolist() == [*range(1, 8)]
    assert history["learning_rate"].nunique() == 7  # the schedule knows of all seven


def test_a_model_that_reads_coordinates_needs_data_with_them(config: Callable[..., Config], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("smiles,y\n" + "".join(f"{'C' * size}O,{size}\n" for size in range(1, 60)))
    source = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]", "budget.value=10000")
    for name in ("schnet", "ladder/gnn_lengths"):
        with pytest.raises(
            InputError, match=r"^`model=(schnet|gnn)` reads coordinates, which data.source=csv has not$"
        ):
            plan(config(f"model={name}", *source))
    for name in ("gnn", "cnn"):
        assert plan(config(f"model={name}", *source)).resolved.model.width


def test_a_model_cannot_take_the_name_of_a_baseline(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in baseline_names():
        monkeypatch.setitem(registry._MODELS, name, registry.get_model("mlp"))  # as `register(name)` does
        with pytest.raises(InputError, match=f"^`model={name}` is the name of a baseline"):
            plan(config("model=mlp", f"model.name={name}"))


def test_the_ladder_of_a_model_is_the_same_run_as_the_model_itself(config: Callable[..., Config]) -> None:
    # A rung is a place in a table: it changes no number.
    assert plan(config(*FEW[1:], "model=ladder/gnn")).run == plan(config(*FEW[1:], "model=gnn")).run
    assert plan(config(*FEW[1:], "model=ladder/gnn_untyped")).run != plan(config(*FEW[1:], "model=gnn")).run
