"""A study as an object: its tables as DataFrames, its pictures as figures, and predictions by its models."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ibbench.api.messages import advise, check_geometry, in_python
from ibbench.compare.comparison import Report, make_report
from ibbench.compare.ensembles import choose_ensembles
from ibbench.compare.missing import MissingRun
from ibbench.compare.study import Study as Gathered
from ibbench.compare.study import read_study
from ibbench.record.schema import Record
from ibbench.worth.worth import Worth, make_worth

if TYPE_CHECKING:  # it imports matplotlib, which tables do not need
    from ibbench.api.pictures import Pictures


class Study:
    """A study, read from its folder when the object is made. `load_study` and `train` return one.

    Nothing is written to the folder. Tables are computed when they are first asked for. Figures are those that `ibbench
    table` and the other commands print.

    Args:
        path: the folder of the study, such as `results/quick`.

    Attributes:
        path: the folder, as an absolute path.
        records: the record of each run, also of those that failed.
        missing: the runs whose figures are in no table, each with the reason; empty if all runs are done.

    Raises:
        InputError: there is no such study, or none of its runs is finished.
    """

    def __init__(self, path: Path | str) -> None:
        self._given = read_study(path)
        self.path = Path(path).absolute()
        self.records: list[Record] = self._given.records
        self.missing: tuple[MissingRun, ...] = self._given.missing

    def __repr__(self) -> str:
        runs = f"{self._given.num_runs} {'run' if self._given.num_runs == 1 else 'runs'}"
        missing = f", {len(self.missing)} missing" if self.missing else ""
        return f"Study({self.name!r}: {runs} of {', '.join(self.models)}{missing})"

    @property
    def name(self) -> str:
        """The name of the study, which is that of its folder."""
        return self._given.name

    @property
    def gathered(self) -> Gathered:
        """All rows of the study with the errors of each seed on each test molecule, as `ibbench.compare` needs them."""
        return self._given

    @property
    def models(self) -> list[str]:
        """The models that were trained, without baselines, in the order of the table."""
        tested = [entry.key.model for entry in self._given.entries if not entry.key.is_baseline]
        untested = [str(one.config["model"]["name"]) for one in self.records if one.run in self._given.untested]
        return list(dict.fromkeys([*tested, *untested]))

    @property
    def table(self) -> pd.DataFrame:
        """One row per model, target and train size, as in `table.csv`: errors with intervals, cost and verdict."""
        return self._report.table.copy()

    @property
    def pairs(self) -> pd.DataFrame:
        """One row per pair of models on a target and train size, as in `pairs.csv`."""
        return self._report.pairs.copy()

    @cached_property
    def _report(self) -> Report:
        return make_report(self._given)

    def worth(self, by: str = "labels", at: float | None = None) -> Worth:
        """Say what the assumptions of the models are worth, as `ibbench worth` does.

        Args:
            by: the cost that a better model saves: `labels`, `seconds` or `parameters`.
            at: the size at which the saving is stated, in the unit of `by`; None for the one that the config names, or
                the usual one.

        Returns:
            An object with the DataFrames `multipliers`, `bits`, `laws` and `ladder`, and the list `claims`.

        Raises:
            InputError: the study has no curves, or an argument is not possible.
        """
        with in_python():
            return make_worth(self._given, by, at)

    def predict(
        self,
        smiles: Iterable[str | None],
        model: str | Sequence[str] | None = None,
        geometry: str | None = None,
        device: str = "auto",
    ) -> pd.DataFrame:
        """Predict molecules with the models of the study side by side, by the weights that its folder has now.

        Gives a warning where runs have no weights, or where it is not known which molecules a model trained on.

        Args:
            smiles: the molecules: a list, or a Series, whose index is kept. None and NaN are molecules that cannot be
                read.
            model: the names of models, or of runs, to predict with; None for all models.
            geometry: `etkdg` for coordinates from RDKit, which models that read coordinates need; None for none.
            device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.

        Returns:
            The table that `ibbench predict --output` writes: one row per molecule in the order given, with `smiles`,
            columns such as `gap [eV] gnn mean` and `gap [eV] gnn std`, and `remark`. See `TrainedModel.predict`.

        Raises:
            InputError: there is no such model, weights cannot be read, or an argument is not possible; see `load_model`
                and `TrainedModel.predict`.
        """
        from ibbench.api.frame import gather, predict_frame  # these import torch, which tables do not need
        from ibbench.run.ensemble import tell_unknown
        from ibbench.run.forecast import load_crew

        models = [model] if isinstance(model, str) else list(model or [])
        with in_python():
            chosen = choose_ensembles(self.path, models)
            crew = gather(chosen.ensembles, device, check_geometry(geometry))
            unknown = tell_unknown(load_crew(crew))
            predicted = predict_frame(crew, smiles, names_models=True)
        advise([*chosen.left_out, *unknown])
        return predicted

    def plot(self, by: str = "labels") -> "Pictures":
        """Draw all pictures that `ibbench plot` draws, without writing files.

        Args:
            by: the axis of learning curves: `labels`, `seconds` or `parameters`.

        Returns:
            The figures by name, which a notebook shows.

        Raises:
            InputError: `by` is not possible.
        """
        from ibbench.api.pictures import Pictures
        from ibbench.report.document import Picture, Remark
        from ibbench.report.plot.study import draw_study

        with in_python():
            shapes = draw_study(self._given, self.path, by)
        pictures = [shape for shape in shapes if isinstance(shape, Picture)]
        return Pictures(pictures, [shape.text for shape in shapes if isinstance(shape, Remark)])


def load_study(path: Path | str) -> Study:
    """Read a study from its folder.

    Args:
        path: the folder of the study, such as `results/quick`.

    Raises:
        InputError: there is no such study, or none of its runs is finished.
    """
    return Study(path)
