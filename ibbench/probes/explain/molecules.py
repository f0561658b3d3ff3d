"""Molecules to look into: one that is typed, in an order that does not depend on its spelling, or test molecules."""

from collections.abc import Sequence
from pathlib import Path

from ibbench.data.dataset import load_dataset
from ibbench.data.featurize import canonical_smiles, read_smiles
from ibbench.data.splits import split_dataset
from ibbench.errors import InputError, shorten
from ibbench.options.config import Config
from ibbench.probes.subject.candidate import read_configs
from ibbench.terminal import mention_once

_ROUNDS = 10  # RDKit may spell its own canonical SMILES in yet another way, up to a few times


def spell(smiles: str) -> str:
    """Return the canonical SMILES of a molecule. Figures of atoms are in the order of atoms of this SMILES.

    Raises:
        InputError: the text is not a SMILES that can be read.
    """
    from rdkit import Chem

    reading = read_smiles([smiles.strip()], "implicit")
    for reason in reading.refused.values():
        raise InputError(f"`{shorten(smiles)}` is not a molecule: {reason}")
    text = reading.canonical[0]
    for _ in range(_ROUNDS):
        again = canonical_smiles(Chem.MolFromSmiles(text))
        if again == text:
            break
        text = again
    return text


def take_test_molecules(study: Path, runs: Sequence[Path], count: int, defaults: Config) -> list[str]:
    """Return the first test molecules that some runs of a study have in common, as canonical SMILES (see `spell`).

    Args:
        study: the folder of the study.
        runs: the folders of the runs.
        count: the largest number of molecules.
        defaults: a config with the options that records leave out, see `read_configs`.

    Raises:
        InputError: records do not say enough about the data, runs have different data sets, or they have no test
            molecule in common.
    """
    configs, folders = read_configs(study, defaults)
    names = {run.name for run in runs}
    data = [config.data for config, folder in zip(configs, folders, strict=True) if folder.name in names]
    first, *others = {options.model_dump_json(): options for options in data}.values()
    dataset = load_dataset(first, mention_once)
    index = split_dataset(dataset, first).test.tolist()
    for options in others:
        other = load_dataset(options, mention_once)
        if other.source != dataset.source:
            raise InputError(f"the models of {study} have different data sets: --model chooses those of one")
        shared = {*split_dataset(other, options).test.tolist()}
        index = [one for one in index if one in shared]
    if not index:
        raise InputError(f"the models of {study} have no test molecule in common: --model chooses some of them")
    return [spell(dataset.smiles[one]) for one in index[:count]]
