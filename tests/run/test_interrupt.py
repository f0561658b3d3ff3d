"""Signals that ask to stop are neither lost nor taken in the middle of a step."""

import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.options.config import Config
from ibbench.record.folder import RECORD
from ibbench.run import execute
from ibbench.run.interrupt import Stopped, asked, deferring, hand_over, listening, raise_if_asked
from ibbench.run.plan import plan


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_in_a_destructor_is_not_lost() -> None:
    class Interrupted:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1000))  # somewhere in here the handler is called, and what it raises is dropped

    with listening():
        raise_if_asked()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Interrupted()
        with pytest.raises(KeyboardInterrupt):
            raise_if_asked()
    with listening():
        raise_if_asked()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP])
def test_a_signal_waits_for_the_end_of_a_step_only_where_it_is_told_to(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under `nohup`
    before = signal.getsignal(number)
    with listening(), pytest.raises(Stopped):
        os.kill(os.getpid(), number)
    with listening(), deferring():
        assert not asked()
        os.kill(os.getpid(), number)
        assert asked()
        with pytest.raises(Stopped) as stopped:
            raise_if_asked()
        assert stopped.value.number == number
    assert signal.getsignal(number) == before


def test_what_breaks_because_of_a_signal_is_no_failure(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        with deferring():
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C, which also ends the C++ compiler of this process
            raise RuntimeError("C++ compile error")

    monkeypatch.setattr(execute, "_train", broken)
    point = plan(config("model=mlp", "budget=null", "model.width=8", "trainer.epochs=1", f"results_dir={tmp_path}"))
    with listening(), pytest.raises(Stopped):
        execute.execute(point)
    assert not (point.folder / RECORD).exists()


def test_a_step_that_does_not_end_is_interrupted() -> None:
    with listening(), deferring(seconds=0.2), pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)


def test_a_signal_is_forgotten_at_the_end_unless_it_is_to_be_remembered() -> None:
    for remembering in (True, False):
        with pytest.raises(Stopped), listening(remembering=remembering):
            os.kill(os.getpid(), signal.SIGTERM)
        with listening():
            assert asked() is remembering


def test_who_listened_before_is_told_in_the_end() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    try:
        with listening():
            with pytest.raises(Stopped) as stopped:
                os.kill(os.getpid(), signal.SIGUSR2)
            assert heard == []
            assert hand_over(stopped.value)
            assert heard == [signal.SIGUSR2]
            assert not hand_over(Stopped(signal.SIGINT))  # nobody but Python itself
    finally:
        signal.signal(signal.SIGUSR2, before)
