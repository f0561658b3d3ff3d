"""A worker of joblib is given one run after another, until it is told to stop."""

import os
import pickle
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from ibbench.run.interrupt import listening
from ibbench.sweep.workers import run_in_worker


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    yield
    with listening():  # forgets the signal
        pass


def _train(config: str) -> str:
    if config == "long":
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it goes on after the signal")
    return "done"


def test_a_worker_that_was_told_to_stop_begins_no_further_run() -> None:
    work = pickle.loads(pickle.dumps(partial(run_in_worker, _train)))  # as joblib sends it
    assert [work(config) for config in ("short", "long", "short")] == ["done", "stopped", "stopped"]
