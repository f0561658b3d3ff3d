"""Runs the command in a process that has imported everything already: tested is the command, not Python's start.

A server process imports the packages once and forks itself for each command. It imports nothing else and computes
nothing, so that a fork is as good as a new process. Tests of start-up itself start a new one.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

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
            raise subprocess.TimeoutExpired(arguments, timeout)
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, *(Path(path).read_text() for path in outputs))


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
