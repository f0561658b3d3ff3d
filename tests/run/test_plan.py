"""What follows from a config before anything is trained."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.baselines import baseline_names
from ibbench.errors import InputError
from ibbench.models import registry
from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan

FEW = ("model=mlp", "budget.value=10000", "data.validation_size=100", "data.test_size=200", "seeds=[0]")


@pytest.mark.parametrize(
    ("train_size", "epochs", "min_steps", "effective"),
    [
        (100, 3, "null", 3),
        (100, 3, 12, 3),  # 4 batches of at most 32: 12 steps are 3 epochs
        (100, 3, 13, 4),
        (100, 1, 40, 10),
        (3200, 2, 150, 2),
    ],
)
def test_a_small_train_subset_is_seen_more_often(
    train_size: int, epochs: int, min_steps: int | str, effective: int, config: Callable[..., Config]
) -> None:
    sizes = (f"data.train_size={train_size}", f"trainer.epochs={epochs}", f"trainer.min_steps={min_steps}")
    point = plan(config(*FEW, *sizes))
    assert point.resolved.trainer.epochs == effective
    assert point.config.trainer.epochs == epochs


@pytest.mark.parametrize("overrides", [("budget.value=10000",), ("budget=null",), ("budget=null", "model.width=16")])
def test_what_is_resolved_is_a_config_that_leaves_nothing_open(
    overrides: tuple[str, ...], config: Callable[..., Config]
) -> None:
    few = (*FEW[:1], *FEW[2:], "data.train_size=100", "trainer.epochs=1", "trainer.min_steps=13")
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


def test_as_many_epochs_are_trained_as_the_steps_need(config: Callable[..., Config], tmp_path: Path) -> None:
    sizes = ("data.train_size=64", "trainer.epochs=1", "trainer.min_steps=7", f"results_dir={tmp_path}")
    point = plan(config(*FEW, *sizes))
    record = execute(point)
    assert [replica.epochs for replica in record.replicas] == [4]
    rates = [line.split(",")[3] for line in (point.folder / "history.csv").read_text().splitlines()[1:]]
    assert len(set(rates)) == 4  # the schedule knows of all four


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
