"""What the train molecules of a run were like, kept beside its weights so that predictions can warn of unlike ones.

Each train molecule is kept as a hash of eight bytes, which is enough to recognise it: among a million other molecules,
the chance that any is taken for one of 100,000 train molecules is one in 200 million.
"""

import functools
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ibbench.data.layout import ATOMIC_NUMBER, HYDROGEN, NUM_HYDROGENS
from ibbench.errors import InputError
from ibbench.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from ibbench.data.dataset import DataSet  # not imported when predicting

FORMAT_VERSION = 1
_CHARGE = re.compile(r"([+-])([0-9]*)\]")  # at the end of an atom in brackets, in RDKit's own spelling
Keys = NDArray[np.uint64]


class Domain(NamedTuple):
    """The train molecules of all seeds of a run.

    Attributes:
        elements: the atomic numbers of all elements in the molecules, implicit hydrogens included.
        sizes: the numbers of atoms of the molecules; hydrogens count where the data set has them as atoms.
        charges: the total charges of the molecules.
        atom_charges: the formal charges of single atoms, and 0.
        seeds: the S seeds of replicas, each of which has a train subset of its own.
        keys: a hash of each of K molecules, see `key_molecules`, in ascending order, uint64 `[K]`.
        members: whether each molecule is in the train subset of each seed, bool `[S, K]`.
        rdkit: the version of RDKit that wrote the canonical SMILES of the molecules.
    """

    elements: frozenset[int]
    sizes: frozenset[int]
    charges: frozenset[int]
    atom_charges: frozenset[int]
    seeds: tuple[int, ...]
    keys: Keys
    members: NDArray[np.bool_]
    rdkit: str

    def count_seeds(self, keys: Keys) -> NDArray[np.int64]:
        """Count the seeds that trained on each of M molecules, int64 `[M]`, given their keys, uint64 `[M]`."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.members.sum(0)[place] * (self.keys[place] == keys)


def rdkit_version() -> str:
    """Return the version of RDKit, on whose canonical SMILES the keys of molecules depend."""
    return importlib.metadata.version("rdkit")


def key_molecules(canonical: Sequence[str]) -> Keys:
    """Return a hash of each of M canonical SMILES (BLAKE2b, 8 bytes), which stands for the molecule, uint64 `[M]`."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in canonical)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def read_charges(canonical: str) -> list[int]:
    """Return the formal charges of the charged atoms of a canonical SMILES."""
    if "[" not in canonical:
        return []
    return [int(sign + (size or "1")) for sign, size in _CHARGE.findall(canonical)]


def find_domain(dataset: "DataSet", subsets: Mapping[int, "Tensor"]) -> Domain:
    """Describe the molecules that the seeds of a run train on.

    Args:
        dataset: the molecules.
        subsets: the indices of the train molecules of each seed, seed -> int64 `[n]`.
    """
    indices = [subset.numpy() for subset in subsets.values()]
    used = np.unique(np.concatenate(indices))
    canonical = _canonical_smiles(dataset, used.tolist())
    keys, place = np.unique(key_molecules(canonical), return_inverse=True)
    members = np.zeros((len(indices), len(keys)), dtype=bool)
    for row, index in enumerate(indices):
        members[row, place[np.searchsorted(used, index)]] = True
    mask = dataset.molecules.mask.numpy()[used]
    atoms = dataset.molecules.atoms.numpy()[used][mask]
    charges = [read_charges(text) for text in canonical]
    hydrogens = [HYDROGEN] if atoms[:, NUM_HYDROGENS].any() else []
    return Domain(
        elements=frozenset(np.unique(atoms[:, ATOMIC_NUMBER]).tolist() + hydrogens),
        sizes=frozenset(np.unique(mask.sum(1)).tolist()),
        charges=frozenset(map(sum, charges)),
        atom_charges=frozenset({0, *(charge for of_one in charges for charge in of_one)}),
        seeds=tuple(subsets),
        keys=keys,
        members=members,
        rdkit=rdkit_version(),
    )


def _canonical_smiles(dataset: "DataSet", indices: list[int]) -> list[str]:
    from rdkit import Chem  # slow to import, and the cache of a data set is read without it

    from ibbench.data.featurize import canonical_smiles

    known = _known_canonical(dataset)
    for index in indices:
        if index not in known:
            known[index] = canonical_smiles(Chem.MolFromSmiles(dataset.smiles[index]))
    return [known[index] for index in indices]


@functools.lru_cache(maxsize=1)  # one data set is enough: the runs of a sweep mostly train on the same molecules
def _known_canonical(dataset: "DataSet") -> dict[int, str]:  # noqa: ARG001 (each data set has a dictionary of its own)
    """Return the canonical SMILES computed so far, by index; `_canonical_smiles` adds to this dictionary."""
    return {}


def merge_domains(domains: Sequence[Domain]) -> Domain:
    """Return the domain of several runs together; a seed of several runs has the train molecules of all of them."""
    first, *others = domains
    if not others:
        return first
    keys = np.unique(np.concatenate([domain.keys for domain in domains]))
    members: dict[int, NDArray[np.bool_]] = {}
    for domain in domains:
        for seed, row in zip(domain.seeds, domain.members, strict=True):
            trained = np.isin(keys, domain.keys[row])
            members[seed] = members[seed] | trained if seed in members else trained
    return first._replace(
        **{
            field: frozenset().union(*(getattr(domain, field) for domain in domains))
            for field in ("elements", "sizes", "charges", "atom_charges")
        },
        seeds=tuple(members),
        keys=keys,
        members=np.stack(list(members.values())),
        rdkit=" and ".join(dict.fromkeys(domain.rdkit for domain in domains)),
    )


_SETS = ("elements", "sizes", "charges", "atom_charges")


def write_domain(path: Path, domain: Domain) -> None:
    """Write a domain as safetensors: keys, members as bits (eight to a byte), and the rest as JSON in the metadata."""
    facts: dict[str, Any] = {name: sorted(getattr(domain, name)) for name in _SETS}
    facts |= {"format_version": FORMAT_VERSION, "seeds": domain.seeds, "rdkit": domain.rdkit}
    arrays: dict[str, NDArray[Any]] = {"keys": domain.keys, "members": np.packbits(domain.members, axis=1)}
    write_atomically(path, safetensors.numpy.save(arrays, {name: json.dumps(value) for name, value in facts.items()}))


def read_domain(path: Path) -> Domain | None:
    """Read a domain; return None if there is no file, as in run folders of older versions.

    Raises:
        InputError: the file is broken, or was written by a newer version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            facts: dict[str, Any] = {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
            keys, packed = file.get_tensor("keys"), file.get_tensor("members")
        if facts["format_version"] > FORMAT_VERSION:
            raise InputError(
                f"{path} was written by a newer ibbench: its format is {facts['format_version']}, and this version "
                f"reads {FORMAT_VERSION}"
            )
        members = np.unpackbits(packed, axis=1, count=len(keys)).astype(bool)
        if len(members) != len(facts["seeds"]):
            raise ValueError("not a row for each seed")
        sets = {name: frozenset(map(int, facts[name])) for name in _SETS}
        return Domain(**sets, seeds=tuple(facts["seeds"]), keys=keys, members=members, rdkit=str(facts["rdkit"]))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not readable: {error}. Without it, predictions do not know what their models were trained on: "
            "delete it to go on like that"
        ) from None
