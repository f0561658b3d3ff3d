"""The real configs: every YAML composes, is valid, and every experiment trains."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ibbench.config import Config, option_names
from ibbench.models import model_names
from ibbench.sweep import compose_config, config_folder, expand

FOLDER = config_folder()
GROUPS = ("optimizer", "schedule", "trainer", "model")
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((FOLDER / group).glob("*.yaml"))]
EXPERIMENTS = [path.stem for path in sorted((FOLDER / "experiment").glob("*.yaml"))]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_of_every_group_is_valid(group: str, choice: str, config: Callable[..., Config]) -> None:
    options = getattr(config(f"{group}={choice}"), group)
    if group != "trainer":
        assert options.name == choice


def test_every_model_has_a_config_and_every_config_a_model() -> None:
    assert {path.stem for path in (FOLDER / "model").glob("*.yaml")} == set(model_names())


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains(experiment: str, ibbench: Callable, tmp_path: Path) -> None:
    small = ["data.train_size=64", "trainer.epochs=1", "budget.value=5000", "model=mlp"]
    small += ["data.validation_size=100", "data.test_size=200"]
    run = ibbench("train", f"+experiment={experiment}", *small)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "results" / experiment / "table.md").exists()


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


def test_the_hash_of_a_run_covers_what_changes_numbers_and_nothing_else() -> None:
    from ibbench.plan import plan

    def run(*overrides: str) -> str:
        return plan(compose_config(["model=gnn", *overrides])).run

    base = run()
    assert run() == base
    for same in ("name=other", "results_dir=elsewhere", "device=cpu", "trainer.checkpoint_seconds=1"):
        assert run(same) == base
    changes = """
        seeds=[1] optimizer.lr=1e-4 data.train_size=4999 trainer.epochs=3 precision=bfloat16 data.split_seed=1
        budget.value=90000 model.dropout=0.1 data.hydrogens=explicit
    """
    for other in changes.split():
        assert run(other) != base


def test_yaml_is_plain() -> None:
    for path in FOLDER.rglob("*.yaml"):
        content = yaml.safe_load(path.read_text())
        targets = [key for key in str(content).split("'") if key == "_target_"]
        assert len(targets) == (1 if path.name == "train.yaml" else 0)
