"""The command line. Each command reads its arguments and calls one function of `commands/`, imported inside it.

`--help` lists the commands in the order in which these files are imported.
"""

import typer

from ibbench.cli import compute, read, show  # noqa: F401
from ibbench.cli.app import app
from ibbench.errors import InputError, leave

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; bad input is one message and exit code 2."""
    from ibbench.terminal import lost_output, never_fail

    never_fail()
    try:
        app()
    except InputError as error:
        leave(error)
    except OSError as error:
        leave(InputError(str(error)))
    except SystemExit as end:
        lost = lost_output()
        if end.code or not lost:
            raise
        typer.echo(f"ibbench: the output could not be written: {lost.strerror}", err=True)
        raise SystemExit(1) from None
