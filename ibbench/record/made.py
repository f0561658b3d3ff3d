"""How a record came about: when, on which machine, by which command, from which state of the code around it."""

import functools
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime

from ibbench.record.schema import MadeEntry

COMMAND = "IBBENCH_COMMAND"  # the environment variable that tells processes and jobs which command has started them
_GIT_SECONDS = 5.0


def note_command(words: list[str]) -> None:
    """Remember the command line, for this process and those that it starts."""
    os.environ[COMMAND] = shlex.join(words)


def describe_making() -> MadeEntry:
    """Say when (now, UTC), where and by which command a record is made; nothing of it is part of a run's name."""
    return MadeEntry(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        command=os.environ.get(COMMAND) or shlex.join(sys.argv),
        revision=find_revision(),
    )


@functools.cache
def find_revision() -> str | None:
    """Return the commit of the git repository around the current folder, with `+` if files differ from it.

    None where there is no git, no repository, or no answer in time. It is asked once per process: a run asks before it
    trains, since the code may change meanwhile.
    """
    words = ["git", "--no-optional-locks", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(
            words, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
