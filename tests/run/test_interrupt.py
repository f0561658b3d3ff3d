"""Signals that ask to stop are neither lost nor taken in the middle of a step."""

import os
import signal
import time
import warnings

import pytest

from ibbench.run.interrupt import Stopped, asked, deferring, hand_over, listening, raise_if_asked


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
