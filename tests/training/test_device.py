"""The memory that counts as free: what the machine has, within the limits of the control groups."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from ibbench.training.device import cgroup_memory, free_memory
from ibbench.training.packs import count_fitting

MB = 10**6


def _group(folder: Path, files: dict[str, int | str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n")


def _v2(limit: int | str, used: int, cached: int) -> dict[str, int | str]:
    return {"memory.max": limit, "memory.current": used, "memory.stat": f"anon 1\ninactive_file {cached}"}


def _v1(limit: int, used: int, cached: int) -> dict[str, int | str]:
    stat = f"inactive_file 7\ntotal_inactive_file {cached}"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


def test_a_group_leaves_its_limit_less_what_is_used_and_not_only_cached(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/slurm/job\n")
    _group(tmp_path / "v2/slurm/job", _v2(500 * MB, 300 * MB, 100 * MB))
    assert cgroup_memory(tmp_path / "v2", membership) == [300 * MB]
    membership.write_text("5:devices:/slurm\n4:cpu,memory:/slurm/job\n1:name=systemd:/\n")
    _group(tmp_path / "v1/memory/slurm/job", _v1(500 * MB, 300 * MB, 50 * MB))
    assert cgroup_memory(tmp_path / "v1", membership) == [250 * MB]


def test_the_limits_of_the_groups_above_hold_too(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/slurm/job\n")
    _group(tmp_path / "v2/slurm/job", _v2("max", 300 * MB, 0))
    _group(tmp_path / "v2/slurm", _v2(400 * MB, 350 * MB, 0))
    _group(tmp_path / "v2", _v2(900 * MB, 500 * MB, 0))
    _group(tmp_path, _v2(1, 0, 0))  # above the mount: no group
    assert cgroup_memory(tmp_path / "v2", membership) == [50 * MB, 400 * MB]


def test_in_a_container_the_mount_is_the_group_whatever_the_host_calls_it(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    for line, files, mount in (("0::/docker/1a2b", _v2, "v2"), ("4:memory:/docker/1a2b", _v1, "v1/memory")):
        membership.write_text(line + "\n")
        _group(tmp_path / mount, files(200 * MB, 150 * MB, 0))
        assert cgroup_memory(tmp_path / mount.partition("/")[0], membership) == [50 * MB]


def test_a_platform_without_groups_has_no_limits(tmp_path: Path) -> None:
    assert cgroup_memory(tmp_path, tmp_path / "none") == []


def test_free_memory_is_no_more_than_the_machine_and_the_groups_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < free_memory(torch.device("cpu")) <= psutil.virtual_memory().total
    monkeypatch.setattr("ibbench.training.device.cgroup_memory", lambda: [9 * 10**18, 5 * MB])
    assert free_memory(torch.device("cpu")) == 5 * MB


@pytest.mark.parametrize(
    ("line", "files", "mount"), [("0::/job", _v2, "groups"), ("4:memory:/job", _v1, "groups/memory")]
)
def test_the_file_of_a_limit_is_honoured_by_all_that_asks_for_memory(
    line: str, files: Callable[..., dict[str, int | str]], mount: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text(line + "\n")
    _group(tmp_path / mount / "job", files(64 * MB, 60 * MB, 0))
    read = partial(cgroup_memory, tmp_path / "groups", membership)
    monkeypatch.setattr("ibbench.training.device.cgroup_memory", read)
    assert free_memory(torch.device("cpu")) == 4 * MB
    assert (count_fitting(1 * MB), count_fitting(MB / 4)) == (2, 8)
    _group(tmp_path / mount / "job", files(10**18, 60 * MB, 0))  # more than the machine has: no limit
    assert free_memory(torch.device("cpu")) > 64 * MB
