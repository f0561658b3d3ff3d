"""What trackers are told: curves that are told apart, and options that are no part of what names a run."""

from collections.abc import Callable

from ibbench.options.config import Config
from ibbench.track.content import num_stages_of, points_of


def _row(step: int, seed: int, mae: float, **more: int) -> dict[str, float | int | str]:
    return {
        "step": step, "epoch": step / 10, "target": "gap", "seed": seed, "learning_rate": 1e-3, "train_loss": 1.0,
        "validation_mae": mae, **more,
    }  # fmt: skip


def test_replicas_and_trials_have_curves_of_their_own(config: Callable[..., Config]) -> None:
    assert num_stages_of(config("tuning=halving").numerics()) == len(config("tuning=halving").tuning.trials)
    assert num_stages_of(config().numerics()) == 1
    early = [_row(10, seed, mae) for seed, mae in ((0, 1.0), (0, 2.0), (1, 3.0), (1, 4.0))]
    last = [_row(10, 0, 5.0), _row(10, 1, 6.0)]
    points = [*points_of(early, num_stages=2, stage=1), *points_of(last, num_stages=2, stage=2)]
    errors = {point.name: point.value for point in points if point.name.endswith("validation_mae")}
    assert errors == {
        "gap/seed 0/stage 1/trial 1/validation_mae": 1.0,
        "gap/seed 0/stage 1/trial 2/validation_mae": 2.0,
        "gap/seed 1/stage 1/trial 1/validation_mae": 3.0,
        "gap/seed 1/stage 1/trial 2/validation_mae": 4.0,
        "gap/seed 0/validation_mae": 5.0,
        "gap/seed 1/validation_mae": 6.0,
    }
    as_written = [*({"stage": 1} | row for row in early), *({"stage": 2} | row for row in last)]
    assert points_of(as_written, num_stages=2) == points
    assert len({(point.name, point.step) for point in points}) == len(points)


def test_trackers_are_no_part_of_what_names_a_run(config: Callable[..., Config]) -> None:
    tracked = config("log=[tensorboard,mlflow]")
    assert list(tracked.log) == ["tensorboard", "mlflow"]
    assert tracked.numerics() == config().numerics()
