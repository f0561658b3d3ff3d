"""`ibbench export`: the finished runs of a study, sent to trackers such as TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ibbench.compare.missing import find_missing
from ibbench.compare.retrain import tell_training
from ibbench.errors import INTERRUPTED, InputError
from ibbench.options.words import Tracker
from ibbench.record.folder import HISTORY, StudyFolder
from ibbench.record.history import read_history
from ibbench.record.schema import BrokenError, Record
from ibbench.terminal import LiveLine, mention, say, warn
from ibbench.track import check_installed
from ibbench.track.content import card_of, num_stages_of, outcome_of, points_of
from ibbench.track.follow import Answer, Follower, close_office


class _Sendable(NamedTuple):
    """The records of the runs that can be sent, and sentences about the runs that cannot."""

    records: list[Record]
    left_out: list[str]


def export_study(study: Path, trackers: Sequence[Tracker], output: str | None, console: Console) -> bool:
    """Send each finished run of a study to trackers. Points that a tracker has already are not sent twice.

    Args:
        study: the folder of the study.
        trackers: the trackers to send the runs to.
        output: a folder for the files of TensorBoard or W&B, or the data base of MLflow; None for the usual place.
        console: the terminal to print on.

    Returns:
        Whether the trackers have all runs of the study now.

    Raises:
        InputError: the study has no run to send, a tracker is not installed, or the output is not possible. Nothing is
            sent.
        SystemExit: with exit code 130, when it was interrupted.
    """
    trackers = list(dict.fromkeys(trackers))
    if output is not None:
        _check_output(output, trackers)
    check_installed(trackers)
    chosen = _choose(study)
    try:
        failures, places = _send(study, chosen.records, trackers, output, console)
    except KeyboardInterrupt:
        warn("interrupted: the same command sends what is missing")
        raise SystemExit(INTERRUPTED) from None
    finally:
        close_office(1.0)
    for name in trackers:
        failed = failures.get(name, {})
        if sent := len(chosen.records) - len(failed):
            mention(f"{name.value}: {sent} {'run' if sent == 1 else 'runs'} in {places[name]}")
        if failed:
            run, reason = next(iter(failed.items()))
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            say(f"{name.value}: {run}{more} not sent: {reason}")
    for sentence in chosen.left_out:
        say(sentence)
    return not failures and not chosen.left_out


def _check_output(output: str, trackers: list[Tracker]) -> None:
    """Refuse an output to which the tracker cannot write."""
    if len(trackers) > 1:
        raise InputError("`--output` is the place of one tracker: expected one --to")
    (name,), path = trackers, Path(output)
    if name != Tracker.MLFLOW and ("://" in output or (path.exists() and not path.is_dir())):
        raise InputError(f"`--output {output}` is not possible: expected a folder")
    if name == Tracker.MLFLOW and "://" not in output and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise InputError(
            f"`--output {output}` is not possible: expected a file for a data base, in a folder that is there, or a URI"
        )


def _choose(study: Path) -> _Sendable:
    """Find the finished runs that have a history, and sentences about the others.

    Raises:
        InputError: no run is finished, or none has a history.
    """
    folder = StudyFolder.at(study)
    records, broken = folder.readable_records()
    missing = find_missing(study, records, broken)
    done = [record for record in records if record.status == "done"]
    if not done:
        raise InputError(f"{study} has no finished run: `ibbench status {study}` tells how far they are")
    with_history = [record for record in done if (folder.runs / record.run / HISTORY).is_file()]
    without = [record for record in done if record not in with_history]
    if not with_history:
        raise InputError(f"{study} has no {HISTORY} of any run to send. {tell_training(study, without)}")
    left_out = [one.tell() for one in missing]
    if without:
        listed = ", ".join(record.run for record in without)
        left_out.append(f"Left out, having no {HISTORY}: {listed}. {tell_training(study, without)}")
    return _Sendable(with_history, left_out)


def _send(
    study: Path, records: list[Record], trackers: list[Tracker], output: str | None, console: Console
) -> tuple[dict[Tracker, dict[str, str]], dict[Tracker, str]]:
    """Send the runs; return for each tracker the reasons of failures by the run's name, and where its runs are seen."""
    failures: dict[Tracker, dict[str, str]] = {}
    places: dict[Tracker, str] = {}
    with LiveLine(console, "exporting", len(records)) as line:
        for number, record in enumerate(records, start=1):
            answer = _send_run(study, record, trackers, output)
            for name, reason in answer.failures.items():
                failures.setdefault(name, {})[record.run] = reason
            places |= answer.places
            line.show(number, f"{number} of {len(records)} runs", is_last=number == len(records))
    return failures, places


def _send_run(study: Path, record: Record, trackers: list[Tracker], output: str | None) -> Answer:
    try:
        history = read_history(StudyFolder.at(study).runs / record.run)
    except BrokenError as error:
        return Answer(dict.fromkeys(trackers, str(error)), {})
    follower = Follower(study, record.run, trackers, warn=lambda name, reason: None)  # noqa: ARG005 (told at the end)
    follower.begin(lambda: card_of(study, record), output)
    follower.report(lambda: points_of(history, num_stages_of(record.config)))
    return follower.end(outcome_of(record), seconds=None)
