"""Weights & Biases: a group for each study, in the project of WANDB_PROJECT; offline where WANDB_MODE says so."""

import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibbench.track import Journal, Keeper
from ibbench.track.content import Card, Outcome, Point

_PROJECT = "ibbench"
_OFFLINE = "wandb/offline-run-*-{}"  # folders of offline runs with an id, within the folder that W&B writes to
_SETTINGS = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
_BEGIN_SECONDS = 40.0
_FLUSH_SECONDS = 20.0
# Bytes of a block and of a header in W&B's logs, and the kinds of parts that end a record: 1 is whole, 4 is last.
_BLOCK, _HEADER, _LAST_PARTS = 32_768, 7, {1, 4}


class _WandbRun(Journal):
    """A run of W&B, with an id that follows from its study and name.

    The run is always written from the start, and never resumed. W&B replaces a run that has the same id, also an
    offline run, and could not join the parts of an offline run that was resumed.
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
        """Log points, one row per step."""
        for (step, epoch), some in itertools.groupby(points, lambda point: (point.step, point.epoch)):
            self._run.log({"step": step, "epoch": epoch} | {point.name: point.value for point in some})
        for path in self._old:
            shutil.rmtree(path, ignore_errors=True)
        self._old = []

    def end(self, outcome: Outcome) -> None:
        """Write the figures of the whole run, and its cost, into the summary, and finish the run.

        Raises:
            OSError: the log of an offline run is not complete, as on a full disk.
        """
        self._run.summary.update(outcome.metrics | {f"cost/{name}": value for name, value in outcome.cost.items()})
        self._run.finish(exit_code=0 if outcome.status == "done" else 1)
        if self._run.offline:
            _check_whole(Path(self._run.settings.sync_file))


def id_of(card: Card) -> str:
    """Return the id of a run, from its name and that of its study; the folder of the study does not matter."""
    return f"{card.run}-{hashlib.sha256(card.study.encode()).hexdigest()[:8]}"


def _check_whole(path: Path) -> None:
    """Check that a log contains the end of its run, since W&B does not report a full disk.

    Raises:
        OSError: the end of the run is still missing after 20 seconds.
    """
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    deadline = time.monotonic() + _FLUSH_SECONDS
    while True:  # the process of W&B may still be writing the log after `finish` has returned
        kinds = {Record.FromString(content).WhichOneof("record_type") for content in log_records(path.read_bytes())}
        if "exit" in kinds:
            return
        if time.monotonic() > deadline:
            raise OSError(f"{path} could not be written to its end: is the disk full?")
        time.sleep(0.1)


def log_records(content: bytes) -> list[bytes]:
    """Divide a log of W&B, which has LevelDB's format, into its records.

    A record consists of one or more parts. Each part has a header of 7 bytes: a checksum, the length of the part, and
    its kind. The file is divided into blocks of 32 KiB, and a part does not extend over two blocks. The file begins
    with a header of W&B's own, which has 7 bytes, too. A record whose end is missing is left out.

    Args:
        content: the content of the log file.
    """
    records, parts, at = [], b"", _HEADER
    while at + _HEADER <= len(content):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in _LAST_PARTS and at <= len(content):
            records.append(parts)
            parts = b""
    return records


def _settings() -> Any:
    """Return settings with which W&B sends nothing but the run itself: no code, no output, no facts of the machine."""
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
    """Writes W&B's own files to the place that was given, to WANDB_DIR, or to `results/<study>/wandb/`."""

    def __init__(self, place: str | None) -> None:
        super().__init__(place)
        os.environ.pop("WANDB_RESUME", None)
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        import wandb  # noqa: F401 (so that a missing package is found here)

    def begin(self, card: Card) -> Journal:
        """Begin the run, which replaces an earlier run with the same id."""
        return _WandbRun(card, Path(self.place or os.environ.get("WANDB_DIR") or card.folder))


KEEPER = Wandb
