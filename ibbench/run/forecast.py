"""Predictions of any number of molecules by the runs of a study: in chunks, on all cores, with what not to trust."""

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
from ibbench.run.ensemble import KINDS, Column, Ensemble, Floats, Note
from ibbench.training.device import choose_device, count_cores, one_thread

CHUNK = 2048  # molecules at a time, the same on any number of cores: numbers do not depend on it
_CHUNK_IN_SPACE = 256  # where coordinates are computed, which takes long
_ORDER = {kind: place for place, kind in enumerate(KINDS)}
_FEWEST = 4  # chunks that are worth the seconds that a process takes to start


class Crew(NamedTuple):
    """Who predicts.

    Attributes:
        ensembles: for each its name, empty for that of its model, and the folders of its runs.
        device: the device to predict on, see `load_predictor`.
        geometry: `etkdg` for coordinates from RDKit; None for none.
        plugins: what `load_plugins` has returned, so that each process loads the same.
        written: when the files of the runs were written, in any form. A process that outlives them, such as a notebook,
            tells by it that the models which it has loaded are still those of the folders.
    """

    ensembles: tuple[tuple[str, tuple[Path, ...]], ...]
    device: str = "auto"
    geometry: str | None = None
    plugins: tuple[str, ...] = ()
    written: tuple[int, ...] = ()


class Forecast(NamedTuple):
    """What is predicted of M molecules.

    Attributes:
        mean: over seeds, `[C, M]` in the units of the columns; NaN where nothing is predicted.
        deviation: sample standard deviation over seeds, likewise; NaN for one seed.
        remarks: what is not to be trusted, for each molecule; mostly empty.
        kinds: how many molecules have a remark of each kind of `KINDS`.
    """

    mean: Floats
    deviation: Floats
    remarks: list[str]
    kinds: Counter[str]


@functools.lru_cache(maxsize=4)  # a command has one crew; a notebook may ask several models in turn
def load_ensembles(crew: Crew) -> list[Ensemble]:
    """Load the models, once in each process; a crew is given without its geometry.

    Raises:
        InputError: weights cannot be read.
    """
    load_plugins(crew.plugins)
    return [Ensemble(name, folders, crew.device) for name, folders in crew.ensembles]


def load_crew(crew: Crew) -> list[Ensemble]:
    """Load the models, and check that they can be given what they read.

    Raises:
        InputError: weights cannot be read, or models read coordinates and there is no geometry, or the other way round.
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
    """List what each molecule is predicted of, ensemble by ensemble."""
    return [column for ensemble in load_crew(crew) for column in ensemble.columns]


def forecast(crew: Crew, smiles: Iterable[str], count: int) -> Iterator[Forecast]:
    """Predict molecules, some at a time, in their order.

    Args:
        crew: who predicts.
        smiles: the molecules, which are taken as they are needed.
        count: the number of molecules.

    Raises:
        InputError: see `load_crew` and `map_chunks`.
    """
    size = _CHUNK_IN_SPACE if crew.geometry else CHUNK
    chunks = _cut(smiles, size)
    num_chunks = -(-count // size)
    processes = min(count_cores(), num_chunks) if num_chunks >= _FEWEST else 1
    if choose_device(crew.device).type == "cpu":
        yield from map_chunks(functools.partial(_forecast, crew), chunks, processes)
    else:  # which has room for the models of one process
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
    notes = {ensemble.name: found for ensemble, (*_, found) in zip(ensembles, predicted, strict=True)}
    kinds.update(kind for kind, _ in {(note.kind, note.place) for found in notes.values() for note in found})
    for place, text in _join(notes).items():
        remarks[place] = text
    unknown = [ensemble.name for ensemble in ensembles if ensemble.domain is None]
    if unknown:
        whose = "" if len(unknown) == len(ensembles) else f"{', '.join(unknown)}: "
        said = f"{whose}train molecules not known"
        for place in batch.places.tolist():
            remarks[place] = "; ".join(filter(None, [remarks[place], said]))
    means, deviations, _ = zip(*predicted, strict=True)
    return Forecast(np.concatenate(means), np.concatenate(deviations), remarks, kinds)


def _join(notes: dict[str, list[Note]]) -> dict[int, str]:
    """Return the remark on each molecule that has one: reasons, with whom they hold for unless for all."""
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
