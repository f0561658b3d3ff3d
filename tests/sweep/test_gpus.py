"""Runs and packs divided over the GPUs of a machine, which are fake: each stands for the CPU."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
import torch

import ibbench.sweep.workers
import ibbench.training.device
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.sweep.sweep import Sweep
from ibbench.training.device import choose_device
from tests.forked import run_apart, run_command

SHORT = ["data.train_size=64", "data.validation_size=50", "data.test_size=100", "budget.value=8000", "trainer.epochs=2"]
ONE_RUN = ["model=mlp", "seeds=[0,1,2,3]", *SHORT, "trainer.compile=false"]
TWO_RUNS = ["model=mlp,deep_sets", "seeds=[0,1]", *SHORT, "trainer.compile=false"]


def _train_on_two_gpus(words: list[str], folder: Path) -> tuple[str, set[tuple[int, int]]]:
    """Train with two fake GPUs; return what was printed, and each (process, GPU) that has trained."""
    from ibbench.commands.train import run_sweep

    def take(number: int, named: bool) -> torch.device:
        if named:
            with (folder / "taken").open("a") as file:
                file.write(f"{os.getpid()} {number}\n")
        return torch.device("cpu")

    os.chdir(folder)
    with ExitStack() as fakes, (folder / "printed").open("w") as printed:
        fakes.enter_context(mock.patch.object(sys, "stdout", printed))
        fakes.enter_context(mock.patch.object(ibbench.training.device, "count_gpus", lambda: 2))
        fakes.enter_context(mock.patch.object(ibbench.training.device, "_take_gpu", take))
        # Of these fakes a process that is not forked would know nothing.
        fakes.enter_context(mock.patch.object(ibbench.sweep.workers, "_FOR_GPUS", ibbench.sweep.workers._CONTEXT))
        run_sweep([*words, "device=cuda:all"])
    taken = {tuple(map(int, line.split())) for line in (folder / "taken").read_text().splitlines()}
    return (folder / "printed").read_text(), taken


def _one_run(folder: Path) -> tuple[str, set[tuple[int, int]]]:
    return _train_on_two_gpus(ONE_RUN, folder)


def _two_runs(folder: Path) -> tuple[str, set[tuple[int, int]]]:
    return _train_on_two_gpus(TWO_RUNS, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "words", "told", "per_pack"),
    [(_one_run, ONE_RUN, "2 packs at a time", 2), (_two_runs, TWO_RUNS, "2 runs at a time", 2)],
)
def test_each_gpu_has_a_process_and_numbers_are_those_of_one_device(
    train: Callable, words: list[str], told: str, per_pack: int, tmp_path: Path
) -> None:
    """Nothing that is left on disk depends on how many GPUs there were."""
    folders = {name: tmp_path / name for name in ("gpus", "cpu")}
    for folder in folders.values():
        folder.mkdir()
    printed, taken = run_apart(train, folders["gpus"])
    assert f"On 2 GPUs: {told}, one per GPU" in printed
    assert {number for _, number in taken} == {0, 1}
    assert len({process for process, _ in taken}) == len(taken)  # each process has one GPU
    alone = run_command(["train", *words, "device=cpu", f"trainer.replicas_per_pack={per_pack}"], folders["cpu"])
    assert alone.returncode == 0, alone
    found = {
        name: {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("results/*/runs/*/pred*.npz")}
        for name, folder in folders.items()
    }
    assert found["gpus"] == found["cpu"]
    assert len(found["cpu"]) == words[0].count(",") + 1


def test_jobs_of_a_cluster_have_a_gpu_each(config: Callable[..., Config]) -> None:
    sweep = Sweep([config("device=cuda:all")], [[]], lambda _: True, here=False)
    with pytest.raises(InputError, match="expected device=cuda, with which each job has a GPU of its own"):
        sweep.check()


def test_a_device_that_is_not_there_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="`device=mps` is not possible: expected auto, cpu, cuda or cuda:N"):
        choose_device("mps")
    monkeypatch.setattr("ibbench.training.device.count_gpus", lambda: 0)
    for name in ("cuda", "cuda:0", "cuda:all"):
        with pytest.raises(InputError, match=f"`device={name}` is not possible: torch sees no CUDA device"):
            choose_device(name)
    monkeypatch.setattr("ibbench.training.device.count_gpus", lambda: 2)
    with pytest.raises(InputError, match="torch sees 2 CUDA devices"):
        choose_device("cuda:2")
