"""The words that flags of commands take, where there are only so many."""

from collections.abc import Iterable
from enum import StrEnum


def split_words(given: Iterable[str] | None) -> list[str]:
    """List what a flag was given that may be repeated, and whose values may be joined by commas."""
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
    """What shows runs beside those of other programs."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Geometry(StrEnum):
    """Where `ibbench predict` has the coordinates of molecules from."""

    ETKDG = "etkdg"


class FailOn(StrEnum):
    """Which kind of change has `ibbench diff` exit with 1."""

    REGRESSION = "regression"
    UNPROVEN = "unproven"
    CHANGE = "change"
    NEVER = "never"


class Axis(StrEnum):
    """What learning curves are drawn along, and what is saved at the same error."""

    LABELS = "labels"
    SECONDS = "seconds"
    PARAMETERS = "parameters"
