"""The program that `ibbench.train` starts: it trains, and ends when the process that has started it ends."""

import os
import signal
import sys
import threading

from ibbench.commands.train import run_sweep
from ibbench.errors import InputError, leave
from ibbench.terminal import never_fail

_INPUT = 0  # the number of the standard input, here a pipe from the caller


def main() -> None:
    """Run `ibbench train` with the arguments of this process: `--quiet` or not, and then overrides."""
    never_fail()
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    arguments = sys.argv[1:]
    quiet = arguments[:1] == ["--quiet"]
    try:
        run_sweep(arguments[quiet:], quiet=quiet)
    except InputError as error:
        leave(error)
    except OSError as error:
        leave(InputError(str(error)))


def _end_with_the_caller() -> None:
    """Wait until the calling process has ended, even by being killed; then have this one save its training and end."""
    while os.read(_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
