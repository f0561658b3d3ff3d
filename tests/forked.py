"""Runs the command in a process that has imported everything already: tested is the command, not Python's start.

A server process imports the packages once and forks itself for each command. It imports nothing else and computes
nothing, so that a fork is as good as a new process. Tests of start-up itself start a new one.
"""

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["ibbench.cli", "ibbench.sweep", "ibbench.run", "ibbench.listing", "ibbench.compare.tabulate", "tests.forked"]
)


def run_command(arguments: list[str], cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run `ibbench` with these arguments in a folder; it sees the environment of this process."""
    with TemporaryDirectory() as folder:
        outputs = [str(Path(folder) / name) for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_run, args=(arguments, str(cwd), dict(os.environ), *outputs))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        assert process.exitcode is not None
        exitcode = process.exitcode
        process.close()
        return subprocess.CompletedProcess(arguments, exitcode, *(Path(path).read_text() for path in outputs))


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
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.flush()
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, stream.fileno())
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ibbench", *arguments]
    from ibbench.cli import main

    main()
