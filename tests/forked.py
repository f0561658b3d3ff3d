"""Runs the command in a process that has imported everything already: tested is the command, not Python's start.

A server process imports the packages once and forks itself for each command. It imports nothing else and computes
nothing, so that a fork is as good as a new process. Tests of start-up itself start a new one.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

_CONTEXT = multiprocessing.get_context("forkserver")
_COMMAND = [
    "ibbench.cli",
    "ibbench.commands.train",
    "ibbench.run.execute",
    "ibbench.commands.data",
    "ibbench.commands.table",
    "ibbench.commands.report",
]
# torch imports its compiler, for seconds, when the first optimizer is made.
_CONTEXT.set_forkserver_preload([*_COMMAND, "torch._dynamo", "tests.forked"])


class Forked:
    """`ibbench` with these arguments in a folder, from the start on; it sees the environment of this process."""

    def __init__(self, arguments: list[str], cwd: Path, outputs: Path) -> None:
        self.arguments = arguments
        self._outputs = [outputs / name for name in ("stdout", "stderr")]
        names = [str(path) for path in self._outputs]
        self.process = _CONTEXT.Process(target=_run, args=(arguments, str(cwd), dict(os.environ), *names))
        self.process.start()

    def printed(self) -> str:
        """Return what it has printed so far."""
        return self._outputs[0].read_text() if self._outputs[0].exists() else ""

    def end(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise subprocess.TimeoutExpired(self.arguments, timeout, *(path.read_text() for path in self._outputs))
        assert self.process.exitcode is not None
        exitcode = self.process.exitcode
        self.process.close()
        return subprocess.CompletedProcess(self.arguments, exitcode, *(path.read_text() for path in self._outputs))


def run_apart(function: Callable[[Path], Any], folder: Path) -> Any:
    """Return what a function returns, called in a process that may be forked: it has one thread, and no child yet."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_send, args=(function, folder, dict(os.environ), sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _send(function: Callable[[Path], Any], folder: Path, environment: dict[str, str], sender: Connection) -> None:
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    sender.send(function(folder))


def run_command(arguments: list[str], cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run `ibbench` with these arguments in a folder; it sees the environment of this process."""
    with TemporaryDirectory() as folder:
        return Forked(arguments, cwd, Path(folder)).end(timeout)


@contextlib.contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process whose output can be read as text; whatever happens, it is gone at the end.

    One that a failed test left behind would be reported as a warning in another test, whenever it is collected.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def _run(arguments: list[str], cwd: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under `nohup`
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.flush()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream.fileno())
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ibbench", *arguments]
    from ibbench.cli import main

    main()
