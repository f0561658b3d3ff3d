"""The targets of QM9: names, symbols, units, conversions and atom references. Every unit is named here."""

from typing import Literal, NamedTuple

from ibbench.options.words import NATS

HARTREE_IN_EV = 27.211386246
# What a label belongs to, and a model predicts one number for: a molecule, or each of its atoms.
Output = Literal["molecule", "atoms"]


class Target(NamedTuple):
    """One property to predict.

    Attributes:
        name: what users type and tables print.
        symbol: the field's symbol.
        unit: the unit of every value, error and prediction. `nats` marks a class: values are 0 and 1, a prediction
            is the probability of 1, and errors are log losses in nats (natural logarithms).
        description: a few words.
        factor: from the unit of the source (atomic units for energies) to `unit`.
        references: the thermodynamic potential in `ATOM_REFERENCES_HARTREE` whose free-atom energies are taken
            off before training, so that float32 resolves the chemistry; empty for none.
        logarithmic: train on log(log_offset + value), for values that span many orders of magnitude.
        log_offset: what is added before the logarithm: 1, or 0 for values that are all above 0 (`data.transform`).
        chemical_accuracy: the error, in `unit`, that is as good as what experiments or the theory itself reach:
            Faber et al. 2017 (J. Chem. Theory Comput. 13, 5255) and Gilmer et al. 2017 (ICML,
            arXiv:1704.01212), for the 12 targets that are named there; None for the others.
        output: `molecule` for one value per molecule, `atoms` for one per atom.
    """

    name: str
    symbol: str
    unit: str
    description: str
    factor: float = 1.0
    references: str = ""
    logarithmic: bool = False
    log_offset: float = 1.0
    chemical_accuracy: float | None = None
    output: Output = "molecule"

    @property
    def is_class(self) -> bool:
        """Whether the target is one of two classes, 0 and 1, and not a number."""
        return self.unit == NATS

    @property
    def value_unit(self) -> str:
        """The unit of true values and of predictions taken for numbers; empty for a class."""
        return "" if self.is_class else self.unit


def _energy(name: str, symbol: str, description: str, references: str = "", accuracy: float | None = 0.043) -> Target:
    return Target(name, symbol, "eV", description, HARTREE_IN_EV, references, chemical_accuracy=accuracy)


def one_target(name: str, symbol: str, unit: str, description: str) -> dict[str, Target]:
    """Return the only target of a source, by its name."""
    return {name: Target(name, symbol, unit, description)}


_ALL = (
    Target("mu", "μ", "D", "dipole moment", chemical_accuracy=0.1),
    Target("alpha", "α", "a0^3", "isotropic polarisability", chemical_accuracy=0.1),
    _energy("homo", "ε_HOMO", "energy of the highest occupied orbital"),
    _energy("lumo", "ε_LUMO", "energy of the lowest unoccupied orbital"),
    _energy("gap", "Δε", "gap between HOMO and LUMO"),
    Target("r2", "⟨R²⟩", "a0^2", "electronic spatial extent", chemical_accuracy=1.2),
    _energy("zpve", "ZPVE", "zero-point vibrational energy", accuracy=0.0012),
    _energy("u0", "U₀", "internal energy at 0 K", "u0"),
    _energy("u", "U", "internal energy at 298.15 K", "u"),
    _energy("h", "H", "enthalpy at 298.15 K", "h"),
    _energy("g", "G", "Gibbs free energy at 298.15 K", "g"),
    Target("cv", "c_v", "cal/(mol K)", "heat capacity at 298.15 K", chemical_accuracy=0.05),
    _energy("u0_atom", "U₀^atom", "atomisation energy at 0 K", accuracy=None),
    _energy("u_atom", "U^atom", "atomisation energy at 298.15 K", accuracy=None),
    _energy("h_atom", "H^atom", "atomisation enthalpy at 298.15 K", accuracy=None),
    _energy("g_atom", "G^atom", "atomisation free energy at 298.15 K", accuracy=None),
    Target("a", "A", "GHz", "rotational constant A", logarithmic=True),
    Target("b", "B", "GHz", "rotational constant B", logarithmic=True),
    Target("c", "C", "GHz", "rotational constant C", logarithmic=True),
)
QM9_TARGETS = {target.name: target for target in _ALL}
_CHARGE = "Mulliken charge of an atom, with its hydrogens"
QM9_ATOM_TARGETS = {"mulliken": Target("mulliken", "q", "e", _CHARGE, output="atoms")}

# What stands for the molecule itself, where a model restores molecules and needs no label. A prediction is then how far
# the reconstruction is from the molecule, and the true value is 0. Features of atoms are counts, and bonds and the
# presence of an atom 0 or 1: a wrong element costs 2, and the square of the difference of the atomic numbers.
ITSELF_UNIT = "count^2"
ITSELF = {
    target.name: target
    for target in (
        Target("molecule", "|x - x'|²", ITSELF_UNIT, "distance of the flat molecule from its reconstruction"),
        Target("atom_set", "|X - X'|²", ITSELF_UNIT, "distance of the set of atoms from its reconstruction"),
    )
}

# Energies of the free atoms by atomic number, B3LYP/6-31G(2df,p), in hartree: Ramakrishnan et al. 2014
# (Sci. Data 1, 140022), file atomref.txt, figshare 3195395.
ATOM_REFERENCES_HARTREE = {
    "u0": {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730},
    "u": {1: -0.498857, 6: -37.845355, 7: -54.582445, 8: -75.063163, 9: -99.717314},
    "h": {1: -0.497912, 6: -37.844411, 7: -54.581501, 8: -75.062219, 9: -99.716370},
    "g": {1: -0.510927, 6: -37.861317, 7: -54.598897, 8: -75.079532, 9: -99.733544},
}
