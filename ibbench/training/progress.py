"""What is said of a run while it trains: one line."""

import time

from ibbench.terminal import Line
from ibbench.training.loop import State, Task

_SHOWN_TARGETS = 3


class RunProgress:
    """Shows epoch, validation error, molecules per second and time left of one run while it trains.

    Args:
        line: where it is shown; its total is the number of epochs.
        task: what is trained on.
        units: the unit of each target.
    """

    def __init__(self, line: Line, task: Task, units: dict[str, str]) -> None:
        self._line, self._task, self._units = line, task, units
        self._started = time.perf_counter()
        self._first_epoch: int | None = None

    def update(self, state: State) -> None:
        """Show the state after an epoch."""
        if self._first_epoch is None:
            self._first_epoch = state.epoch - 1  # a resumed run did not do the earlier epochs in this time
        spent = time.perf_counter() - self._started
        left = spent / (state.epoch - self._first_epoch) * (self._line.total - state.epoch)
        finished = state.epoch == self._line.total or bool(state.stopped.all())
        text = self._describe(state) + ("" if finished else f" · {_duration(left)} left")
        self._line.show(state.epoch, text, finished)

    def _describe(self, state: State) -> str:
        replicas = self._task.replicas
        errors: dict[str, list[float]] = {}
        for (target, _), row in zip(replicas, state.history[-len(replicas) :], strict=True):
            errors.setdefault(target, []).append(float(row["validation_mae"]))
        shown = [
            f"{target} {sum(maes) / len(maes):.4g} {self._units[target]}"
            for target, maes in list(errors.items())[:_SHOWN_TARGETS]
        ]
        more = f" (+{len(errors) - _SHOWN_TARGETS} targets)" if len(errors) > _SHOWN_TARGETS else ""
        speed = self._task.subsets.numel() * state.epoch / state.train_seconds
        return (
            f"epoch {state.epoch}/{self._line.total} · validation MAE {', '.join(shown)}{more} · "
            f"{speed:,.0f} molecules/s"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
