"""A saved state is taken over whole, or refused with the reason; there is always one to fall back to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ibbench.options.config import Config
from ibbench.run.execute import execute
from ibbench.run.plan import plan
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.loop import train
from ibbench.training.saved import saved_pack_size, saved_part
from ibbench.training.state import State
from ibbench.training.task import Task

Start = Callable[..., tuple[Config, Task, State]]
IDENTITY = {"optimizer": {"lr": 0.002, "name": "adamw"}, "loss": "l1", "replicas": [["gap", 0], ["gap", 1]]}


@pytest.fixture
def two(start: Start, tmp_path: Path) -> list[Path]:
    """Train three epochs of 7 steps and save after each: the states of the third and the second are left."""
    composed, task, state = start("model=mlp", "trainer.epochs=3")
    checkpoints = Checkpoints(tmp_path, 0, IDENTITY)
    for _ in train(task, state, composed):
        checkpoints.save(state)
    return [tmp_path / "checkpoint-0a.safetensors", tmp_path / "checkpoint-0b.safetensors"]


def _load(start: Start, folder: Path, identity: dict = IDENTITY) -> tuple[int, str]:
    _, _, fresh = start("model=mlp", "trainer.epochs=3")
    problems = Checkpoints(folder, 0, identity).load(fresh)
    return fresh.step, "\n".join(problems)


def test_the_two_latest_states_are_kept(two: list[Path], start: Start, tmp_path: Path) -> None:
    assert sorted(tmp_path.iterdir()) == two
    assert _load(start, tmp_path) == (21, "")
    assert saved_part(tmp_path) == (0, 21)
    assert saved_pack_size(tmp_path) == 2
    two[0].unlink()  # the third
    assert _load(start, tmp_path) == (14, "")


def _truncate(content: bytes) -> bytes:
    return content[:-100]


def _flip_a_bit(content: bytes) -> bytes:
    return content[:-50] + bytes([content[-50] ^ 1]) + content[-49:]


def _empty(content: bytes) -> bytes:  # noqa: ARG001
    return b""


@pytest.mark.parametrize("spoil", [_truncate, _flip_a_bit, _empty])
def test_a_damaged_state_gives_way_to_the_one_before(
    spoil: Callable[[bytes], bytes], two: list[Path], start: Start, tmp_path: Path
) -> None:
    two[0].write_bytes(spoil(two[0].read_bytes()))
    step, problems = _load(start, tmp_path)
    assert step == 14
    assert "checkpoint-0a.safetensors is not used, it is damaged" in problems
    assert (tmp_path / "refused-checkpoint-0a.safetensors").exists()
    two[1].write_bytes(spoil(two[1].read_bytes()))
    step, problems = _load(start, tmp_path)
    assert step == 0
    assert "checkpoint-0b.safetensors is not used, it is damaged" in problems


def test_a_state_of_another_training_is_refused_with_what_differs(
    two: list[Path], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = IDENTITY | {"optimizer": {"lr": 0.004, "name": "adamw"}}
    step, problems = _load(start, tmp_path, other)
    assert step == 0
    assert (
        "checkpoint-0a.safetensors is not used, it is of another training: optimizer.lr was 0.002, is 0.004" in problems
    )
    assert not any(path.exists() for path in two)
    for path in two:  # nothing was lost
        (tmp_path / f"refused-{path.name}").rename(path)
    monkeypatch.setattr("ibbench.training.checkpoint.SCHEMA", 99)
    assert "schema was 3, is 99" in _load(start, tmp_path)[1]


def test_a_run_whose_last_state_is_damaged_resumes_from_the_one_before(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    tiny = ["model=mlp", "budget=null", "model.width=8", "data.train_size=100", "data.validation_size=50"]
    options = [*tiny, "data.test_size=50", "trainer.epochs=4", "trainer.checkpoint_seconds=0", "seeds=[0,1]"]
    disturbed, undisturbed = (
        plan(config(*options, f"results_dir={tmp_path / place}")) for place in ("disturbed", "undisturbed")
    )
    calls = []

    def interrupted(*arguments: object) -> object:
        for state in train(*arguments):
            yield state
            calls.append(state.step)
            if calls == [4, 8, 12]:
                raise KeyboardInterrupt

    monkeypatch.setattr("ibbench.run.pack.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(disturbed)
    files = sorted(disturbed.folder.glob("checkpoint-*"))
    assert len(files) == 2
    latest = max(files, key=lambda path: json.loads(_header(path))["step"])
    latest.write_bytes(_flip_a_bit(latest.read_bytes()))
    record = execute(disturbed)
    printed = capfd.readouterr().out
    assert f"{latest.name} is not used, it is damaged: its checksum is not that of its content" in printed
    assert "resuming after step 8" in printed
    other = execute(undisturbed)
    assert record is not None
    assert other is not None
    assert record.replicas == other.replicas
    assert torch.equal(*(torch.tensor([one.test.mae for one in it.replicas]) for it in (record, other)))


def _header(path: Path) -> str:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header["__metadata__"]["facts"]
