"""Reads what trackers have kept, from their own files: one dictionary for each run."""

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from ibbench.track.wandb import log_records

Curves = dict[str, list[tuple[int, float]]]


class Kept(NamedTuple):
    """A run, as a tracker has it: its curves, parameters, figures of the whole run, group, and status."""

    curves: Curves
    parameters: dict[str, Any]
    summary: dict[str, float]
    group: str = ""
    status: str = ""


def read_tensorboard(folder: Path) -> dict[str, list[Kept]]:
    """Read event files; a folder with several of them counts as several runs."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found: dict[str, list[Kept]] = {}
    for path in sorted(folder.glob("*/events.out.tfevents.*")):
        events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        curves = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        start = HParamsPluginData.FromString(
            events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        ).session_start_info
        parameters = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
        ended = "_hparams_/session_end_info" in events.PluginTagToContent("hparams")
        found.setdefault(path.parent.name, []).append(
            Kept(curves, parameters, {name: points[-1][1] for name, points in curves.items()}, status=str(ended))
        )
    return found


def read_mlflow(database: Path) -> dict[str, list[Kept]]:
    """Read the tables of MLflow, but for what is in its trash."""
    found: dict[str, list[Kept]] = {}
    with sqlite3.connect(database) as connection:
        ask = connection.execute
        query = "select run_uuid, r.name, status, e.name from runs r join experiments e using (experiment_id) "
        for run, name, status, experiment in ask(query + "where r.lifecycle_stage = 'active'").fetchall():
            curves: Curves = {}
            for key, step, value in ask(
                "select key, step, value from metrics where run_uuid = ? order by timestamp, step", [run]
            ):
                curves.setdefault(key, []).append((step, value))
            parameters = dict(ask("select key, value from params where run_uuid = ?", [run]).fetchall())
            parameters |= dict(ask("select key, value from tags where run_uuid = ?", [run]).fetchall())
            summary = dict(ask("select key, value from latest_metrics where run_uuid = ?", [run]).fetchall())
            found.setdefault(name, []).append(Kept(curves, parameters, summary, experiment, status))
    connection.close()
    return found


def read_wandb(folder: Path) -> dict[str, list[Kept]]:
    """Read the logs of runs that were offline."""
    from wandb.proto.wandb_internal_pb2 import Record

    found: dict[str, list[Kept]] = {}
    for path in sorted(folder.glob("offline-run-*/*.wandb")):
        name, group, exit_code = "", "", ""
        curves: Curves = {}
        config: dict[str, Any] = {}
        summary: dict[str, float] = {}
        for content in log_records(path.read_bytes()):
            record = Record.FromString(content)
            match record.WhichOneof("record_type"):
                case "run":
                    name, group = record.run.display_name, record.run.run_group
                    config |= {_key(item): json.loads(item.value_json) for item in record.run.config.update}
                case "history":
                    row = {_key(item): json.loads(item.value_json) for item in record.history.item}
                    for key in row.keys() - {"step", "epoch"}:
                        if not key.startswith("_"):
                            curves.setdefault(key, []).append((row["step"], row[key]))
                case "summary":
                    summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
                case "exit":
                    exit_code = str(record.exit.exit_code)
        found.setdefault(name, []).append(Kept(curves, config, summary, group, exit_code))
    return found


def _key(item: Any) -> str:
    return item.key or "/".join(item.nested_key)
