"""Long lists of SMILES, read chunk by chunk on all cores; what is read stays on disk until the whole list is.

A chunk lies in the folder `chunks` of the cache, under a name that follows from its SMILES and from how they are read.
So a build that was interrupted finds what it had read, whatever stands in the rest of the file, and only a few chunks
are in memory at a time.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ibbench.data.cache import CacheError, cache_folder, read_cache, write_cache
from ibbench.data.featurize import Features, read_smiles
from ibbench.data.identity import CACHE_FORMAT, FEATURES, package_versions
from ibbench.data.layout import LAYOUTS, FeatureLayout
from ibbench.data.unseen import UNSEEN_FORMAT, refine_graphs
from ibbench.errors import InputError
from ibbench.terminal import duration, show_line

CHUNK = 8192  # molecules that a process takes at a time: so many that starting it costs little


class Graphs(NamedTuple):
    """What was read from M SMILES; `refused`, `odd_bonds` and `marks` are those of `featurize.Reading`.

    Attributes:
        features: the graphs, with implicit hydrogens.
        keys: a hash of the canonical SMILES of each, uint64 `[M, 2]`; two molecules are the same if theirs are equal.
        colours: a hash of each graph, see `refine_graphs`, uint64 `[M]`.
        marks: what each SMILES spells that the features do not show, uint8 `[M]`.
        refused: the reason why a SMILES cannot be used, by its index.
        odd_bonds: index of the molecule and name of the kind of each odd bond.
        files: the files of the chunks, to be removed when all is written to the cache.
    """

    features: Features
    keys: np.ndarray
    colours: np.ndarray
    marks: np.ndarray
    refused: dict[int, str]
    odd_bonds: list[tuple[int, str]]
    files: tuple[Path, ...] = ()


class _How(NamedTuple):
    """How the SMILES of a chunk are read, see `featurize.read_smiles`."""

    hydrogens: str
    max_atoms: int
    layout: FeatureLayout


def read_graphs(
    smiles: Sequence[str], hydrogens: str, max_atoms: int, layout: FeatureLayout, jobs: int = -1, chunk: int = CHUNK
) -> Graphs:
    """Read M SMILES; from two chunks on with a bar that tells how far it is, and what is read is kept in files.

    The result depends neither on the number of processes nor on the size of chunks.

    Args:
        smiles: one string per molecule.
        hydrogens: the way to count them: as atoms (`explicit`) or not (`implicit`).
        max_atoms: the number of atoms above which a molecule is refused.
        layout: name of the features to compute, one of `LAYOUTS`.
        jobs: number of processes; -1 for one per core.
        chunk: number of molecules that a process reads at a time.

    Raises:
        InputError: the folder of the cache cannot be written to, the disk is full, or a process was killed.
    """
    how = _How(hydrogens, max_atoms, layout)
    parts = [smiles[start : start + chunk] for start in range(0, len(smiles), chunk)]
    if len(parts) < 2:
        arrays, facts = _compute(smiles, how)
        return _join(len(smiles), iter([(0, arrays, facts)]), arrays["atoms"].shape[1], layout)
    files = [_file_of(part, how) for part in parts]
    _read_missing(parts, files, how, jobs)
    chunks = [*zip(range(0, len(smiles), chunk), parts, files, strict=True)]
    largest = max(_read_back(part, file, how)[0]["atoms"].shape[1] for _, part, file in chunks)
    known = ((start, *_read_back(part, file, how)) for start, part, file in chunks)  # one in memory at a time
    return _join(len(smiles), known, largest, layout)._replace(files=tuple(files))


def remove_chunks(files: Sequence[Path]) -> None:
    """Remove the files of chunks, which are of no use once their data set is in the cache."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    for folder in {file.parent for file in files}:
        with contextlib.suppress(OSError):  # it has chunks of other data sets
            folder.rmdir()


def _file_of(smiles: Sequence[str], how: _How) -> Path:
    """Return where a chunk lies; its name follows from all that its content depends on."""
    versions = package_versions("rdkit")
    digest = hashlib.sha256(repr((CACHE_FORMAT, FEATURES, UNSEEN_FORMAT, sorted(versions.items()), how)).encode())
    digest.update(json.dumps(list(smiles)).encode())
    return cache_folder() / "chunks" / f"{digest.hexdigest()[:32]}.safetensors"


def _read_missing(parts: Sequence[Sequence[str]], files: Sequence[Path], how: _How, jobs: int) -> None:
    """Read the chunks that have no file yet, and show how far that is."""
    left = [number for number, file in enumerate(files) if not file.exists()]
    total = sum(map(len, parts))
    done = before = total - sum(len(parts[number]) for number in left)
    started = time.perf_counter()
    work = (delayed(_read_chunk)(number, list(parts[number]), files[number], how) for number in left)
    try:
        with show_line("reading molecules", total) as line:
            if before:
                # As if it were the last line, which is printed in any case.
                line.show(before, f"{before:,} of {total:,} molecules were read before", is_last=True)
            for number in Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")(work):
                done += len(parts[number])
                seconds = time.perf_counter() - started
                left_over = f" · {duration(seconds / (done - before) * (total - done))} left" if done < total else ""
                line.show(done, f"{done:,} of {total:,} molecules{left_over}", is_last=done == total)
    except TerminatedWorkerError:
        raise InputError(
            "a process that read molecules was ended from outside, as where memory runs out: the same command goes on "
            "where it was"
        ) from None
    finally:
        if jobs != 1:
            get_reusable_executor().shutdown(kill_workers=True)  # they would keep their memory for minutes


def _read_chunk(number: int, smiles: list[str], file: Path, how: _How) -> int:
    """Read a chunk into its file, and return its number."""
    write_cache(file, *_compute(smiles, how))
    return number


def _compute(smiles: Sequence[str], how: _How) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and facts of a chunk."""
    reading = read_smiles(list(smiles), how.hydrogens, how.max_atoms, jobs=1, layout=how.layout)
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in reading.canonical)
    arrays = {
        **reading.features._asdict(),
        "keys": np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2),
        "colours": refine_graphs(reading.features),
        "marks": reading.marks,
    }
    return arrays, {"refused": list(reading.refused.items()), "odd_bonds": reading.odd_bonds}


def _read_back(smiles: Sequence[str], file: Path, how: _How) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and facts of a chunk from its file, or read it again if the file is lost or damaged."""
    try:
        return read_cache(file, {})
    except (FileNotFoundError, CacheError):
        return _compute(smiles, how)


def _join(
    count: int, chunks: Iterator[tuple[int, dict[str, np.ndarray], dict[str, Any]]], largest: int, layout: FeatureLayout
) -> Graphs:
    """Join chunks, each with the place of its first molecule, into arrays for all of `count` molecules."""
    joined = Graphs(
        Features(
            np.zeros((count, largest, len(LAYOUTS[layout])), dtype=np.uint8),
            np.zeros((count, largest, largest), dtype=np.uint8),
            np.zeros(count, dtype=np.int64),
        ),
        np.zeros((count, 2), dtype=np.uint64),
        np.zeros(count, dtype=np.uint64),
        np.zeros(count, dtype=np.uint8),
        {},
        [],
    )
    for start, arrays, facts in chunks:
        size, n, _ = arrays["atoms"].shape
        here = slice(start, start + size)
        joined.features.atoms[here, :n], joined.features.bonds[here, :n, :n] = arrays["atoms"], arrays["bonds"]
        joined.features.num_atoms[here] = arrays["num_atoms"]
        for name in ("keys", "colours", "marks"):
            getattr(joined, name)[here] = arrays[name]
        joined.refused.update((start + index, why) for index, why in facts["refused"])
        joined.odd_bonds.extend((start + index, kind) for index, kind in facts["odd_bonds"])
    return joined
