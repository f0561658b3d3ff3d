"""Weights & Biases: a group for each study, in the project of WANDB_PROJECT; offline where WANDB_MODE says so."""

import hashlib
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibbench.track import Journal, Keeper
from ibbench.track.content import Card, Outcome, Point

_PROJECT = "ibbench"
_OFFLINE = "wandb/offline-run-*-{}"  # in the folder that it is given
_SETTINGS = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
_BEGIN_SECONDS = 40.0


class _WandbRun(Journal):
    """A run of W&B, with an id that follows from its study and name.

    It is written from the start each time and not resumed: W&B replaces a run that has the same id, also when it was
    offline, and cannot join the parts of one that was.
    """

    def __init__(self, card: Card, folder: Path) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        name = id_of(card)
        before = list(folder.glob(_OFFLINE.format(name)))
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            group=card.study,
            id=name,
            name=card.run,
            dir=str(folder),
            config=card.parameters | card.tags | {f"unit.{target}": unit for target, unit in card.units.items()},
            reinit="create_new",
            settings=_settings(),
        )
        self.where = self._run.url or str(folder / "wandb")
        self._old = before if self._run.offline else []
        self._run.define_metric("*", step_metric="step")

    def write(self, points: Sequence[Point]) -> None:
        """Log one row for each step."""
        for (step, epoch), some in itertools.groupby(points, lambda point: (point.step, point.epoch)):
            self._run.log({"step": step, "epoch": epoch} | {point.name: point.value for point in some})
        for path in self._old:
            shutil.rmtree(path, ignore_errors=True)
        self._old = []

    def end(self, outcome: Outcome) -> None:
        """Write figures of the whole run, with its cost, into the summary."""
        self._run.summary.update(outcome.metrics | {f"cost/{name}": value for name, value in outcome.cost.items()})
        self._run.finish(exit_code=0 if outcome.status == "done" else 1)


def id_of(card: Card) -> str:
    """Return the id of a run: the same run in another study is another one, wherever the study lies."""
    return f"{card.run}-{hashlib.sha256(card.study.encode()).hexdigest()[:8]}"


def _settings() -> Any:
    """Have nothing sent but the run itself: no code, no output, nothing about the machine."""
    import wandb

    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT") or _BEGIN_SECONDS),
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


class Wandb(Keeper):
    """Keeps its own files in WANDB_DIR, in a place that was given, or in `results/<study>/wandb/`."""

    def __init__(self, place: str | None) -> None:
        super().__init__(place)
        os.environ.pop("WANDB_RESUME", None)
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        import wandb  # noqa: F401 (that it is not there is found here)

    def begin(self, card: Card) -> Journal:
        """Begin the run, in place of an earlier one with its id."""
        return _WandbRun(card, Path(self.place or os.environ.get("WANDB_DIR") or card.folder))


KEEPER = Wandb
