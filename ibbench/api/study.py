"""A study as an object: its tables as DataFrames, its pictures as figures, its models as one that predicts."""

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
    """A study as its folder has it when the object is made; `load_study` makes one, and `train` does.

    Nothing is written, and what takes long is computed when it is first asked for. Figures are those that `ibbench
    table` and the other commands print.

    Args:
        path: the folder of the study, such as `results/quick`.

    Attributes:
        path: the folder, as an absolute path.
        records: what each run has left behind, those that failed as well.
        missing: the runs whose figures are in no table, each with the reason; empty for a study that is whole.

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
        """The name of its folder."""
        return self._given.name

    @property
    def gathered(self) -> Gathered:
        """All rows with the errors of each seed and test molecule, as `ibbench.compare` takes them."""
        return self._given

    @property
    def models(self) -> list[str]:
        """The models that were trained, without baselines, in the order of the table."""
        return list(dict.fromkeys(entry.key.model for entry in self._given.entries if not entry.key.is_baseline))

    @property
    def table(self) -> pd.DataFrame:
        """A row per model, target and train size: errors with intervals, cost and verdict, as `table.csv` has them."""
        return self._report.table.copy()

    @property
    def pairs(self) -> pd.DataFrame:
        """A row per pair of models on a target and train size, as `pairs.csv` has them."""
        return self._report.pairs.copy()

    @cached_property
    def _report(self) -> Report:
        return make_report(self._given)

    def worth(self, by: str = "labels", at: float | None = None) -> Worth:
        """Say what the assumptions of the models are worth, as `ibbench worth` does.

        Args:
            by: the cost that is saved: `labels`, `seconds` or `parameters`.
            at: the size at which it is told; None for the one that the config names, or the usual one.

        Returns:
            DataFrames such as `multipliers`, `bits`, `laws` and `ladder`, and `claims`.

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
        """Predict molecules with its models side by side, from what its folder has now.

        Warns with a sentence where runs have no weights, or where it is not known what models trained on.

        Args:
            smiles: see `TrainedModel.predict`.
            model: the models to predict with, or names of runs; None for all.
            geometry: see `TrainedModel.predict`.
            device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.

        Returns:
            What `ibbench predict --output` writes: a row per molecule in the order given, `smiles`, columns such as
            `gap [eV] gnn mean` and `gap [eV] gnn std`, and `remark`. See `TrainedModel.predict`.

        Raises:
            InputError: see `load_model` and `TrainedModel.predict`.
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
        """Draw all pictures that `ibbench plot` draws, and write none.

        Args:
            by: the axis of learning curves: `labels`, `seconds` or `parameters`.

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
