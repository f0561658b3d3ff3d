"""An interruption that Python drops is raised after all."""

import os
import signal
import warnings

import pytest

from ibbench.interrupt import listen, raise_if_asked


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_in_a_destructor_is_not_lost() -> None:
    class Interrupted:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1000))  # somewhere in here the handler is called, and what it raises is dropped

    before = signal.getsignal(signal.SIGINT)
    try:
        listen()
        raise_if_asked()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Interrupted()
        with pytest.raises(KeyboardInterrupt):
            raise_if_asked()
        listen()
        raise_if_asked()
    finally:
        signal.signal(signal.SIGINT, before)
