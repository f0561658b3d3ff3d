"""`ibbench.train`: the command `ibbench train`, run in a process of its own.

A training forks workers, handles signals and sets the number of threads. That would disturb the process of a script or
a notebook, which may hold a GPU, threads or an event loop. A process of its own also means that scripts need no
`if __name__ == "__main__"`, whichever way this system starts processes.
"""

import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ibbench.api.study import Study
from ibbench.compare.missing import find_missing
from ibbench.errors import InputError, TrainingError, shorten
from ibbench.options.compose import compose_sweep
from ibbench.options.config import Config
from ibbench.options.typed import quote
from ibbench.record.agenda import config_key, read_agenda, read_start_error
from ibbench.record.folder import StudyFolder, study_folder

_DONE, _REFUSED = 0, 2  # exit codes of the command
_SAID_BY = "ibbench: "  # the beginning of the line in which the command says what was wrong with the input
_PLAIN = re.compile(r"[\w./-]+")  # a text that needs no quotes for Hydra
# Variables that notebooks set, and that would have the command print as on a terminal.
_AS_ON_A_TERMINAL = {"FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
_TOLD = 20  # last lines of the command's output that an error shows


def train(
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    results_dir: Path | str | None = None,
    quiet: bool = False,
) -> Study:
    """Train the runs that `ibbench train` trains with these options, and wait until all are finished.

    Runs that are finished already are not trained again. The output of the command is printed as it comes. After an
    interrupt (Ctrl-C, or the stop button of a notebook) the training is saved, and the same call goes on from there;
    the same holds if this process is killed.

    Args:
        overrides: options as the command takes them, such as `["model=mlp,gnn", "data.train_size=500"]`.
        name: the name of the study, in place of `name=` among the options.
        results_dir: the folder that the study is in, in place of `results_dir=` among the options.
        quiet: whether to print warnings only.

    Returns:
        The study, with all runs that its folder has.

    Raises:
        InputError: an option is not possible. No run was started.
        TrainingError: runs have failed; the other runs stay finished.
        KeyboardInterrupt: the call was interrupted.
    """
    options = _list_options(overrides, name, results_dir)
    configs = compose_sweep(options)
    folder = study_folder(configs[0])
    with TemporaryFile("w+") as errors:
        code, last_lines = _run(options, quiet, errors)
        errors.seek(0)
        complaints = errors.read()
    if code == _REFUSED:
        raise InputError(complaints.rpartition(f"\n{_SAID_BY}")[2].removeprefix(_SAID_BY).strip())
    sys.stderr.write(complaints)
    if code != _DONE:
        failed = _find_failed(folder, configs)
        message = _describe(folder, failed, len(configs), code, [*last_lines, *complaints.splitlines()])
        raise TrainingError(message, folder, failed)
    return Study(folder)


def _list_options(overrides: Sequence[str], name: str | None, results_dir: Path | str | None) -> list[str]:
    if isinstance(overrides, str | bytes) or not all(isinstance(one, str) for one in overrides):
        shown = shorten(str(overrides))
        raise InputError(f"`{shown}` is no list of options: expected one, such as ['model=mlp,gnn', 'seeds=[0,1]']")
    options = list(overrides)
    for option in options:
        if option.startswith("-"):
            raise InputError(f"`{shorten(option)}` is a flag of the command: expected options such as model=gnn")
    for key, value in (("name", name), ("results_dir", results_dir)):
        if value is None:
            continue
        if any(option.partition("=")[0].strip("+") == key for option in options):
            raise InputError(f"`{key}` is given twice, as an argument and as an option: expected once")
        text = str(value) if key == "name" else os.path.expanduser(value)  # noqa: PTH111 (it keeps what a Path drops)
        options.append(f"{key}={text if _PLAIN.fullmatch(text) else quote(text)}")
    return options


def _run(options: list[str], quiet: bool, errors: IO[str]) -> tuple[int, list[str]]:
    """Run the command; return its exit code and the last lines that it printed.

    The command leads a process group of its own, which Ctrl-C in a terminal does not reach: otherwise the interrupt
    would reach it twice, and a second interrupt ends a training without saving it. The input of the command is a pipe
    that ends when this process ends.
    """
    command = [sys.executable, "-P", "-m", "ibbench.api.apart", *(["--quiet"] if quiet else []), *options]
    environment = {name: value for name, value in os.environ.items() if name not in _AS_ON_A_TERMINAL}
    searched = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        errors="replace",
        env=environment | {"PYTHONPATH": searched, "PYTHONIOENCODING": "utf-8"},
        process_group=0,
    )
    last_lines: deque[str] = deque(maxlen=_TOLD)
    reason: BaseException | None = None
    with process:
        while True:
            try:
                _relay(process, last_lines, shows=not quiet)
                break
            except BaseException as error:  # mostly an interrupt: wait until the command has saved its training
                reason = reason or error
                is_interrupt = isinstance(error, KeyboardInterrupt)
                quiet = quiet or not is_interrupt  # other errors come from printing, which would fail again
                process.send_signal(signal.SIGINT if is_interrupt else signal.SIGTERM)
    if reason:
        raise reason
    return process.returncode, list(last_lines)


def _relay(process: subprocess.Popen[str], last_lines: deque[str], shows: bool) -> None:
    """Read the output of a process until it ends: keep the last lines, and print all of them if `shows` is set."""
    assert process.stdout
    for line in process.stdout:
        last_lines.append(line.rstrip())
        if shows:
            sys.stdout.write(line)
    process.wait()


def _find_failed(folder: Path, configs: list[Config]) -> dict[str, str]:
    """Return the reason why each unfinished run of these configs is not finished, by the name of the run."""
    keys = {config_key(config) for config in configs}
    ours = {run for run, planned in read_agenda(folder).items() if planned.key in keys}
    study = StudyFolder.at(folder)
    records, broken = study.readable_records() if study.has_records() else ([], [])
    return {
        one.run: f"{one.state}: {read_start_error(study.runs / one.run) or one.note}"
        for one in find_missing(folder, records, broken)
        if one.run in ours
    }


def _describe(folder: Path, failed: dict[str, str], num_runs: int, code: int, last_lines: list[str]) -> str:
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    if not failed:
        return "\n".join([f"the training of {folder} {how}:", *last_lines])
    listed = "\n".join(f"  {run} {why}" for run, why in failed.items())
    ended = "" if code == 1 else f"; the process that trained {how}"
    return f"{len(failed)} of {num_runs} runs of {folder} are missing{ended}. The same call tries them again.\n{listed}"
