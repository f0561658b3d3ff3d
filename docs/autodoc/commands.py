"""The page of all commands with their arguments and flags, which Typer writes from the commands themselves."""

import re
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
    return _TOP + _with_whole_sentences(rest)


def _with_whole_sentences(page: str) -> str:
    """Let lists of commands link to each, and say all that it says of itself, which Typer cuts after some words."""
    about = dict(re.findall(r"^#+ `ibbench ([\w -]+)`\n\n(.+)$", page, re.MULTILINE))
    lines = []
    for line in page.splitlines():
        listed = re.match(r"\* `([\w-]+)`: ", line)
        name = next((name for name in about if listed and name.split()[-1] == listed[1]), None)
        lines.append(f"* [`{name}`](#ibbench-{name.replace(' ', '-')}): {about[name]}" if name else line)
    return "\n".join(lines) + "\n"
