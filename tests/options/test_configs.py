"""The real configs: every YAML composes, is valid, and every experiment trains."""

from collections.abc import Callable
from pathlib import Path

import hydra
import pandas as pd
import pytest
import yaml

from ibbench.models import model_names
from ibbench.options.compose import compose_config, compose_point, compose_points, expand, pack_sweeps
from ibbench.options.config import Config, option_names
from ibbench.options.defaults import config_folder

FOLDER = config_folder()
GROUPS = ("optimizer", "schedule", "trainer", "model")
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((FOLDER / group).glob("*.yaml"))]
RUNGS = sorted(path.stem for path in (FOLDER / "model" / "ladder").glob("*.yaml"))
EXPERIMENTS = [path.stem for path in sorted((FOLDER / "experiment").glob("*.yaml"))]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_of_every_group_is_valid(group: str, choice: str, config: Callable[..., Config]) -> None:
    options = getattr(config(f"{group}={choice}"), group)
    if group != "trainer":
        assert options.name == choice


def test_every_model_has_a_config_and_every_config_a_model() -> None:
    assert {path.stem for path in (FOLDER / "model").glob("*.yaml")} == set(model_names())


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_of_the_ladder_adds_one_thing_to_another(rung: str, config: Callable[..., Config]) -> None:
    composed = config(f"model=ladder/{rung}")
    assert composed.rung is not None
    assert composed.rung.name == rung
    assert composed.model.name in model_names()
    before = composed.rung.after
    if composed.rung.number == 1:
        assert before is None
        return
    assert before in RUNGS
    below = config(f"model=ladder/{before}")
    assert below.rung is not None
    assert below.rung.number < composed.rung.number
    one, other = (_differing(step) for step in (below, composed))
    changed = {key for key in one | other if one.get(key) != other.get(key)}
    # One assumption is a model, or one option of a model, of its graph or of its training.
    assert {key.split(".")[0] for key in changed} <= {"model", "data"}
    assert changed
    assert "model.name" in changed or len(changed) == 1


def _differing(config: Config) -> dict[str, object]:
    """Return the options that rungs may differ in, with dots between their parts."""
    options = config.numerics()
    return {
        f"{group}.{key}": value
        for group, values in options.items()
        if isinstance(values, dict)
        for key, value in values.items()
    }


def test_rungs_are_numbered_from_one(config: Callable[..., Config]) -> None:
    rungs = [config(f"model=ladder/{name}").rung for name in RUNGS]
    assert sorted(rung.number for rung in rungs if rung) == list(range(1, len(RUNGS) + 1))


def _sweep(experiment: str) -> dict[str, str]:
    """Return what an experiment sweeps, option by option."""
    with hydra.initialize_config_dir(str(FOLDER), job_name="ibbench", version_base="1.3"):
        composed = hydra.compose("train", [f"experiment={experiment}"], return_hydra_config=True)
    return dict(composed.hydra.sweeper.params)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_value_that_an_experiment_sweeps_is_valid(experiment: str) -> None:
    sweep = _sweep(experiment)
    smallest = [expand([f"{key}={values}"])[0][0] for key, values in sweep.items()]
    points = [[*smallest, *point] for key, values in sweep.items() for point in expand([f"{key}={values}"])]
    assert points
    assert {compose_config([f"experiment={experiment}", *point]).name for point in points} == {experiment}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains(experiment: str, ibbench: Callable, tmp_path: Path) -> None:
    sweep = _sweep(experiment)
    models = [words[0] for words in expand([f"model={sweep.get('model', 'mlp')}"])]
    model = "model=mlp" if experiment != "autoencoder" else models[0]  # an MLP restores no molecules
    small = ["data.train_size=64", "trainer.epochs=1", model]
    small += ["data.validation_size=100", "data.test_size=200", "seeds=[0]"]
    if compose_config([f"experiment={experiment}", "trainer.epochs=1"]).budget:
        small += ["budget.value=5000"]
    given = {"trainer.steps", *(override.partition("=")[0] for override in small)}
    small += [expand([f"{key}={values}"])[0][0] for key, values in sweep.items() if key not in given]
    run = ibbench("train", f"experiment={experiment}", *small)
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results" / experiment / "table.csv")
    config = compose_config([f"experiment={experiment}", *small])
    assert sorted(table["target"][table["model"] == config.model.name]) == sorted(config.targets)


def test_the_ladder_climbs_all_of_its_rungs(config: Callable[..., Config]) -> None:
    points = [config(*point) for point in expand([f"model={_sweep('ladder')['model']}"])]
    assert sorted(point.rung.name for point in points if point.rung) == RUNGS


def test_the_option_names_that_scripts_rely_on_are_there() -> None:
    promised = """
        name model model.width model.depth targets seeds data.train_size data.source trainer.epochs
        trainer.batch_size trainer.patience optimizer optimizer.lr schedule loss device precision
        budget.match budget.value results_dir
    """
    assert set(promised.split()) <= set(option_names())


def test_a_single_target_or_seed_needs_no_brackets(config: Callable[..., Config]) -> None:
    options = config("targets=alpha", "seeds=3", "name=7")
    assert (options.targets, options.seeds, options.name) == (("alpha",), (3,), "7")


def test_a_sweep_expands_like_hydras(config: Callable[..., Config]) -> None:  # noqa: ARG001
    points = expand(["model=mlp,gnn", "targets=[gap,mu]", "seeds=[0],[1]", "model=deep_sets,gnn"])
    assert [point[0] for point in points] == ["model=deep_sets"] * 2 + ["model=gnn"] * 2
    assert [point[2] for point in points] == ["seeds=[0]", "seeds=[1]"] * 2
    assert all("targets=[gap,mu]" in point for point in points)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=mlp,gnn", "data.train_size=10,20", "seeds=[0],[1]", "targets=gap"],
        ["budget=null", "model.width=8,16", "model=ladder/gat,ladder/schnet", "optimizer=sgd,adam", "optimizer.lr=1,2"],
        ["tuning=halving,convergence", "model=mlp,gnn", "trainer.epochs=5,8"],
        ["loss=l1,huber", "optimizer.lr=1e-3,1e-2", "trainer.patience=null,3"],
        ["data=csv", "data.path=a,b", "data.units={y:eV},{z:D}", "data.target_columns=[y,z]", "data.smiles_column=x"],
    ],
)
def test_points_are_composed_as_hydra_does(overrides: list[str], cache: Path) -> None:  # noqa: ARG001
    points = expand(overrides)
    with hydra.initialize_config_dir(str(FOLDER), version_base="1.3"):
        composed = compose_points(points, "train")
        assert composed == [compose_point(point, "train") for point in points]
    assert len({config.model_dump_json() for config in composed}) == len(points) > 1


@pytest.mark.parametrize(
    ("given", "packed"),
    [
        ("seeds=0,1", "seeds=[0,1]"),
        ("seeds=range(0,3)", "seeds=[0,1,2]"),
        ("targets=gap,mu", "targets=[gap,mu]"),
        ("seeds=[0],[1]", None),  # whoever writes brackets gets as many runs
        ("seeds=[0,1],[2,3]", None),
        ("seeds=[0,1]", None),
        ("seeds=3", None),
        ("data.split_seed=0,1", None),
        ("seeds=0,[", None),  # Hydra says what is wrong with it
    ],
)
def test_a_sweep_over_single_seeds_or_targets_is_one_pack(given: str, packed: str | None) -> None:
    assert pack_sweeps(["model=mlp,gnn", given]) == ({given: packed} if packed else {})


def test_the_hash_of_a_run_covers_what_changes_numbers_and_nothing_else() -> None:
    from ibbench.run.plan import plan

    def run(*overrides: str) -> str:
        return plan(compose_config(["model=gnn", *overrides])).run

    base = run()
    assert run() == base
    for same in (
        "name=other",
        "model=ladder/gnn",
        "results_dir=elsewhere",
        "device=cpu",
        "trainer.checkpoint_seconds=1",
        "rerun=true",
        "cluster=slurm",
        "data.label_noise=0",  # the defaults of options that older versions did not have
        "data.labels=true",
        "trainer.keep=best",
    ):
        assert run(same) == base
    changes = """
        seeds=[1] optimizer.lr=1e-4 data.train_size=4999 trainer.epochs=3 precision=bfloat16 data.split_seed=1
        budget.value=90000 model.dropout=0.1 data.hydrogens=explicit data.graph=untyped
        data.label_noise=0.1 data.labels=shuffled data.standardise=false data.centre=false trainer.keep=last
        optimizer=sam model.initialisation=small
    """
    for other in changes.split():
        assert run(other) != base
    assert run("model=mlp", "data.augmentation=relabel") != run("model=mlp")


def test_yaml_is_plain() -> None:
    for path in FOLDER.rglob("*.yaml"):
        content = yaml.safe_load(path.read_text())
        targets = [key for key in str(content).split("'") if key == "_target_"]
        assert len(targets) == (1 if path.name == "train.yaml" else 0)
