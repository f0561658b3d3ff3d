"""The commands that train the runs of a study again, for users who have its records but not its weights."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibbench.compare.variants import NOT_VARIANTS, find_variants_of, flatten, typed
from ibbench.options.defaults import config_folder, default_options
from ibbench.record.folder import RUNS
from ibbench.record.schema import RECORD, Record

_NAMED = 3  # a sentence shows at most so many commands
_OWN_FILE = {"csv": ("data.path=FILE.csv",)}  # options that a record does not hold, by the source of the data


def tell_training(study: Path, records: Sequence[Record]) -> str:
    """Say in a sentence which commands train these runs of a study.

    Args:
        study: the folder of the study.
        records: the records of the runs.
    """
    commands = list_commands(study, records)
    if not commands:
        return "The `ibbench train` command that made it trains it"
    told = ", ".join(f"`{command}`" for command in commands[:_NAMED])
    more = f" and {len(commands) - _NAMED} more" if len(commands) > _NAMED else ""
    return f"{told}{more} {'trains it' if len(commands) == 1 else 'train them'}"


def list_commands(study: Path, records: Sequence[Record]) -> list[str]:
    """Return the commands that train runs of a study.

    They are the commands that were typed, if all records hold them. Otherwise they are made from the configs: one
    command for all runs that differ in their models only.

    Args:
        study: the folder of the study.
        records: the records of the runs.
    """
    if not records:
        return []
    known = [record.made.command if record.made else "" for record in records]
    # A run whose folder has a record counts as done: only `rerun=true` trains it again.
    again = [(study / RUNS / record.run / RECORD).is_file() for record in records]
    if all(command.startswith("ibbench train") for command in known):
        commands = [command + " rerun=true" * redo for command, redo in zip(known, again, strict=True)]
        return list(dict.fromkeys(commands))
    if any(record.plugins for record in records):
        return []  # the files of plugins may lie elsewhere now
    by_words: dict[tuple[str, ...], list[str]] = {}
    for record, redo in zip(records, again, strict=True):
        by_words.setdefault((*_words(record), *(["rerun=true"] if redo else [])), []).append(
            str(record.config["model"]["name"])
        )
    place = [f"results_dir={study.parent}"] if str(study.parent) not in {".", "results"} else []
    return [
        shlex.join(["ibbench", "train", f"name={study.resolve().name}", *place, f"model={_join(models)}", *words])
        for words, models in by_words.items()
    ]


def _join(models: list[str]) -> str:
    return ",".join(dict.fromkeys(models))


def _words(record: Record) -> list[str]:
    """Return the overrides to type for a run: the options that differ from the defaults of its model."""
    from ibbench.options.compose import compose_config

    config, source = record.config, str(record.config["data"]["source"])
    model = str(config["model"]["name"])
    chosen = [f"data={source}"] if source != "qm9pack" else []
    if config.get("tuning"):
        chosen.append(f"tuning={_nearest('tuning', config['tuning'])}")
    own = _OWN_FILE.get(source, ())
    options = flatten(config)
    of_columns = ("data.smiles_column", "data.target_columns", "data.classes", "data.task")
    needed = [f"{key}={typed(options[key])}" for key in of_columns if key in options]
    usual = compose_config([f"model={model}", *chosen, *own, *needed]).numerics()
    at_one_size = [one | {"data": one["data"] | {"train_size": None}} for one in (usual, config)]
    differing = find_variants_of(at_one_size, apart=False)[1]
    defaults = flatten(usual)
    for key in sorted(NOT_VARIANTS - {"model.name", "data.source"}):
        if options.get(key) != defaults.get(key):
            differing[key] = typed(options.get(key))
    return [*chosen, *own, *needed, *(f"{key}={value}" for key, value in differing.items())]


def _nearest(group: str, options: dict[str, Any]) -> str:
    """Return the name of the file in a config group whose values agree with most of these options."""
    flat = flatten(options)
    names = sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))
    usual = {name: flatten(default_options(group, name)) for name in names}
    return max(names, key=lambda name: sum(flat.get(key) == value for key, value in usual[name].items()))
