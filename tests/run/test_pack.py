"""Successive halving within a pack: selection, resuming, and replicas that tune alone as they do packed."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from ibbench.options.config import Config
from ibbench.options.trial import draw_trials
from ibbench.record.schema import Record
from ibbench.run import pack
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.loop import train

FEW = ("budget=null", "model.width=8", "data.train_size=100", "data.validation_size=100", "data.test_size=200")
TUNED = (*FEW, "tuning=halving", "trainer.steps=24", "trainer.checkpoint_seconds=0")
SEARCH = ("model=mlp", *TUNED, "model.normalisation=batch", "seeds=[0,1]", "trainer.replicas_per_pack=1")


def _run(config: Callable[..., Config], *overrides: str) -> Record:
    record = execute(plan(config(*overrides)))
    assert record is not None
    assert record.status == "done", record.error
    return record


@pytest.mark.parametrize("model", ["mlp", "gnn"])
def test_the_trial_with_the_lowest_validation_error_goes_on(
    model: str, config: Callable[..., Config], tmp_path: Path
) -> None:
    tuned = config(f"model={model}", *TUNED, "seeds=[3,4]", f"results_dir={tmp_path}")
    for replica in _run(config, f"model={model}", *TUNED, "seeds=[3,4]", f"results_dir={tmp_path}").replicas:
        stages = {steps: [trial for trial in replica.trials if trial.steps == steps] for steps in (6, 12, 24)}
        assert [(one.lr, one.weight_decay, one.dropout) for one in stages[6]] == draw_trials(tuned, replica.seed)
        for before, after in ((6, 12), (12, 24)):
            ranked = sorted(stages[before], key=lambda trial: trial.validation_mae or float("inf"))
            best = {trial.lr for trial in ranked[: len(stages[after])]}
            assert {trial.lr for trial in stages[after]} == best
        chosen = replica.trials[-1]
        assert chosen.validation_mae == pytest.approx(replica.validation.mae)
        assert chosen.test_mae == pytest.approx(replica.test.mae)
        assert replica.molecules == 5 * 164 + 2 * 300 + 600  # 6, 12 and 24 steps of 4 to a pass of 100 molecules


@pytest.mark.slow
def test_a_replica_tunes_alone_as_it_does_packed(config: Callable[..., Config], tmp_path: Path) -> None:
    shared = ("model=deep_sets", *TUNED, f"results_dir={tmp_path}")
    packed = {(one.target, one.seed): one for one in _run(config, *shared, "seeds=[0,1]", "targets=[gap,u0]").replicas}
    for target, seed in packed:
        (alone,) = _run(config, *shared, f"seeds=[{seed}]", f"targets=[{target}]").replicas
        for one, other in zip(alone.trials, packed[target, seed].trials, strict=True):
            assert (one.lr, one.dropout) == (other.lr, other.dropout)
            assert one.validation_mae == pytest.approx(other.validation_mae, rel=1e-4)


def test_half_of_the_steps_have_a_schedule_of_their_own(config: Callable[..., Config], tmp_path: Path) -> None:
    shared = ("model=mlp", *FEW, "seeds=[0]", f"results_dir={tmp_path}")
    whole = _run(config, *shared, "tuning=convergence", "trainer.steps=24").replicas[0]
    half = _run(config, *shared, "trainer.steps=12").replicas[0]
    same = _run(config, *shared, "trainer.steps=24").replicas[0]
    assert [trial.test_mae for trial in whole.trials] == [half.test.mae, same.test.mae]
    assert whole.test == same.test


@pytest.fixture(scope="module")
def undisturbed(config: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """Return the record and the folder of the search that the next test interrupts."""
    point = plan(config(*SEARCH, f"results_dir={tmp_path_factory.mktemp('undisturbed')}"))
    record = execute(point)
    assert record is not None
    return record, point.folder


@pytest.mark.slow
@pytest.mark.parametrize("part", [1, 3, 5], ids=lambda part: f"pack {part // 3 + 1}, stage {part % 3 + 1}")
def test_a_search_goes_on_where_it_was_interrupted(
    part: int,
    config: Callable[..., Config],
    undisturbed: tuple[Record, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = plan(config(*SEARCH, f"results_dir={tmp_path}"))
    begun: list[float] = []

    def interrupted(*arguments: object) -> object:
        begun.append(0)
        for number, state in enumerate(train(*arguments)):  # type: ignore[arg-type]
            yield state
            if len(begun) == part + 1 and number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(pack, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(point)
    monkeypatch.setattr(pack, "train", train)
    resumed, (record, folder) = execute(point), undisturbed
    assert resumed is not None
    assert resumed.replicas == record.replicas
    tables = [pd.read_csv(one / "history.csv") for one in (point.folder, folder)]
    pd.testing.assert_frame_equal(*tables)


def test_a_trial_that_diverges_loses_to_the_others(config: Callable[..., Config], tmp_path: Path) -> None:
    wild = ("optimizer=sgd", "loss=mse", "schedule=constant", "tuning.lr=[1e-4,1e16]")
    (replica,) = _run(config, "model=mlp", *TUNED, *wild, "seeds=[0]", f"results_dir={tmp_path}").replicas
    diverged = [trial for trial in replica.trials if trial.validation_mae is None]
    assert diverged
    assert replica.trials[-1].validation_mae is not None
    assert torch.isfinite(torch.tensor(replica.test.mae))


def test_molecules_are_those_of_the_steps_that_were_taken(config: Callable[..., Config], tmp_path: Path) -> None:
    hasty = ("trainer.patience=1", "trainer.validate_every=1", "optimizer.lr=0.5", "tuning.lr=[0.3,3.0]")
    words = ("model=mlp", *TUNED, *hasty, "seeds=[0]", f"results_dir={tmp_path}")
    (replica,) = _run(config, *words).replicas
    history = pd.read_csv(plan(config(*words)).folder / "history.csv")
    taken = history.groupby("stage")["step"].max()
    assert taken.sum() < 6 + 12 + 24
    assert replica.molecules is not None
    assert replica.molecules <= sum(
        trials * 32 * steps for trials, steps in zip((5, 2, 1), taken.tolist(), strict=True)
    )
