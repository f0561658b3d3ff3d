"""The flags and options of Hydra that a command takes; those that would have no effect, or do harm, are refused."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ibbench.errors import InputError, suggest

_FLAGS = {
    "--help": "-h",
    "--hydra-help": "",
    "--version": "",
    "--cfg": "-c",
    "--resolve": "",
    "--package": "-p",
    "--multirun": "-m",
    "--shell-completion": "-sc",
    "--config-path": "-cp",
    "--config-name": "-cn",
    "--config-dir": "-cd",
    "--info": "-i",
}
_REFUSED = {
    "--run": "expected hydra.mode=RUN",
    "-r": "expected hydra.mode=RUN",
    "--experimental-rerun": "the same command again goes on with its study",
}
_OWN = ("--dry-run", "--detach", "--quiet")  # flags of `ibbench train`, which Typer removes before Hydra sees the rest
_USED = ("hydra.mode", "hydra.searchpath", "hydra.verbose")
_USED_GROUPS = ("hydra.launcher.", "hydra.sweeper.", "hydra.callbacks.", "hydra.job.", "hydra.job_logging.")
_FIXED = {"hydra.job.chdir", "hydra.job.config", "hydra.job.id", "hydra.job.num", "hydra.job.override_dirname"}
_FOLDER = "${results_dir}/${name}/runs"
_FOLDERS = {"sweep.dir": _FOLDER, "sweep.subdir": ".", "run.dir": _FOLDER, "output_subdir": None}


def check_flags(arguments: Sequence[str]) -> None:
    """Check the arguments that begin with `-`, and the options of Hydra among the others.

    Raises:
        InputError: there is no such flag, or a flag or an option would have no effect.
    """
    known = [name for flag in _FLAGS.items() for name in flag if name]
    given = [argument.partition("=")[0] for argument in arguments if argument.startswith("-") and argument != "--"]
    for flag in given:
        if flag in _REFUSED:
            raise InputError(f"`{flag}` is not possible: {_REFUSED[flag]}")
        if flag not in known:
            near = suggest(flag, [*_OWN, *known])
            hint = near if near.startswith("did you mean") else "--help and --hydra-help list what there is"
            raise InputError(f"`{flag}` is not a flag: {hint}")
    if {"--package", "-p"} & set(given) and not {"--cfg", "-c"} & set(given):
        raise InputError("`--package` says which part `--cfg` is to show: expected `--cfg job --package PART`")
    for argument in arguments:
        key = argument.partition("=")[0].lstrip("+~")
        is_hydras = "=" in argument and key.partition(".")[0] == "hydra"
        if is_hydras and (key in _FIXED or not (key in _USED or key.startswith(_USED_GROUPS))):
            raise InputError(f"`{argument}` is not possible: {_reason(key)}")


def check_folders(config: DictConfig) -> None:
    """Check that no config file sets an option of Hydra that `check_flags` refuses on the command line.

    Args:
        config: the composed config, with Hydra's own part.

    Raises:
        InputError: such an option is set.
    """
    if config.hydra.job.chdir:
        raise InputError(f"`hydra.job.chdir=true` is not possible: {_reason('hydra.job.chdir')}")
    own: Any = OmegaConf.to_container(config.hydra, resolve=False)
    for key, usual in _FOLDERS.items():
        group, _, name = key.rpartition(".")
        value = (own[group] if group else own)[name]
        if value != usual:
            raise InputError(f"`hydra.{key}={value}` is not possible: {_reason(f'hydra.{key}')}")


def _reason(key: str) -> str:
    if key == "hydra.job.chdir":
        return "paths are relative to the folder where the command is run"
    if key.partition(".")[2].startswith(("run", "sweep", "output_subdir")):
        return "the folder of a study is results_dir/name"
    if key == "hydra.launcher":
        return "expected cluster=NAME"
    return "it would change nothing"
