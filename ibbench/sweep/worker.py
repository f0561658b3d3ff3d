"""The process of a worker: it carries out the orders of its command, and sends back its output and progress."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

import torch

from ibbench.options.config import Config
from ibbench.plugins.load import load_plugins
from ibbench.run.execute import help_train
from ibbench.run.interrupt import Stopped, listen_anew, listening, raise_if_asked
from ibbench.run.pack import Place
from ibbench.run.plan import plan
from ibbench.sweep.point import run_point
from ibbench.terminal import terminal


def work(connection: Connection) -> None:
    """Carry out orders until the command sends None or ends, or a signal asks to stop.

    Args:
        connection: pipe to the command.
    """
    with contextlib.suppress(Stopped, EOFError, OSError), listening(remembering=True):
        threading.Thread(target=_end_with_the_command, daemon=True).start()
        send = _sender(connection)
        sys.stdout, sys.stderr = _Lines(send, "say"), _Lines(send, "complain")
        terminal.cache_clear()
        torch.set_num_threads(1)
        listen_anew()
        raise_if_asked()
        while (order := connection.recv()) is not None:
            plugins, composed, pack_size, age, owner = order
            load_plugins(plugins)
            config = Config.model_validate_json(composed)
            place = Place(lambda name, total: _SentLine(send, name, total), pack_size)
            if owner:
                help_train(plan(config), age, owner, place)
            send("over", "done" if owner else run_point(config, place))


def _end_with_the_command() -> None:
    """Wait for the end of the command, then end this process, too, by a signal that has it save its state first."""
    command = multiprocessing.parent_process()
    assert command
    wait([command.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _sender(connection: Connection) -> Callable[..., None]:
    """Return a function that sends a message to the command; if the command has ended, the message is dropped."""

    def send(*message: Any) -> None:
        with contextlib.suppress(OSError):
            connection.send(message)

    return send


class _SentLine:
    """A line of progress like `LiveLine`, which the command shows in place of this process.

    Args:
        send: function that sends a message to the command.
        name: beginning of the line, such as the name of the run.
        total: number of parts that the work has.
    """

    def __init__(self, send: Callable[..., None], name: str, total: int) -> None:
        self.total = total
        self._send, self._name = send, name

    def __enter__(self) -> Self:
        self._send("begin", self._name, self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send("end")

    def show(self, done: int, text: str, is_last: bool) -> None:
        """Have the command show how many parts are done, with a few words."""
        self._send("show", done, text, is_last)


class _Lines(io.TextIOBase):
    """A text stream that sends all that is printed to the command, line by line.

    Args:
        send: function that sends a message to the command.
        kind: first word of each message: `say` or `complain`.
    """

    def __init__(self, send: Callable[..., None], kind: str) -> None:
        self._send, self._kind = send, kind
        self._rest = ""

    def write(self, text: str) -> int:
        """Send all complete lines, and keep the rest for the next call."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._send(self._kind, line)
        return len(text)
