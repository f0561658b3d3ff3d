"""Predictions of any number of molecules by the runs of a study: in chunks, on all cores, with remarks."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ibbench.errors import InputError
from ibbench.plugins.load import load_plugins
from ibbench.run.batch import Batch
from ibbench.run.chunks import map_chunks
from ibbench.run.ensemble import KINDS, Column, Ensemble, Floats, Note, OfAtoms
from ibbench.training.device import choose_device, count_cores, one_thread

CHUNK = 2048  # molecules at a time; the same for any number of cores, so that predictions do not depend on the cores
_CHUNK_IN_SPACE = 256  # molecules at a time where coordinates are computed, which takes long
_MANY = 20_000  # molecules; with fewer, it cannot pay to compile
_SAMPLE = 256  # molecules that tell of which sizes most are
_ORDER = {kind: place for place, kind in enumerate(KINDS)}
_FEWEST = 4  # chunks; with fewer, further processes would take longer to start than they save


class Crew(NamedTuple):
    """The ensembles that predict, and where they do so.

    Attributes:
        ensembles: name of each ensemble (empty for the name of its model), and the folders of its runs.
        device: the device to predict on, see `load_predictor`.
        geometry: `etkdg` to compute coordinates with RDKit; None to compute none.
        plugins: result of `load_plugins`, so that each process loads the same plugins.
        written: times at which the files of the runs were written. A process that lives long, such as a notebook, can
            tell by them whether the models that it has loaded are still those in the folders.
        sample: SMILES of a few of the molecules, where there are so many that it may pay to compile their prediction.
        num_molecules: the number of molecules, where a sample is given.
    """

    ensembles: tuple[tuple[str, tuple[Path, ...]], ...]
    device: str = "auto"
    geometry: str | None = None
    plugins: tuple[str, ...] = ()
    written: tuple[int, ...] = ()
    sample: tuple[str, ...] = ()
    num_molecules: int = 0


class Forecast(NamedTuple):
    """The predictions of M molecules.

    Attributes:
        mean: mean over seeds, float64 `[C, M]` in the units of the columns; NaN where nothing is predicted.
        deviation: sample standard deviation over seeds, `[C, M]` in the same units; NaN also for one seed.
        remarks: reasons not to trust the prediction of each molecule, `M` texts; most are empty.
        kinds: number of molecules with a remark of each kind of `KINDS`.
        atoms: figures of single atoms, by the place of the column of their target: see `Answer`, which also says what
            `mean` and `deviation` are in such a column.
    """

    mean: Floats
    deviation: Floats
    remarks: list[str]
    kinds: Counter[str]
    atoms: dict[int, OfAtoms]


@functools.lru_cache(maxsize=4)  # a command has one crew; a notebook may ask several models in turn
def load_ensembles(crew: Crew) -> list[Ensemble]:
    """Load the models of a crew; each process keeps those of the last few crews.

    The geometry plays no part in this, so callers leave it out: crews that differ in it then share their models.

    Raises:
        InputError: weights cannot be read.
    """
    load_plugins(crew.plugins)
    ensembles = [Ensemble(name, folders, crew.device) for name, folders in crew.ensembles]
    if crew.sample:
        sample = Batch(crew.sample)
        for ensemble in ensembles:
            ensemble.compile_for(sample, crew.num_molecules)
    return ensembles


def load_crew(crew: Crew) -> list[Ensemble]:
    """Load the models of a crew, and check that `geometry` fits them.

    Raises:
        InputError: weights cannot be read, models read coordinates but `geometry` is None, or `geometry` is given but
            no model reads coordinates.
    """
    loaded = load_ensembles(crew._replace(geometry=None))
    blind = [one.name for one in loaded if one.needs_geometry]
    if crew.geometry and not blind:
        raise InputError(f"`--geometry {crew.geometry}` has no meaning here: none of the models reads coordinates")
    if blind and not crew.geometry:
        others = ", --model leaves them out" if len(blind) < len(loaded) else ""
        raise InputError(
            f"{', '.join(f'`{name}`' for name in blind)} {'reads' if len(blind) == 1 else 'read'} coordinates, which a "
            f"SMILES does not have: --geometry etkdg computes them{others}"
        )
    return loaded


def list_columns(crew: Crew) -> list[Column]:
    """List the C columns of a forecast: the targets of each ensemble, ensemble by ensemble.

    Raises:
        InputError: see `load_crew`.
    """
    return [column for ensemble in load_crew(crew) for column in ensemble.columns]


def forecast(crew: Crew, smiles: Iterable[str], count: int) -> Iterator[Forecast]:
    """Predict molecules in their order, and yield a forecast for each chunk of them.

    Args:
        crew: the ensembles that predict.
        smiles: SMILES of the molecules, taken one by one as they are needed.
        count: the number of molecules.

    Raises:
        InputError: see `load_crew` and `map_chunks`.
    """
    size = _CHUNK_IN_SPACE if crew.geometry else CHUNK
    if count >= _MANY and choose_device(crew.device).type == "cpu":
        smiles = iter(smiles)
        sample = tuple(itertools.islice(smiles, _SAMPLE))
        smiles, crew = itertools.chain(sample, smiles), crew._replace(sample=sample, num_molecules=count)
    chunks = _cut(smiles, size)
    num_chunks = -(-count // size)
    processes = min(count_cores(), num_chunks) if num_chunks >= _FEWEST else 1
    if choose_device(crew.device).type == "cpu":
        yield from map_chunks(functools.partial(_forecast, crew), chunks, processes)
    else:  # a GPU has room for the models of one process, so the other processes only read molecules
        read = functools.partial(_read, with_geometry=bool(crew.geometry))
        yield from (_predict(crew, batch) for batch in map_chunks(read, chunks, processes))


def _cut(smiles: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    left = iter(smiles)
    while chunk := tuple(itertools.islice(left, size)):
        yield chunk


def _read(smiles: Sequence[str], with_geometry: bool) -> Batch:
    return Batch(smiles, with_geometry)


def _forecast(crew: Crew, smiles: Sequence[str]) -> Forecast:
    return _predict(crew, Batch(smiles, bool(crew.geometry)))


def _predict(crew: Crew, batch: Batch) -> Forecast:
    ensembles = load_crew(crew)
    with one_thread(choose_device(crew.device)):
        predicted = [ensemble.predict(batch) for ensemble in ensembles]
    kinds: Counter[str] = Counter()
    remarks = [""] * len(batch)
    for place, why in batch.refused.items():
        remarks[place] = f"not read: {why}"
        kinds["unread"] += 1
    notes = {ensemble.name: answer.notes for ensemble, answer in zip(ensembles, predicted, strict=True)}
    kinds.update(kind for kind, _ in {(note.kind, note.place) for found in notes.values() for note in found})
    for place, text in _join(notes).items():
        remarks[place] = text
    unknown = [ensemble.name for ensemble in ensembles if ensemble.domain is None]
    if unknown:
        whose = "" if len(unknown) == len(ensembles) else f"{', '.join(unknown)}: "
        said = f"{whose}train molecules not known"
        for place in batch.places.tolist():
            remarks[place] = "; ".join(filter(None, [remarks[place], said]))
    atoms: dict[int, OfAtoms] = {}
    first = 0
    for answer in predicted:
        atoms |= {first + place: found for place, found in answer.atoms.items()}
        first += len(answer.mean)
    means, deviations = ([getattr(answer, name) for answer in predicted] for name in ("mean", "deviation"))
    return Forecast(np.concatenate(means), np.concatenate(deviations), remarks, kinds, atoms)


def _join(notes: dict[str, list[Note]]) -> dict[int, str]:
    """Join the notes on each molecule into one remark; ensembles are named unless a note holds for all of them.

    Args:
        notes: notes of each ensemble, by its name.

    Returns:
        The remark on each molecule that has one, by its place.
    """
    by_place: dict[int, dict[str, list[str]]] = {}
    for name, found in notes.items():
        for note in sorted(found, key=lambda note: _ORDER[note.kind]):
            whose = by_place.setdefault(note.place, {}).setdefault(note.text, [])
            if name not in whose:
                whose.append(name)
    return {
        place: "; ".join(
            text if len(whose) == len(notes) else f"{', '.join(whose)}: {text}" for text, whose in texts.items()
        )
        for place, texts in by_place.items()
    }
