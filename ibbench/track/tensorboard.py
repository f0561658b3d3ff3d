"""TensorBoard: event files, in one folder per run within the folder of the study."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ibbench.record.folder import TENSORBOARD
from ibbench.track import Journal, Keeper
from ibbench.track.content import Card, Outcome, Point

_FILES = "events.out.tfevents.*"
_STATUS = {"done": "STATUS_SUCCESS", "failed": "STATUS_FAILURE", "stopped": "STATUS_UNKNOWN"}


class _EventFile(Journal):
    """The event file of a run, always written from the start; an older file is deleted when this one has points."""

    def __init__(self, folder: Path, card: Card) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.where = str(folder.parent)
        self._units = card.units
        folder.mkdir(parents=True, exist_ok=True)
        self._old = list(folder.glob(_FILES))
        name = f"events.out.tfevents.{time.time_ns()}.{platform.node()}.{os.getpid()}.ibbench"
        self._writer = RecordWriter((folder / name).open("wb"))
        self._writer.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        self._add([_text("config", _as_table(card.parameters | card.tags)), *_hyperparameters(card)], 0)
        self._writer.flush()

    def write(self, points: Sequence[Point]) -> None:
        """Write points as scalars, with the unit of the target in the description of an MAE."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata

        for point in points:
            unit = self._units.get(point.name.partition("/seed ")[0]) if point.name.endswith("_mae") else None
            plugin = SummaryMetadata.PluginData(plugin_name="scalars")
            about = SummaryMetadata(plugin_data=plugin, summary_description=f"in {unit}" if unit else "")
            self._add([Summary.Value(tag=point.name, simple_value=point.value, metadata=about)], point.step)
        self._writer.flush()
        for path in self._old:
            path.unlink(missing_ok=True)
        self._old = []

    def end(self, outcome: Outcome) -> None:
        """Write the figures of the whole run at its last step, its cost, and how it ended."""
        self.write([Point(name, outcome.step, 0, value) for name, value in outcome.metrics.items()])
        if outcome.cost:
            self._add([_text("cost", _as_table(outcome.cost))], outcome.step)
        self._add([_session_end(outcome)], outcome.step)
        self._writer.close()

    def _add(self, values: list[Any], step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._writer.write(event.SerializeToString())


def _as_table(values: dict[str, Any]) -> str:
    rows = [f"| {name} | {str(value).replace('|', '&#124;')} |" for name, value in values.items()]
    return "\n".join(["| | |", "| :-- | :-- |", *rows])


def _text(tag: str, text: str) -> Any:
    """Return a text in Markdown as the summary value that TensorBoard's tab of texts shows."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary.Value(tag=tag, metadata=about, tensor=TensorProto(dtype="DT_STRING", string_val=[text.encode()]))


def _hyperparameters(card: Card) -> list[Any]:
    """Return the options of a run as the summary value that TensorBoard's tab of hyper-parameters shows."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

    start = SessionStartInfo(group_name=card.run, start_time_secs=time.time())
    for name, value in card.parameters.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = "null" if value is None else value
    return [_session("_hparams_/session_start_info", session_start_info=start)]


def _session_end(outcome: Outcome) -> Any:
    from tensorboard.plugins.hparams.api_pb2 import Status
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo

    end = SessionEndInfo(status=Status.Value(_STATUS[outcome.status]), end_time_secs=time.time())
    return _session("_hparams_/session_end_info", session_end_info=end)


def _session(tag: str, **content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    data = HParamsPluginData(version=0, **content).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data)
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))


class TensorBoard(Keeper):
    """Writes to `results/<study>/tensorboard/<run>/`, or to `<place>/<run>/` if a place was given."""

    def begin(self, card: Card) -> Journal:
        """Begin the event file of a run."""
        return _EventFile(Path(self.place or Path(card.folder) / TENSORBOARD) / card.run, card)


KEEPER = TensorBoard
