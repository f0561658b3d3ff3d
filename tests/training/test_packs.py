"""Packs change when replicas train, not what they become."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import ibbench.run.pack
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.device import peak_memory_mb, reset_peak_memory
from ibbench.training.loop import train
from ibbench.training.packs import bytes_per_replica, choose_pack_size, list_replicas, split_into_packs
from ibbench.training.replicas import Replica
from ibbench.training.state import State
from ibbench.training.task import Task

QM9 = QM9_PADDING["implicit"]
SMALL = ["model=gnn", "targets=[gap,mu]", "seeds=[0,1]", "data.train_size=100", "trainer.epochs=2"]


@pytest.mark.parametrize(("count", "most", "sizes"), [(7, 3, [3, 2, 2]), (4, 4, [4]), (4, 100, [4]), (3, 1, [1, 1, 1])])
def test_packs_are_few_and_even_and_keep_the_order(count: int, most: int, sizes: list[int]) -> None:
    replicas = [Replica("gap", seed) for seed in range(count)]
    packs = split_into_packs(replicas, most)
    assert [len(pack) for pack in packs] == sizes
    assert [replica for pack in packs for replica in pack] == replicas


def test_the_size_of_the_first_pack_gives_the_same_packs_again() -> None:
    for count in range(1, 41):
        replicas = [Replica("gap", seed) for seed in range(count)]
        for most in range(1, count + 1):
            packs = split_into_packs(replicas, most)
            assert split_into_packs(replicas, len(packs[0])) == packs
            assert max(map(len, packs)) <= most


def _points(config: Callable[..., Config], tmp_path: Path) -> dict[str, ibbench.run.execute.Point]:
    shared = [*SMALL, "budget.value=5000"]
    return {
        size: plan(config(*shared, f"trainer.replicas_per_pack={size}", f"results_dir={tmp_path / size}"))
        for size in ("auto", "3")
    }


def test_a_run_in_packs_equals_the_run_in_one(config: Callable[..., Config], tmp_path: Path) -> None:
    points = _points(config, tmp_path)
    assert points["auto"].run == points["3"].run
    whole, packed = (execute(point) for point in points.values())
    assert [(entry.target, entry.seed) for entry in packed.replicas] == [("gap", 0), ("gap", 1), ("mu", 0), ("mu", 1)]
    for one, other in zip(whole.replicas, packed.replicas, strict=True):
        assert other.test.mae == pytest.approx(one.test.mae, rel=1e-4)
    files = [np.load(point.folder / "predictions.npz", allow_pickle=False) for point in points.values()]
    assert files[0]["target"].tolist() == files[1]["target"].tolist()
    np.testing.assert_allclose(files[0]["prediction"], files[1]["prediction"], rtol=1e-3, atol=1e-3)
    histories = [(point.folder / "history.csv").read_text().splitlines() for point in points.values()]
    assert len(histories[0]) == len(histories[1]) == 1 + 4 * 2
    assert not list(points["3"].folder.glob("checkpoint*"))


def test_an_interruption_keeps_the_packs_before_it(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    point = _points(config, tmp_path)["3"]
    calls = []

    def interrupted(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(ibbench.run.pack, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(point)
    assert [path.name for path in point.folder.glob("checkpoint*")] == ["checkpoint-0a.safetensors"]
    capfd.readouterr()
    record = execute(point)
    printed = "".join(capfd.readouterr())
    assert "(1 of 2): resuming after step 8" in printed
    assert "(1 of 2): step" not in printed  # it was at its end
    assert len(record.replicas) == 4


def test_auto_takes_what_fits_into_half_of_the_free_memory(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = config("model=gnn", "budget=null", "model.width=32")
    each = bytes_per_replica(composed, QM9)
    for free, expected in ((7 * each, 3), (each, 1)):
        monkeypatch.setattr("ibbench.training.packs.free_memory", lambda _, free=free: free)
        assert choose_pack_size(composed, QM9, torch.device("cpu")) == expected
    monkeypatch.undo()
    assert choose_pack_size(composed, QM9, torch.device("cpu")) > 10
    given = config("model=gnn", "budget=null", "model.width=32", "trainer.replicas_per_pack=5")
    assert choose_pack_size(given, QM9, torch.device("cpu")) == 5
    assert len(list_replicas(given)) == 3


def test_the_memory_of_a_replica_is_about_what_was_predicted(start: Callable[..., tuple[Config, Task, State]]) -> None:
    def peak(batch_size: int) -> tuple[float, float]:
        size = ["data.train_size=4000", f"trainer.batch_size={batch_size}", "trainer.epochs=1", "model.width=64"]
        composed, task, state = start("model=gnn", "seeds=[0]", *size)
        reset_peak_memory(torch.device("cpu"))
        for _ in train(task, state, composed):
            pass
        return peak_memory_mb(torch.device("cpu")), bytes_per_replica(composed, QM9) / 1e6

    (small, few), (large, many) = peak(500), peak(4000)
    assert large - small == pytest.approx(many - few, rel=0.7)
