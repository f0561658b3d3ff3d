"""Arguments that several commands share, their shell completion, and the message about a value that is wrong.

Heavy imports stand inside the functions, which run only when a shell completes a word.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ibbench.errors import InputError, suggest


class Commands(TyperGroup):
    """The group of all commands. A wrong value of a flag becomes an `InputError`, whose message is one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed.

        Raises:
            InputError: a flag does not take the value that it was given.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            raise InputError(_describe(error)) from None


def _describe(error: typer.BadParameter) -> str:
    name = error.param.opts[0] if error.param and error.param.opts else str(error.param_hint or "")
    message = error.message.removeprefix("Value error, ")
    if wrong := re.match(r"'(.*)' is not one of (.*)", message):
        words = re.findall(r"'(.+?)'", wrong[2])
        return f"{name} `{wrong[1]}` is not possible: {suggest(wrong[1], words)}"
    return f"{name} is not possible: {message[:1].lower()}{message[1:]}"


def complete_override(ctx: typer.Context, incomplete: str) -> list[str]:
    """List what the last word of a command may become, for commands that take options of the config."""
    from ibbench.baselines.pairs import pair_names
    from ibbench.data.targets import QM9_ATOM_TARGETS, QM9_TARGETS
    from ibbench.options.completion import complete_option
    from ibbench.plugins.code import names_in

    given = ctx.params.get("overrides") or ctx.params.get("what") or ()
    named = re.findall(r"[^\s=,\[\]'\"]+\.py\b", " ".join(given))
    known = {f"{group}=": [name for path in named for name in names_in(path, room)] for group, room in _ROOMS.items()}
    return complete_option(
        given, incomplete, {"targets": [*QM9_TARGETS, *QM9_ATOM_TARGETS], "baselines": list(pair_names())} | known
    )


_ROOMS = {"model": ("ibbench", "ibbench.models.registry"), "data": ("ibbench.data.sources",)}  # which have `register`


def complete_study(incomplete: str) -> list[str]:
    """List the folders of studies that the last word of a command may become."""
    from ibbench.record.find import find_studies

    return find_studies(incomplete)


def complete_probe(incomplete: str) -> list[str]:
    """List what a word with names of probes, joined by commas, may become when its last name is completed."""
    from ibbench.probes import probe_names

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in probe_names() if name.startswith(last)]


def complete_either(ctx: typer.Context, incomplete: str) -> list[str]:
    """List what the last word may become, for commands that take a study or options of the config."""
    return [*complete_study(incomplete), *complete_override(ctx, incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Options of the config, such as data.hydrogens=explicit",
        show_default=False,
        autocompletion=complete_override,
    ),
]
AnyStudy = Annotated[
    Path, typer.Argument(help="A study, such as results/quick", show_default=False, autocompletion=complete_study)
]
StudyOrRun = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY_OR_RUN",
        help="A study that is trained, or a run of it",
        show_default=False,
        autocompletion=complete_study,
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugins", help="Files or packages that models are from, such as my_model.py", show_default=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress, only results and what went wrong")]
