"""What is said of a run while it trains: one line."""

import time

from ibbench.terminal import Line, duration
from ibbench.training.length import Length
from ibbench.training.state import State
from ibbench.training.task import Task

_SHOWN_TARGETS = 3


class RunProgress:
    """Shows steps, validation error, molecules per second and time left of one training.

    Args:
        line: the line that shows it; its total is the number of steps.
        task: the molecules and replicas that are trained.
        length: the length of the training.
        units: the unit of each target.
    """

    def __init__(self, line: Line, task: Task, length: Length, units: dict[str, str]) -> None:
        self._line, self._task, self._length, self._units = line, task, length, units
        is_class = task.truth.is_class
        self._word = "log loss" if is_class.all() else "error" if is_class.any() else "MAE"
        self._started = time.perf_counter()
        self._first_step: int | None = None

    def update(self, state: State) -> None:
        """Show the state after a validation."""
        if self._first_step is None:  # a resumed run did not take the earlier steps in this time
            self._first_step = max(state.step - self._length.interval, 0)
        spent = time.perf_counter() - self._started
        left = spent / (state.step - self._first_step) * (self._line.total - state.step)
        finished = state.step == self._line.total or bool(state.stopped.all())
        text = self._describe(state) + ("" if finished else f" · {duration(left)} left")
        self._line.show(state.step, text, finished)

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
        passes = self._length.passes(state.step)
        speed = self._task.subsets.numel() * passes / state.train_seconds
        return (
            f"step {state.step:,}/{self._line.total:,} (epoch {passes:.3g}) · "
            f"validation {self._word} {', '.join(shown)}{more} · {speed:,.0f} molecules/s"
        )
