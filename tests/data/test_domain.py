"""What is kept of train molecules says of any molecule whether it was one, and what they had."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from ibbench.data.dataset import DataSet
from ibbench.data.domain import find_domain, key_molecules, merge_domains, read_charges, read_domain, write_domain
from ibbench.data.featurize import canonical_smiles
from ibbench.errors import InputError


def test_it_knows_the_molecules_of_each_seed_and_what_they_have(qm9: DataSet, tmp_path: Path) -> None:
    subsets = {3: torch.arange(1000, 1400), 5: torch.arange(1300, 1500)}
    write_domain(tmp_path / "domain", find_domain(qm9, subsets))
    domain = read_domain(tmp_path / "domain")
    assert domain is not None
    keys = key_molecules([canonical_smiles(Chem.MolFromSmiles(text)) for text in qm9.smiles[900:1600]])
    expected = np.zeros(700, dtype=int)
    expected[100:500] += 1
    expected[400:600] += 1
    assert domain.count_seeds(keys).tolist() == expected.tolist()
    assert domain.seeds == (3, 5)
    graphs = [Chem.AddHs(Chem.MolFromSmiles(text)) for text in qm9.smiles[1000:1500]]
    assert domain.elements == {atom.GetAtomicNum() for graph in graphs for atom in graph.GetAtoms()}
    assert domain.sizes == {graph.GetNumHeavyAtoms() for graph in graphs}
    assert domain.charges == {Chem.GetFormalCharge(graph) for graph in graphs}
    assert domain.atom_charges == {0} | {atom.GetFormalCharge() for graph in graphs for atom in graph.GetAtoms()}
    assert (tmp_path / "domain").stat().st_size < 500 * 9 + 1000
    apart = [find_domain(qm9, {seed: subset}) for seed, subset in subsets.items()]
    merged = merge_domains([*apart, apart[0]])
    assert merged.count_seeds(keys).tolist() == expected.tolist()
    assert merged._replace(keys=domain.keys, members=domain.members) == domain
    # One seed in two runs, as of two targets that different molecules have: it knows those of both.
    both = merge_domains([find_domain(qm9, {3: subset}) for subset in subsets.values()])
    assert both.count_seeds(keys).tolist() == (expected > 0).tolist()


@pytest.mark.parametrize(
    "smiles",
    ["CCO", "C[NH3+]", "[Fe+2]", "[O-]C(=O)C[N+](C)(C)C", "[13CH3-]", "[O-:3]CC", "C[C@@H](N)F", "[Ti+4]", "[O--]"],
)
def test_charges_are_those_of_the_graph(smiles: str) -> None:
    graph = Chem.MolFromSmiles(smiles)
    charges = sorted(filter(None, (atom.GetFormalCharge() for atom in graph.GetAtoms())))
    assert sorted(read_charges(canonical_smiles(graph))) == charges


def test_no_file_is_no_domain_and_a_broken_one_an_error(tmp_path: Path, qm9: DataSet) -> None:
    assert read_domain(tmp_path / "none") is None
    path = tmp_path / "domain"
    write_domain(path, find_domain(qm9, {0: torch.arange(50)}))
    content = path.read_bytes()
    assert b'"format_version":"1"' in content
    path.write_bytes(content.replace(b'"format_version":"1"', b'"format_version":"2"'))
    with pytest.raises(InputError, match="written by a newer ibbench"):
        read_domain(path)
    for broken in (b"", content[:-1], content.replace(b'"seeds":"[0]"', b'"seeds":"[ ]"')):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="domain is not readable"):
            read_domain(path)
