"""Data sets out of installed packages: values that are known to chemists, in the units that are told."""

import functools
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from rdkit import Chem

from ibbench.data.installed import find_file
from ibbench.data.sources import Rows, get_source, open_source
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.sources import OF_PACKAGES, WITH_SPLIT

Of = Callable[..., Config]
TASK = "data.task=CHEMBL234_Ki"


@pytest.fixture(scope="module")
def rows_of(config: Of) -> Callable[..., Rows]:
    @functools.cache
    def read(*overrides: str) -> Rows:
        return open_source(config(*overrides).data).read()

    return read


def _value(rows: Rows, smiles: str) -> float:
    """Return the value of the only usable row of a molecule, which is looked for among those of about its length."""
    wanted, faulty = Chem.CanonSmiles(smiles), {fault.row for fault in rows.faults}
    near = [row for row, text in enumerate(rows.smiles) if row not in faulty and abs(len(text) - len(wanted)) < 6]
    carbons = wanted.lower().count("c")
    (found,) = [
        row
        for row in near
        if rows.smiles[row].lower().count("c") == carbons and Chem.CanonSmiles(rows.smiles[row]) == wanted
    ]
    return float(rows.values[found, 0])


# Melting and boiling points in K and heats of formation of gases in kJ/mol from the CRC Handbook; logP from Hansch, Leo
# & Hoekman 1995; hydration in kcal/mol from FreeSolv; solubility as log10 of mol/L from Huuskonen 2000.
@pytest.mark.parametrize(
    ("source", "smiles", "value", "tolerance"),
    [
        ("melting_point", "c1ccccc1", 278.7, 1),
        ("melting_point", "CCO", 159.0, 1),
        ("melting_point", "CC(=O)Oc1ccccc1C(=O)O", 408, 3),
        ("boiling_point", "c1ccccc1", 353.2, 1),
        ("boiling_point", "CCO", 351.4, 1),
        ("boiling_point", "C", 111.7, 1),
        ("heat_of_formation", "c1ccccc1", 82.9, 1),
        ("heat_of_formation", "CCO", -234.8, 1),
        ("heat_of_formation", "C", -74.6, 1),
        ("logp", "c1ccccc1", 2.13, 0.01),
        ("logp", "CCO", -0.31, 0.01),
        ("logp", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", -0.07, 0.01),
        ("freesolv", "CO", -5.10, 0.1),
        ("freesolv", "c1ccccc1", -0.9, 0.1),
        ("solubility", "c1ccccc1", -1.64, 0.1),
        ("solubility", "CCCCCC", -3.84, 0.15),
    ],
)
def test_known_molecules_have_their_values(
    source: str, smiles: str, value: float, tolerance: float, rows_of: Callable[..., Rows]
) -> None:
    assert _value(rows_of(f"data={source}"), smiles) == pytest.approx(value, abs=tolerance)


UNITS = {
    "melting_point": "K", "boiling_point": "K", "heat_of_formation": "kJ/mol", "logp": "log10",
    "hydration": "kcal/mol", "solubility": "log10(mol/L)", "activity": "log10(mol/L)",
}  # fmt: skip


def test_units_are_told() -> None:
    targets = [target for name in OF_PACKAGES for target in get_source(name).fixed_targets.values()]
    assert {target.name: target.unit for target in targets} == UNITS


@pytest.mark.parametrize("source", ["melting_point", "boiling_point", "heat_of_formation", "logp"])
def test_only_organic_molecules_with_values_that_can_be_are_left(source: str, rows_of: Callable[..., Rows]) -> None:
    rows = rows_of(f"data={source}")
    faulty = {fault.row for fault in rows.faults}
    kept = [row for row in range(len(rows.smiles)) if row not in faulty]
    assert len(kept) > 3000
    assert not any("." in rows.smiles[row] or not rows.smiles[row] for row in kept)
    assert all("c" in rows.smiles[row].lower() for row in kept)
    values = rows.values[kept, 0]
    low, high = get_source(source).bounds
    assert low <= values.min() < values.max() <= high
    reasons = Counter(fault.reason for fault in rows.faults)
    assert sum(reasons.values()) == len(rows.smiles) - len(kept)
    assert any("several parts" in reason for reason in reasons)
    if source == "boiling_point":  # azidoethane at 1769 K, and four more mistakes of the table
        assert 3 <= reasons["it is not between 50 and 1000 K"] < 10


def test_moleculeace_has_30_tasks_with_a_split_of_their_own(rows_of: Callable[..., Rows], config: Of) -> None:
    rows = rows_of("data=moleculeace", TASK)
    assert rows.values[0, 0] == pytest.approx(9 - np.log10(145))  # 145 nmol/L
    assert rows.parts is not None
    assert 0.18 < (rows.parts == 0).mean() < 0.22
    with pytest.raises(InputError, match=r"`data.task=CHEMBL234` is not possible: did you mean `CHEMBL234_"):
        open_source(config("data=moleculeace", "data.task=CHEMBL234").data).read()
    folder = find_file("MoleculeACE", "__init__.py", "").parent
    assert len([*folder.glob("Data/benchmark_data/*.csv")]) == 30


def test_options_of_these_sources(config: Of) -> None:
    with pytest.raises(InputError, match=r"data.source=moleculeace also needs data.task"):
        config("data=moleculeace")
    with pytest.raises(InputError, match=r"data.task: only for data.source=moleculeace"):
        config("data=logp", TASK)
    with pytest.raises(InputError, match=r"data.path: only for data.source=csv"):
        config("data=logp", "data.path=a.csv")
    with pytest.raises(InputError, match=r"data.split=column needs data.split_column"):
        config("data=logp", "data.split=column")
    ace, random = config("data=moleculeace", TASK), config("data=moleculeace", TASK, "data.split=random")
    assert (ace.data.split, random.data.split) == ("column", "random")
    assert ace.numerics()["data"]["task"] == "CHEMBL234_Ki"
    assert "task" not in config().numerics()["data"]
    few, many = (config("data=logp", f"data.max_atoms={most}") for most in (20, 30))
    assert few.numerics() != many.numerics()
    assert open_source(few.data).identify() != open_source(many.data).identify()
    assert {
        config(f"data={name}", *([TASK] if name == "moleculeace" else ())).data.features for name in OF_PACKAGES
    } == {"organic"}


def test_what_the_options_know_of_sources_is_what_sources_say(rows_of: Callable[..., Rows]) -> None:
    assert all(get_source(name).takes == {"max_atoms", "strict"} for name in OF_PACKAGES)
    divided = {
        name
        for name in OF_PACKAGES
        if rows_of(f"data={name}", *([TASK] if name == "moleculeace" else ())).parts is not None
    }
    assert divided == WITH_SPLIT


def test_a_package_that_is_not_there_says_how_to_install_it() -> None:
    with pytest.raises(InputError, match=r"the package nowhere_to_be_found, .* is not installed: `pip install it`"):
        find_file("nowhere_to_be_found", "a.csv", "pip install it")
    with pytest.raises(InputError, match=r"the package chemicals, .* has no Phase Change/none.tsv"):
        find_file("chemicals", "Phase Change/none.tsv", "pip install it")
