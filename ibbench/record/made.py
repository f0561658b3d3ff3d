"""How a record was made: when, on which machine, by which command, and from which state of the code."""

import functools
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime

from ibbench.record.schema import MadeEntry

COMMAND = "IBBENCH_COMMAND"  # environment variable by which processes and jobs know the command that started them
_GIT_SECONDS = 5.0


def note_command(words: list[str]) -> None:
    """Remember the command line, for the records of this process and of the processes that it starts."""
    os.environ[COMMAND] = shlex.join(words)


def describe_making() -> MadeEntry:
    """Return when (now, in UTC), where and by which command a record is made. None of this changes a run's name."""
    return MadeEntry(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        command=os.environ.get(COMMAND) or shlex.join(sys.argv),
        revision=find_revision(),
    )


@functools.cache
def find_revision() -> str | None:
    """Return the commit of the git repository around the current folder, with `+` if files differ from it.

    None without git or a repository, or if git takes longer than 5 seconds. git is asked once per process; a run asks
    before it trains, since the code may change meanwhile.
    """
    words = ["git", "--no-optional-locks", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(
            words, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
