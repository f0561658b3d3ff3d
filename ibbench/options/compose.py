"""Overrides in, validated configs out: Hydra composes them, and its errors become one line for the user."""

import contextlib
import copy
import itertools
import re
from collections.abc import Iterable, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, OmegaConfBaseException

from ibbench.errors import InputError, needs_extra, shorten, suggest
from ibbench.options.config import Config, option_names, read_config, suggest_option
from ibbench.options.defaults import config_folder, config_groups, default_options
from ibbench.options.extension import refuse_unnamed, with_plugins
from ibbench.options.typed import as_hydra_reads, sweep_values
from ibbench.plugins.load import fault_of

ROOT_CONFIG = "train"
_VALUE = re.compile(r"(\w+\.[\w.]+|seeds|targets)=")  # an override of an option's value, not the choice of a group
_REPLICAS = ("seeds", "targets")  # options of which one run can have several values
_EXTRA_OF_LAUNCHER = dict.fromkeys(("ibbench_slurm", "ibbench_slurm_local"), "cluster")
_EXTRA_OF_LAUNCHER["ray"] = "ray"


def compose_config(overrides: Sequence[str]) -> Config:
    """Compose and validate one config outside of a sweep.

    Raises:
        InputError: an override or its value is not possible.
    """
    with hydra.initialize_config_dir(str(config_folder()), job_name="ibbench", version_base="1.3"):
        return compose_point(as_hydra_reads(with_plugins(overrides)), ROOT_CONFIG)


def compose_sweep(overrides: Sequence[str]) -> list[Config]:
    """Compose and validate all points that `ibbench train` would run with these overrides.

    Raises:
        InputError: an override or its value is not possible.
    """
    readable = as_hydra_reads(with_plugins(overrides))
    packed = pack_sweeps(readable)
    given = [packed.get(override, override) for override in readable]
    with hydra.initialize_config_dir(str(config_folder()), job_name="ibbench", version_base="1.3"):
        try:
            composed = hydra.compose(ROOT_CONFIG, expand(given)[0], return_hydra_config=True)
            params = [f"{key}={value}" for key, value in (composed.hydra.sweeper.get("params") or {}).items()]
            points = expand([*params, *given])
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise InputError(explain(error)) from None
        return compose_points(points, ROOT_CONFIG)


def compose_point(overrides: Sequence[str], config_name: str) -> Config:
    """Compose and validate one point of a sweep, from within Hydra.

    Raises:
        InputError: an override or its value is not possible.
    """
    return read_composed(_compose(overrides, config_name))


def compose_points(points: Sequence[Sequence[str]], config_name: str) -> list[Config]:
    """Compose and validate the points of a sweep, from within Hydra.

    Hydra takes a tenth of a second to compose a config. So points that choose the same files of `configs/` are composed
    once, and the values in which they differ are then set on copies, as Hydra itself would set them.

    Raises:
        InputError: an override or its value is not possible.
    """
    common = set(points[0]).intersection(*points[1:])
    composed: dict[tuple[str, ...], DictConfig] = {}
    configs = []
    for point in points:
        values = [override for override in point if override not in common and _VALUE.match(override)]
        rest = tuple(override for override in point if override not in values)
        if rest not in composed:
            composed[rest] = _compose(rest, config_name)
        config = copy.deepcopy(composed[rest])
        try:
            for override in OverridesParser.create().parse_overrides(values):
                OmegaConf.update(config, override.key_or_group, override.value())
        except (HydraException, OmegaConfBaseException):
            config = _compose(point, config_name)  # raises an error that says what is wrong
        configs.append(read_composed(config))
    return configs


def _compose(overrides: Sequence[str], config_name: str) -> DictConfig:
    try:
        composed = hydra.compose(config_name, list(overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise InputError(explain(error)) from None
    refuse_unnamed(composed.get("plugins"))
    return composed


def read_composed(composed: DictConfig) -> Config:
    """Validate a config that Hydra has composed.

    Raises:
        InputError: options are wrong; the message names all of them, with what was expected.
    """
    try:
        options = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(explain(error)) from None
    assert isinstance(options, dict)
    return read_config({str(key): value for key, value in options.items()})


def explain(error: Exception) -> str:
    """Return one line that says what was wrong with an override, with the nearest names that would be right.

    Args:
        error: the exception that Hydra or OmegaConf raised while composing.
    """
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        if group == "hydra/launcher" and name in _EXTRA_OF_LAUNCHER:
            return str(needs_extra(f"the launcher `{name}`", _EXTRA_OF_LAUNCHER[name]))
        folder = ""
        if not group.startswith("hydra/"):  # a folder within a group, such as model/ladder, is part of the choice
            group, _, folder = group.partition("/")
        names = [f"{folder}/{option}" if folder else option for option in error.options]
        name = f"{folder}/{name}" if folder else name
        if fault := fault_of({"model": "model", "data": "source"}.get(group, ""), name):
            return fault
        return f"`{group}={shorten(name)}` is not possible: {suggest(name, names)}"
    listed = re.search(r"Could not load '(\w+)/([^']+)'", text)  # one of several choices, as in `task=[logp,mine]`
    if listed and listed[1] in config_groups():
        return f"`{listed[1]}=[{shorten(listed[2])}]` is not possible: {suggest(listed[2], config_groups()[listed[1]])}"
    if isinstance(error, OverrideParseException):
        override = shorten(error.override)
        return f"`{override}` cannot be read: text with other signs than letters and digits stands in quotes"
    unknown = re.search(r"Could not (?:override|append|delete from) '([^'@]+)", text)
    if unknown and "already" not in text:
        key = unknown[1]
        if key.startswith("hydra."):
            return f"`{key}` is not an option of Hydra, or not of this launcher: `--cfg hydra` shows those there are"
        if key in option_names():
            return _not_of_every_choice(key)
        return f"`{shorten(key)}` is not an option: {suggest_option(key)}"
    if text.startswith("Config group override must be"):
        return "a group takes the name of one of its choices: expected a value such as that of model=gnn"
    if isinstance(error, InterpolationResolutionError | InterpolationKeyError) and error.full_key:
        return f"`{error.full_key}` is not possible: {text.splitlines()[0]}"
    if error.__cause__ and text.startswith("Error merging override"):
        text += f": {str(error.__cause__).partition(chr(10))[0]}"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _not_of_every_choice(key: str) -> str:
    group, _, name = key.partition(".")
    having = [choice for choice in config_groups().get(group, []) if name in default_options(group, choice)]
    told = f"`{key}` is not an option of every choice of `{group}` in this command"
    return f"{told}: expected {group}={','.join(having)}{', or some of these' * (len(having) > 1)}" if having else told


def pack_sweeps(arguments: Sequence[str]) -> dict[str, str]:
    """Find sweeps over single seeds, targets or trackers, and write them as lists: `seeds=0,1` as `seeds=[0,1]`.

    The replicas of a list train together, as one run, which is faster than one run after another. This does not depend
    on the number of workers: otherwise that number would decide which runs there are, and a command with another number
    could not go on with them. A user who has more workers than points can sweep over lists, `seeds=[0],[1]`, which are
    left as they are.

    Returns:
        For each sweep that was found, as typed, the argument that replaces it.
    """
    packed = {}
    for argument in arguments:
        if argument.partition("=")[0] in {*_REPLICAS, "log", "baselines"}:
            with contextlib.suppress(HydraException):  # Hydra will say what is wrong with it
                override = OverridesParser.create().parse_override(argument)
                if override.is_discrete_sweep():
                    values = sweep_values(override)
                    if not any(value.startswith("[") for value in values):
                        packed[argument] = f"{override.key_or_group}=[{','.join(values)}]"
    return packed


def expand(overrides: Iterable[str]) -> list[list[str]]:
    """List the points of a sweep, in the order in which Hydra's basic sweeper runs them.

    A later override of a key replaces an earlier one; a value with commas is a sweep over its parts.

    Raises:
        InputError: a sweep has no values, or too many.
        HydraException: an override cannot be parsed.
    """
    choices: dict[str, list[str]] = {}
    known = GlobalHydra.instance()
    loader = known.config_loader() if known.is_initialized() else None  # it knows what `model=glob(*)` means
    for override in OverridesParser.create(loader).parse_overrides(list(overrides)):
        key = override.get_key_element()
        values = sweep_values(override) if override.is_sweep_override() else [override.get_value_element_as_str()]
        choices[key] = [f"{key}={value}" for value in values]
    return [list(point) for point in itertools.product(*choices.values())]
