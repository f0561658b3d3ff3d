"""What `ibbench train` hands to Hydra, and Hydra to it."""

import pickle
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from ibbench.commands.train import StudyCallback, run_sweep
from ibbench.options.config import Config
from ibbench.record.folder import read_finished
from ibbench.record.lease import hold
from ibbench.run.plan import plan
from ibbench.sweep.sweep import Sweep

TINY = ["experiment=tiny", "seeds=[0]", "trainer.epochs=20", "trainer.compile=false"]


@pytest.mark.parametrize(
    ("cluster", "plugin", "exit_code"),
    [
        ("local", "", 2),
        ("cores", "", 2),
        ("slurm", "hydra_plugins.hydra_submitit_launcher", 0),
        ("slurm_local", "hydra_plugins.hydra_submitit_launcher", 0),
    ],
)
def test_only_jobs_that_live_on_are_left_behind(
    cluster: str, plugin: str, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plugin and not find_spec(plugin):
        pytest.skip(f"{plugin} is not installed: pip install 'ibbench[cluster]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ibbench"])
    with pytest.raises(SystemExit) as left:
        run_sweep([f"cluster={cluster}", "model=mlp", "budget.value=5000"], dry_run=True, detach=True)
    assert left.value.code == exit_code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_another_process_has_given_up_meanwhile_is_trained_in_the_end(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ibbench"])
    gnn, mlp = (plan(config(f"model={name}", *TINY)).folder for name in ("gnn", "mlp"))
    taken, given_up = threading.Event(), threading.Event()

    def train_for_a_while() -> None:
        with hold(gnn):
            taken.set()
            while not (mlp / "lock").exists() and not given_up.wait(0.005):  # the turn of the gnn is over then
                pass

    other = threading.Thread(target=train_for_a_while)
    other.start()
    assert taken.wait(60)
    try:
        run_sweep(["model=gnn,mlp", "workers=1", *TINY])
    finally:
        given_up.set()
        other.join()
    assert read_finished(gnn)
    assert read_finished(mlp)


def test_a_job_is_not_sent_the_other_points(config: Callable[..., Config]) -> None:
    callback = StudyCallback(dry_run=False, detach=False)
    small = pickle.dumps(callback)
    callback.sweep = Sweep([config()] * 1000, [["model=gnn"]] * 1000, lambda _: True)
    assert pickle.dumps(callback) == small
    assert callback.sweep is not None
