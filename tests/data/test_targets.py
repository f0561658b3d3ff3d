import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.targets import QM9_TARGETS
from ibbench.errors import InputError

METHANE = [
    0, 13.21, -10.5499, 3.1865, 13.7363, 35.3641, 1.2177, -1101.4878, -1101.4098, -1101.3840, -1102.0229, 6.4690,
    -17.1722, -17.2868, -17.3897, -16.1519, 157.7118, 157.7100, 157.7070,
]  # fmt: skip


def test_all_molecules_and_targets_are_there(qm9: DataSet) -> None:
    assert len(qm9) == 130_831
    order = "mu alpha homo lumo gap r2 zpve u0 u h g cv u0_atom u_atom h_atom g_atom a b c"
    assert [target.name for target in qm9.targets] == order.split() == list(QM9_TARGETS)


def test_methane_has_its_known_values(qm9: DataSet) -> None:
    assert qm9.smiles[0] == "C"
    assert qm9.values[0].tolist() == pytest.approx(METHANE, abs=1.01e-4)


def test_gap_is_lumo_minus_homo(qm9: DataSet) -> None:
    homo, lumo, gap = (qm9.values[:, qm9.column(name)] for name in ("homo", "lumo", "gap"))
    # The source rounds each to 1e-4 hartree.
    assert torch.allclose(lumo - homo, gap, atol=1.01e-4 * 27.2114)


def test_misspelt_target_is_named_with_the_nearest(qm9: DataSet) -> None:
    with pytest.raises(InputError, match="did you mean `gap`"):
        qm9.column("gapp")
