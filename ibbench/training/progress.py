"""One line a run: a live one on a terminal, plain ones elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ibbench.training.loop import State, Task

_PLAIN_SECONDS = 15.0  # between two plain lines: a log should tell that a run is alive, not fill a disk
_SHOWN_TARGETS = 3


class RunProgress:
    """Shows epoch, validation error, molecules a second and time left of one run while it trains."""

    def __init__(self, console: Console, run: str, task: Task, units: dict[str, str], epochs: int) -> None:
        self._console, self._run, self._task, self._units, self._epochs = console, run, task, units, epochs
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._row = self._bar.add_task(run, total=epochs, text="starting")
        self._started = self._last_line = time.perf_counter()
        self._first_epoch: int | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, state: State) -> None:
        """Show the state after an epoch."""
        now = time.perf_counter()
        if self._first_epoch is None:
            self._first_epoch = state.epoch - 1  # a resumed run did not do the earlier epochs in this time
        left = (now - self._started) / (state.epoch - self._first_epoch) * (self._epochs - state.epoch)
        finished = state.epoch == self._epochs or bool(state.stopped.all())
        text = self._describe(state) + ("" if finished else f" · {_duration(left)} left")
        if self._console.is_terminal:
            self._bar.update(self._row, completed=state.epoch, text=text)
        elif finished or now - self._last_line >= _PLAIN_SECONDS:
            self._last_line = now
            self._console.print(f"{self._run}: {text}", highlight=False, markup=False, soft_wrap=True)

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
            f"epoch {state.epoch}/{self._epochs} · validation MAE {', '.join(shown)}{more} · {speed:,.0f} molecules/s"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
