"""The page of all commands with their arguments and flags, which Typer writes from the commands themselves."""

import subprocess
import sys

_TOP = """# Commands

Every command with what it takes, as `ibbench COMMAND --help` says it. Where it takes `overrides`, these are
[options of the config](options.md), such as `data.train_size=1000`. [Exit codes](study.md#exit-codes) say what came of
a command. `ibbench --install-completion` lets the shell complete all of this.

"""


def page() -> str:
    """Write the page.

    Raises:
        subprocess.CalledProcessError: Typer cannot write it.
    """
    command = [sys.executable, "-m", "typer", "ibbench.cli", "utils", "docs", "--name", "ibbench", "--title", "ibbench"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    _, _, rest = written.partition("\n")
    return _TOP + rest
