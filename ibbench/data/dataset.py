"""DataSet: molecules with their targets and identities, loaded from the cache or built into it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibbench.data.cache import (
    CacheError,
    cache_path,
    check_lengths,
    check_writable,
    read_cache,
    restore_texts,
    write_cache,
    write_to_cache,
)
from ibbench.data.classes import tell_unnamed
from ibbench.data.identity import cache_facts
from ibbench.data.layout import ATOMIC_NUMBER, HYDROGEN, FeatureLayout, layout_of
from ibbench.data.molecules import Molecules
from ibbench.data.pack import count_elements, pack_features
from ibbench.data.sources import Source, get_source, open_source
from ibbench.data.targets import Target
from ibbench.data.unseen import UNSEEN_FORMAT, Unseen
from ibbench.errors import InputError, suggest
from ibbench.options.data import DataOptions

_MOST_REASONS = 4  # reasons why rows are left out that a message counts, the most frequent first


@dataclass(frozen=True, eq=False)
class DataSet:
    """M molecules in memory.

    Attributes:
        molecules: the packed graphs, features as counts (uint8).
        values: the targets in their units, float64 `[M, T]`, NaN where a molecule lacks the label. Of a target of atoms
            it is the mean absolute value over the atoms of a molecule.
        targets: the T targets, one per column of `values`.
        ids: the number that the source gives each molecule, or else its row in the source, counted from 1; int64
            `[M]`.
        groups: for each molecule the index of the first one that is the same molecule, int64 `[M]`. Two are the same
            if RDKit writes the same isomeric SMILES for both, without atom map numbers.
        smiles: the M SMILES as the source spells them.
        source: the name of the source, with a digest of its content where the content does not follow from the name.
        hydrogens: `implicit` where hydrogens are a feature of their atom, `explicit` where they are atoms.
        rejected: how many rows of the source could not be used.
        odd_bonds: how many bonds are of a kind that features have no code for, by RDKit's name of the kind.
        path: the file of the cache.
        unseen: what the molecules carry, such as charges, that `molecules` does not show.
        parts: the part of the split that the source puts each molecule in, uint8 `[M]`, codes of `PARTS`; None if the
            source divides nothing.
        options: the options that it was loaded with; None for a data set that was made in another way.
        arrays: labels that are an array per molecule, by the name of their target: of a target of atoms float64
            `[M, N]`, NaN where there is no atom or no label.
    """

    molecules: Molecules
    values: Tensor
    targets: tuple[Target, ...]
    ids: Tensor
    groups: Tensor
    smiles: list[str]
    source: str
    hydrogens: str
    rejected: int
    odd_bonds: dict[str, int]
    path: Path
    unseen: Unseen
    parts: Tensor | None = None
    options: DataOptions | None = None
    arrays: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {"values": len(self.values), "ids": len(self.ids), "groups": len(self.groups)}
        lengths |= {"smiles": len(self.smiles)} | {name: len(part) for name, part in self.molecules._asdict().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the parts of a data set have different lengths: {lengths}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def layout(self) -> FeatureLayout:
        """The layout of the features of `molecules`, a name of `LAYOUTS`."""
        return layout_of(self.molecules.padding.num_features)

    def column(self, name: str) -> int:
        """Return the column of `values` that holds the target `name`.

        Raises:
            InputError: the data set has no such target; the message names the most similar.
        """
        names = [target.name for target in self.targets]
        if name not in names:
            if self.options is not None:  # those of atoms are read only where a run asks for them
                names += get_source(self.options.source).atom_targets
            raise InputError(f"`targets=[{name}]` is not a target of this data set: {suggest(name, names)}")
        return names.index(name)

    def labels(self, name: str) -> Tensor:
        """Return the labels of all molecules, float64: `[M]`, or `[M, N]` of a target of atoms.

        Raises:
            InputError: the data set has no target of this name.
        """
        return self.arrays[name] if name in self.arrays else self.values[:, self.column(name)]

    def composition(self) -> tuple[Tensor, list[int]]:
        """Count the atoms of each element: float64 `[M, E]`, and the E atomic numbers, hydrogen first."""
        numbers = self.molecules.atoms[..., ATOMIC_NUMBER]  # zero where there is no atom
        elements = sorted({HYDROGEN, *numbers.unique().tolist()} - {0})
        return count_elements(self.molecules, elements, self.hydrogens), elements


def load_dataset(options: DataOptions, say: Callable[[str], object] = print) -> DataSet:
    """Load the data set from its cache; build the cache first where there is none or it cannot be used.

    Args:
        options: the source, how hydrogens are treated, and which features atoms get.
        say: a function that is given a line of text when something takes time or is not as expected.

    Raises:
        InputError: the source is missing or unusable, rows cannot be used although `data.strict=true`, or the disk is
            full.
    """
    source = open_source(options)
    identity, expected = source.identify(), cache_facts(source) | {"unseen": UNSEEN_FORMAT}
    path = cache_path(identity, options.hydrogens, options.layout)
    try:
        arrays, facts = read_cache(path, expected)
        check_lengths(arrays)
        smiles = restore_texts("smiles", arrays)
    except (FileNotFoundError, CacheError) as reason:
        if isinstance(reason, CacheError):
            say(f"The data cache {path} {reason}; building it again.")
        else:
            say(f"Building the data cache {path} (once, about 15 seconds for QM9).")
        check_writable(path.parent)
        arrays, facts = _build_cache(source, expected, path)
        smiles = restore_texts("smiles", arrays)
    _report_rejected(facts, source, path, say)
    molecules = pack_features(arrays["atoms"], arrays["bonds"], arrays["num_atoms"], smiles, arrays.get("positions"))
    source.check(molecules)
    _check_logarithms(arrays["values"], source)
    dataset = DataSet(
        molecules=molecules,
        values=torch.from_numpy(arrays["values"]),
        targets=source.targets(),
        ids=torch.from_numpy(arrays["ids"]),
        groups=torch.from_numpy(arrays["groups"]),
        smiles=smiles,
        source=identity,
        hydrogens=options.hydrogens,
        rejected=facts["rejected"],
        odd_bonds=facts["odd_bonds"],
        path=path,
        unseen=Unseen(arrays["marks"], arrays["alike"]),
        parts=torch.from_numpy(arrays["parts"]) if "parts" in arrays else None,
        options=options,
    )
    if options.target_columns:
        for hint in tell_unnamed(dataset):
            say(hint)
    return dataset


def _build_cache(source: Source, expected: dict[str, Any], path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Build the arrays and facts of a data set and write them to its cache, and its unusable rows to a CSV beside."""
    try:
        from ibbench.data.build import build
        from ibbench.data.chunks import remove_chunks

        built = build(source)
    except ImportError as error:
        raise InputError(f"building the data cache needs a package that is not installed: {error.name}") from None
    if built.rejected:
        write_to_cache(_rejected_path(path), built.rejected.encode())
    if not built.arrays:
        raise InputError(
            f"no row of {source.location()} can be used. The first is {built.facts['first_fault']}. All are listed in "
            f"{_rejected_path(path)}"
        )
    facts = expected | built.facts
    write_cache(path, built.arrays, facts)
    remove_chunks(built.leftovers)
    return built.arrays, facts


def _check_logarithms(values: np.ndarray, source: Source) -> None:
    """Refuse a target whose logarithm is to be taken, if a value has none; log(1 + value) is not checked."""
    for column, target in enumerate(source.targets()):
        wrong = values[:, column] <= 0
        if target.logarithmic and not target.log_offset and wrong.any():
            raise InputError(
                f"'data.transform={{{target.name}: log}}' takes values above 0 only: {int(wrong.sum()):,} of "
                f"{len(wrong):,} values of {target.name} are not, such as {values[wrong.argmax(), column]:.6g}"
            )


def _report_rejected(facts: dict[str, Any], source: Source, path: Path, say: Callable[[str], object]) -> None:
    if not facts["rejected"]:
        return
    count = f"{facts['rejected']:,} of {facts['rows']:,} rows of {source.location()}"
    listed = f"The first is {facts['first_fault']}. They are listed in {_rejected_path(path)}"
    if source.options.strict:
        raise InputError(f"{count} cannot be used and data.strict=true. {listed}")
    say(f"{count} are left out{_tell_reasons(facts.get('reasons', {}))}. {listed}.")


def _tell_reasons(reasons: dict[str, int]) -> str:
    """Say how many rows have each reason, in brackets; nothing if there is only one, which the first row tells."""
    if len(reasons) < 2:
        return ""
    frequent = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]
    told = [f"{count:,}: {reason}" for reason, count in frequent]
    return f" ({'; '.join([*told, *(['and others'] if len(reasons) > _MOST_REASONS else [])])})"


def _rejected_path(path: Path) -> Path:
    return path.with_suffix(".rejected.csv")
