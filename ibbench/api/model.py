"""A trained model as an object: `ibbench.load_model(folder).predict(["CCO"])`."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ibbench.api.frame import gather, predict_frame
from ibbench.api.messages import advise, check_geometry, in_python
from ibbench.compare.ensembles import Chosen, choose_ensembles
from ibbench.errors import InputError
from ibbench.record.folder import WEIGHTS
from ibbench.run.ensemble import tell_unknown
from ibbench.run.forecast import load_ensembles


class TrainedModel:
    """A trained model: the replicas of all its seeds, which predict together. `load_model` makes one.

    Attributes:
        name: the name of the model in its study, such as `gnn`.
        folders: the folders of its runs; nothing else is read.
        targets: the unit of each target that it predicts, by the target's short name; empty for a target without unit.
        num_seeds: the number of replicas that predictions of a target are averaged over, by the target's short name.
        needs_geometry: whether it reads coordinates, which a SMILES does not have.
    """

    def __init__(self, name: str, folders: tuple[Path, ...], device: str = "auto") -> None:
        self.folders = tuple(folder.absolute() for folder in folders)
        self._given_name, self._device = name, device
        ensemble = load_ensembles(gather({name: self.folders}, device))[0]
        self.name = ensemble.name
        self.targets = {column.target: column.unit for column in ensemble.columns}
        self.num_seeds = {column.target: column.num_seeds for column in ensemble.columns}
        self.needs_geometry = ensemble.needs_geometry
        self._unknown = tell_unknown([ensemble])

    def __repr__(self) -> str:
        told = ", ".join(f"{target} [{unit}]" if unit else target for target, unit in self.targets.items())
        return f"TrainedModel({self.name!r}: {told})"

    def predict(self, smiles: Iterable[str | None], geometry: str | None = None) -> pd.DataFrame:
        """Predict molecules by their SMILES.

        Args:
            smiles: the molecules: a list, or a Series, whose index is kept. None and NaN are molecules that cannot be
                read.
            geometry: `etkdg` for coordinates from RDKit, which a model that reads coordinates needs; None for none.

        Returns:
            One row per molecule in the order given. `smiles` is as given; for each target there are columns such as
            `gap [eV] mean` and `gap [eV] std`, the mean over seeds and the sample standard deviation between seeds.
            Both are NaN where nothing is predicted, and the deviation also with a single seed. `remark` says why
            nothing is predicted, or what is not to be trusted, and is mostly empty.

        Raises:
            InputError: `smiles` is not a collection of texts; the model reads coordinates and no geometry is given, or
                it reads none and one is given; or the weights are not there any more.
        """
        with in_python():
            crew = gather({self._given_name: self.folders}, self._device, check_geometry(geometry))
            return predict_frame(crew, smiles, names_models=False)


def load_model(path: Path | str, model: str | None = None, device: str = "auto") -> TrainedModel:
    """Load a trained model from the folder of a run or a study. The data that it was trained on are not needed.

    Gives a warning where runs of the model have no weights, or where it is not known which molecules it trained on.

    Args:
        path: the folder of a run, its `weights.safetensors`, or the folder of a study.
        model: the name of one of the study's models, or of one of its runs; None if the study has a single model.
        device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: there is no such folder or model, `model` stands for several models, or weights are missing, cannot
            be read, or cannot predict new molecules.
    """
    folder = Path(path)
    if folder.is_file():
        if folder.name != WEIGHTS:
            raise InputError(f"{folder} is no trained model: expected the folder of a run, or its {WEIGHTS}")
        folder = folder.parent
    with in_python():
        name, chosen = _choose(folder, model)
        loaded = TrainedModel(name, chosen.ensembles[name], device)
    advise([*chosen.left_out, *loaded._unknown])
    return loaded


def _choose(folder: Path, model: str | None) -> tuple[str, Chosen]:
    """Return the name of the one ensemble that `model` stands for, and what was chosen with it.

    Raises:
        InputError: the name stands for no ensemble, or for several.
    """
    if model is None:
        chosen = choose_ensembles(folder)
    else:
        try:
            chosen = choose_ensembles(folder, [model])
        except InputError:  # the name of one of several variants, such as `gnn at 100`
            chosen = choose_ensembles(folder)
            if model not in chosen.ensembles:
                raise
            chosen = chosen._replace(ensembles={model: chosen.ensembles[model]})
    if len(chosen.ensembles) > 1:
        listed = ", ".join(f"`{name}`" for name in chosen.ensembles)
        asked = "it has" if model is None else f"`{model}` stands for"
        raise InputError(f"{folder} is a study, and {asked} several models: expected model= with one of {listed}")
    return next(iter(chosen.ensembles)), chosen
