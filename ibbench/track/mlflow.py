"""MLflow: an experiment for each study, on the server or in the data base that MLFLOW_TRACKING_URI names."""

import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ibbench.track import Journal, Keeper
from ibbench.track.content import Card, Outcome, Point

# With few retries, a server that is down is noticed within seconds. Usage statistics are not sent to MLflow's makers.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_MOST_METRICS, _MOST_OTHERS, _LONGEST = 1000, 100, 5000  # limits of one request: metrics, tags, letters of a value
_LARGEST = 1e308  # MLflow stores infinity as the largest number, which is above this
T = TypeVar("T")
_STATUS = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class _MlflowRun(Journal):
    """A run of MLflow, found again by its tag.

    Points that MLflow has already are not written again. If a point has another value there, as after `rerun=true`, the
    run is deleted (MLflow keeps it in its trash) and written anew, since MLflow never replaces a point.
    """

    def __init__(self, client: Any, card: Card) -> None:
        self.where = f"the experiment `{card.study}` at {client.tracking_uri}"
        self._client, self._card = client, card
        self._written: list[Point] = []
        self._experiment = _find_experiment(client, card.study)
        query = f"tags.`ibbench.run` = '{card.run}'"
        found = client.search_runs([self._experiment], filter_string=query, max_results=1)
        self._there: dict[tuple[str, int], float] = {}
        if found:
            self._run = found[0].info.run_id
            client.update_run(self._run, status="RUNNING")
            for name in found[0].data.metrics:
                for point in client.get_metric_history(self._run, name):
                    self._there[name, point.step] = point.value
            self._describe(without=found[0].data.params)
        else:
            self._create()

    def write(self, points: Sequence[Point]) -> None:
        """Write points as metrics, except those that MLflow has already."""
        self._written += points
        if any(_differ(self._there.get((_legal(point.name), point.step)), point.value) for point in points):
            self._client.delete_run(self._run)
            self._there = {}
            self._create()
            points = self._written
        self._log(points)

    def end(self, outcome: Outcome) -> None:
        """Write the figures of the whole run at its last step, its cost as tags, and its status."""
        from mlflow.entities import RunTag

        self.write([Point(name, outcome.step, 0, value) for name, value in outcome.metrics.items()])
        tags = [RunTag(f"cost.{name}", str(value)) for name, value in outcome.cost.items()]
        self._client.log_batch(self._run, tags=tags)
        ended = None if outcome.ended is None else int(outcome.ended * 1000)
        self._client.set_terminated(self._run, _STATUS[outcome.status], ended)

    def _create(self) -> None:
        started = int((self._card.started or time.time()) * 1000)
        tags = {"ibbench.run": self._card.run}
        created = self._client.create_run(self._experiment, started, tags, run_name=self._card.run)
        self._run = created.info.run_id
        self._describe()

    def _describe(self, without: Iterable[str] = ()) -> None:
        """Write the options as parameters, and all else about the run as tags.

        Args:
            without: names of parameters that MLflow has already, and which it does not let anybody change.
        """
        from mlflow.entities import Param, RunTag

        options = self._card.parameters.items()
        shown = {_legal(name): "null" if value is None else str(value)[:_LONGEST] for name, value in options}
        known = set(without)
        params = [Param(name, value) for name, value in shown.items() if name not in known]
        tags = self._card.tags | {f"unit.{target}": unit for target, unit in self._card.units.items()}
        for some in _divide(params, _MOST_OTHERS):
            self._client.log_batch(self._run, params=some)
        for part in _divide(list(tags.items()), _MOST_OTHERS):
            self._client.log_batch(self._run, tags=[RunTag(_legal(key), value[:_LONGEST]) for key, value in part])

    def _log(self, points: Iterable[Point]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = [point for point in points if (_legal(point.name), point.step) not in self._there]
        for some in _divide(new, _MOST_METRICS):
            metrics = [Metric(_legal(point.name), point.value, now, point.step) for point in some]
            self._client.log_batch(self._run, metrics=metrics)
            self._there |= {(_legal(point.name), point.step): point.value for point in some}


def _divide(entries: Sequence[T], most: int) -> Iterator[list[T]]:
    for start in range(0, len(entries), most):
        yield list(entries[start : start + most])


def _differ(there: float | None, value: float) -> bool:
    """Return whether MLflow has another value than this one, up to digits that data bases may drop.

    Args:
        there: the value that MLflow has; None if it has none.
        value: the value that is to be written.
    """
    if there is None or (math.isnan(there) and math.isnan(value)):
        return False
    return not (math.isclose(there, value, rel_tol=1e-6) or (abs(there) >= _LARGEST and math.isinf(value)))


def _legal(name: str) -> str:
    """Replace letters that MLflow does not take in names, such as parentheses in the name of a user's target."""
    return re.sub(r"[^\w .:/-]", "_", name)


def _find_experiment(client: Any, name: str) -> str:
    from mlflow.exceptions import MlflowException

    if known := client.get_experiment_by_name(name):
        return known.experiment_id
    try:
        return client.create_experiment(name)
    except MlflowException:  # another process has created it just now
        if known := client.get_experiment_by_name(name):
            return known.experiment_id
        raise


class Mlflow(Keeper):
    """Writes to the server or data base that MLFLOW_TRACKING_URI names, or to the place that was given.

    A place is a URI, or a file that becomes a SQLite data base.
    """

    def __init__(self, place: str | None) -> None:
        super().__init__(place)
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        uri = f"sqlite:///{Path(place).absolute()}" if place and "://" not in place else place
        self._client = MlflowClient(uri)

    def begin(self, card: Card) -> Journal:
        """Find the run in the experiment of its study, or create it."""
        return _MlflowRun(self._client, card)


KEEPER = Mlflow
