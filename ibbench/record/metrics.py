"""The errors that a record has of a replica: of numbers, and of classes."""

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt


class Entry(BaseModel):
    """A part of a record: no unknown fields, no infinities, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricsEntry(Entry):
    """Errors over one set of molecules; MAE and RMSE in the target's unit, null where a figure is undefined.

    The figures are those of `training.metrics.Metrics`.
    """

    mae: NonNegativeFloat
    rmse: NonNegativeFloat
    r2: float | None
    mae_over_std: float | None


class AtomMetricsEntry(MetricsEntry):
    """Errors of a target of atoms over all atoms of one set of molecules; `atoms` is their number."""

    atoms: PositiveInt


class ClassMetricsEntry(Entry):
    """Errors of the probabilities of a class over one set of molecules; null where a figure is undefined.

    The figures are those of `training.class_metrics.ClassMetrics`. `mae` is the name under which statistics know the
    mean error of any target: here that error is the log loss, and the other figures of numbers do not exist.
    """

    log_loss: NonNegativeFloat
    brier: NonNegativeFloat
    auroc: float | None
    average_precision: float | None
    calibration_error: NonNegativeFloat
    calibration_by_chance: NonNegativeFloat

    @property
    def mae(self) -> float:
        """The mean error, which is the log loss in nats."""
        return self.log_loss

    @property
    def rmse(self) -> None:
        """No figure of a class."""

    @property
    def r2(self) -> None:
        """No figure of a class."""

    @property
    def mae_over_std(self) -> None:
        """No figure of a class."""


AnyMetricsEntry = MetricsEntry | AtomMetricsEntry | ClassMetricsEntry  # their fields tell them apart
