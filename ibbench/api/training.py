"""`ibbench.train`: the command, in a process of its own.

A training forks workers, takes over signals and sets how many threads compute. All of that belongs to a process that it
has for itself, and not to that of a script or a notebook, which may hold a GPU, threads or an event loop. So no
`if __name__ == "__main__"` is needed either, whichever way processes are started on this system.
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
_SAID_BY = "ibbench: "  # how it begins a line that says what was wrong with the input
_PLAIN = re.compile(r"[\w./-]+")  # needs no quotes
_AS_ON_A_TERMINAL = {"FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}  # set in a notebook
_TOLD = 20  # last lines of what it printed, where it has ended for a reason of its own


def train(
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    results_dir: Path | str | None = None,
    quiet: bool = False,
) -> Study:
    """Train what `ibbench train` does with these options, and wait for it; runs that are finished stay as they are.

    What the command prints is printed as it comes. An interrupt (Ctrl-C, or the stop button of a notebook) is handed
    on: what is trained is saved, and the same call goes on from there. So it is if this process ends meanwhile.

    Args:
        overrides: options as the command takes them, such as `["model=mlp,gnn", "data.train_size=500"]`.
        name: that of the study, for `name=` among the options.
        results_dir: the folder that the study is in, for `results_dir=` among the options.
        quiet: whether to print warnings only.

    Returns:
        The study, with all runs that its folder has.

    Raises:
        InputError: an option is not possible. Nothing was started.
        TrainingError: runs have failed; those that are finished stay.
        KeyboardInterrupt: an interrupt came.
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

    It leads a group of processes of its own, which Ctrl-C in a terminal does not reach: otherwise it would come twice,
    and a second one does not wait for anything to be saved. Its input is a pipe that ends when this process does.
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
            except BaseException as error:  # an interrupt above all: what is trained is to be saved first
                reason = reason or error
                is_interrupt = isinstance(error, KeyboardInterrupt)
                quiet = quiet or not is_interrupt  # as where nobody can be shown anything any more
                process.send_signal(signal.SIGINT if is_interrupt else signal.SIGTERM)
    if reason:
        raise reason
    return process.returncode, list(last_lines)


def _relay(process: subprocess.Popen[str], last_lines: deque[str], shows: bool) -> None:
    """Print what a process prints until it ends."""
    assert process.stdout
    for line in process.stdout:
        last_lines.append(line.rstrip())
        if shows:
            sys.stdout.write(line)
    process.wait()


def _find_failed(folder: Path, configs: list[Config]) -> dict[str, str]:
    """Return why runs of these configs are not finished, by their names."""
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
