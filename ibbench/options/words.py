"""The fixed sets of words that some flags of commands take, such as the formats of `--format`."""

from collections.abc import Iterable
from enum import StrEnum

NATS = "nats"  # unit of log losses: a target whose errors are in it is a class, see `ibbench.data.targets.Target`


def split_words(given: Iterable[str] | None) -> list[str]:
    """List the values of a flag that may be repeated, and whose values may be joined by commas.

    Args:
        given: the texts that the flag was given, such as `["mlp,gnn", "gat"]`; None where it was not given.
    """
    return [word.strip() for text in given or () for word in text.split(",") if word.strip()]


class DiffFormat(StrEnum):
    """How `ibbench diff` is printed."""

    TERMINAL = "terminal"
    MD = "md"
    JSON = "json"


class TableFormat(StrEnum):
    """How `ibbench table` is printed."""

    TERMINAL = "terminal"
    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"


class PredictFormat(StrEnum):
    """How `ibbench predict` is printed."""

    TERMINAL = "terminal"
    MD = "md"
    CSV = "csv"
    JSON = "json"


class Tracker(StrEnum):
    """The trackers, programs that show runs and their curves in a web page."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Outside(StrEnum):
    """The packages whose whole command `ibbench speed --peer` times beside `ibbench train`."""

    CHEMPROP = "chemprop"


class Geometry(StrEnum):
    """The methods by which `ibbench predict` computes coordinates for models that need them."""

    ETKDG = "etkdg"


class FailOn(StrEnum):
    """The kinds of change on which `ibbench diff` exits with 1."""

    REGRESSION = "regression"
    UNPROVEN = "unproven"
    CHANGE = "change"
    NEVER = "never"


class Axis(StrEnum):
    """The costs along which learning curves are drawn, and which a better model saves at the same error."""

    LABELS = "labels"
    SECONDS = "seconds"
    PARAMETERS = "parameters"
