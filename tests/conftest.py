"""Real data for all tests: QM9 is built once a session unless IBBENCH_CACHE points to a cache already."""

import functools
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # rounding depends on it; before torch, which reads it once

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from jaxtyping import install_import_hook

install_import_hook("ibbench.models", "beartype.beartype")  # shapes in the types are checked here, and free elsewhere

from ibbench.data.dataset import DataSet, load_dataset  # noqa: E402
from ibbench.options.compose import compose_config  # noqa: E402
from ibbench.options.config import Config  # noqa: E402
from tests.forked import run_command  # noqa: E402

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # the workers share one cache
    return Path(os.environ.setdefault("IBBENCH_CACHE", str(base / "cache")))


@pytest.fixture(scope="session")
def config(cache: Path) -> Callable[..., Config]:  # noqa: ARG001 (it must exist before the data are loaded)
    @functools.cache  # Hydra takes a sixth of a second, and a config does not change
    def compose(*overrides: str) -> Config:
        return compose_config(overrides)

    return compose


@pytest.fixture(scope="session")
def qm9(config: Callable[..., Config], cache: Path) -> DataSet:
    with _built_once(cache):
        return load_dataset(config().data)


@pytest.fixture(scope="session")
def qm9_explicit(config: Callable[..., Config], cache: Path) -> DataSet:
    with _built_once(cache):
        return load_dataset(config("data.hydrogens=explicit").data)


def _built_once(cache: Path) -> FileLock:
    """Let one worker build the cache for all: it is right without this, but takes twice as long."""
    cache.mkdir(parents=True, exist_ok=True)
    return FileLock(cache / "tests.lock")


@pytest.fixture
def ibbench(tmp_path: Path) -> Command:
    """Run the command in an empty folder, as a user would."""

    def run(*arguments: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return run_command(list(arguments), cwd)

    return run


@pytest.fixture(autouse=True)
def _same_randomness() -> None:
    torch.manual_seed(0)
