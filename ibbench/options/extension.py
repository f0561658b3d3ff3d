"""What plugins add to the config: the option that names them, and a choice for each of their models and sources."""

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ibbench.errors import InputError, shorten
from ibbench.options.model import defaults_of
from ibbench.options.typed import as_hydra_reads, quote
from ibbench.plugins.load import installed_faults, load_plugins, loaded_plugins
from ibbench.plugins.registry import entered_names
from ibbench.terminal import warn

_OPTION = "plugins"
# The defaults of a plugin's data set, whose size and elements are not known here: all that is not validation or test is
# train, and features are those for organic chemistry.
_UNCUT = {"train_size": None, "validation_size": 0.1, "test_size": 0.1, "features": "organic"}


def with_plugins(arguments: Sequence[str]) -> list[str]:
    """Load the plugins that the arguments of a command name, and add the models and sources of plugins to Hydra.

    Models and sources of installed packages are added, too.

    Args:
        arguments: overrides, `OPTION=VALUE`, and flags.

    Returns:
        The arguments, in which plugins have absolute paths and digests: a process that starts later, elsewhere, loads
        the same code or none.

    Raises:
        InputError: a plugin cannot be loaded, or the value of `plugins` cannot be read.
    """
    named = []
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        is_it = equals and key.strip().lstrip("+") == _OPTION
        named.append(f"{_OPTION}={_pin(argument)}" if is_it else argument)
    _offer()
    return named


def refuse_unnamed(composed: Any) -> None:
    """Refuse plugins that only a config file names: the file may be somebody else's, and a plugin is code.

    Args:
        composed: the value of the option `plugins` that Hydra has composed.

    Raises:
        InputError: the value names a plugin that the command line does not name.
    """
    texts = [composed] if isinstance(composed, str) else composed or ()
    for text in texts:
        if text not in loaded_plugins():
            raise InputError(
                f"a config file names the plugin {shorten(str(text))}: expected it on the command line, as in "
                f"'{_OPTION}=[my_model.py]', which is where code is named"
            )


def _pin(argument: str) -> str:
    (readable,) = as_hydra_reads([argument])
    short = shorten(argument)
    try:
        override = OverridesParser.create().parse_override(readable)
    except HydraException:
        raise InputError(f"`{short}` cannot be read: expected a list, such as '{_OPTION}=[my_model.py]'") from None
    if override.is_sweep_override():
        raise InputError(f"`{short}` would be a sweep: expected one list for all runs, such as '{_OPTION}=[a.py,b.py]'")
    value = override.value()
    texts = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text for text in texts):
        raise InputError(f"`{short}` is not possible: expected a list of texts, such as '{_OPTION}=[my_model.py]'")
    return name_list(load_plugins(str(text) for text in texts))


def name_list(plugins: Sequence[str]) -> str:
    """Write plugins, as `load_plugins` returns them, as the value of the option `plugins` on a command line."""
    return f"[{','.join(quote(text) for text in plugins)}]"


def _offer() -> None:
    """Add the models and sources of plugins to Hydra's groups; warn of installed ones that cannot be loaded."""
    for kind in ("model", "source"):
        for fault in installed_faults(kind):
            warn(fault)
    store = ConfigStore.instance()
    for name in entered_names("model"):
        recipe: dict[str, Any] = {"defaults": ["/recipe/shared@_here_", "_self_"], "name": name}
        store.store(group="model", name=name, node=defaults_of(name) | recipe)
    for name in entered_names("source"):
        data: dict[str, Any] = {"defaults": ["qm9pack", "_self_"], "source": name}
        store.store(group="data", name=name, node=data | _UNCUT)
