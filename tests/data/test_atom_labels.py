"""Charges of atoms: those of the wheel, given to the right atoms, and 0 in sum."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ibbench.data.atom_labels import add_atom_targets
from ibbench.data.dataset import DataSet
from ibbench.data.sources import open_source
from ibbench.data.sources.qm9pack import Qm9Pack, _files
from ibbench.data.splits import find_unlabelled, split_dataset
from ibbench.options.config import Config
from tests.data.test_positions import REORDERED


@pytest.fixture(scope="module")
def charged(qm9: DataSet) -> DataSet:
    return add_atom_targets(qm9, ["gap", "mulliken"], lambda _: None)


def test_charges_of_an_atom_and_its_hydrogens_are_those_of_the_wheel(charged: DataSet) -> None:
    """Methanol, `CO`, read here with plain Python: its XYZ block lists C, O, three H of C and the H of O."""
    with _files()[0].open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["SMILES"] == "CO")
    charges = [float(text) for text in row["Mulliken_pop"].strip("[]").split(",")]
    assert [text.strip("'") for text in row["Elements"].strip("[]").split(",")] == list("COHHHH")
    found = charged.labels("mulliken")[charged.smiles.index("CO")]
    expected = [charges[0] + sum(charges[2:5]), charges[1] + charges[5]]
    np.testing.assert_allclose(found[:2], expected, atol=1e-12)
    assert found[2:].isnan().all()


def test_all_molecules_are_neutral_and_those_in_another_order_are_left_out(charged: DataSet) -> None:
    labels, mask = charged.labels("mulliken"), charged.molecules.mask
    left_out = labels.isnan().all(1)
    assert sorted(charged.smiles[index] for index in left_out.nonzero().flatten().tolist()) == sorted(REORDERED)
    assert torch.equal(labels[~left_out].isnan(), ~mask[~left_out])
    assert labels.nansum(1).abs().max() < 1e-5
    assert labels.nan_to_num().abs().max() < 1  # oxygen is negative, and carbon bound to it positive
    assert labels[charged.molecules.atoms[..., 5] == 9].nanmean() < 0


@pytest.mark.slow
def test_with_hydrogens_as_atoms_each_has_its_own_charge(charged: DataSet, qm9_explicit: DataSet) -> None:
    own = add_atom_targets(qm9_explicit, ["mulliken"], lambda _: None).labels("mulliken")
    atoms, bonds = qm9_explicit.molecules.atoms, qm9_explicit.molecules.bonds
    is_hydrogen = atoms[..., 5] == 1
    assert own[is_hydrogen].nanmean() == pytest.approx(0.1293, abs=1e-3)
    of_hydrogens = torch.einsum("mij,mj->mi", (bonds > 0).double(), torch.where(is_hydrogen, own, 0).nan_to_num())
    together = (own + of_hydrogens)[:, :9].masked_fill(~charged.molecules.mask, torch.nan)
    torch.testing.assert_close(together, charged.labels("mulliken"), equal_nan=True, rtol=0, atol=1e-12)


def test_they_are_left_out_for_this_target_alone_and_said(qm9: DataSet, config: Callable[..., Config]) -> None:
    said = []
    charged = add_atom_targets(qm9, ["mulliken"], said.append)
    assert len(said) == 1
    assert "mulliken: 6 of 130,831 molecules are left out" in said[0]
    assert charged.values[:, :19].equal(qm9.values)
    assert find_unlabelled(charged).keys() == {"mulliken"}
    options = config().data
    split = split_dataset(qm9, options)
    assert split_dataset(charged, options).fingerprint == split.fingerprint
    assert split_dataset(charged, options).of_target("gap").train_pool.equal(split.train_pool)
    assert add_atom_targets(qm9, ["gap"], said.append) is qm9  # nothing is read for other targets


def test_they_have_a_cache_of_their_own(
    qm9: DataSet, charged: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = torch.arange(50)
    part = replace(
        qm9,
        molecules=qm9.molecules.select(few),
        values=qm9.values[:50],
        ids=qm9.ids[:50],
        groups=qm9.groups[:50],
        smiles=qm9.smiles[:50],
    )
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path))
    first = add_atom_targets(part, ["mulliken"], lambda _: None).labels("mulliken")
    torch.testing.assert_close(first, charged.labels("mulliken")[:50], equal_nan=True)
    assert [path.name for path in tmp_path.iterdir()] == ["qm9pack-implicit-mulliken.safetensors"]
    monkeypatch.setattr(Qm9Pack, "read_atoms", None)  # it is not read again
    again = add_atom_targets(part, ["mulliken"], lambda _: None).labels("mulliken")
    torch.testing.assert_close(again, first, equal_nan=True, rtol=0, atol=0)


def test_charges_that_do_not_add_up_to_0_are_refused(
    qm9: DataSet, config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibbench.data.sources.qm9pack._CHARGE_ROUNDING", 1e-7)  # the wheel's rounding is 6e-6
    with pytest.raises(RuntimeError, match=r"the charges of molecule \d+ add up to 0\.00000\d in the place of 0"):
        open_source(config().data).read_atoms("mulliken", qm9.ids[:1000].numpy())
