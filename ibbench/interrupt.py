"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a destructor, or a callback from C that
cannot pass it on, it is printed and forgotten, and the training would go on. So it is noted as well, and asked for
between epochs and runs.
"""

import signal
import threading
from types import FrameType

_asked = threading.Event()


def listen() -> None:
    """Note every Ctrl-C from now on; it is raised as KeyboardInterrupt all the same."""
    _asked.clear()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (what `signal` calls)
    _asked.set()
    raise KeyboardInterrupt


def raise_if_asked() -> None:
    """Raise the KeyboardInterrupt that was lost, if one was."""
    if _asked.is_set():
        raise KeyboardInterrupt
