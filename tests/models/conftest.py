from collections.abc import Callable

import pytest
import torch

from ibbench.data.dataset import DataSet
from ibbench.data.molecules import Molecules
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.models.registry import Model, build_model
from ibbench.options.config import Config
from ibbench.options.model import ModelOptions

Options = Callable[..., ModelOptions]
Build = Callable[..., Model]


@pytest.fixture
def options(config: Callable[..., Config]) -> Options:
    """Return the options of a narrow model, by the name of its config."""

    def compose(name: str, *overrides: str) -> ModelOptions:
        return config(f"model={name}", "budget=null", "model.width=16", *overrides).model

    return compose


@pytest.fixture
def build(options: Options) -> Build:
    """Build a narrow model in float64, for 9 atoms, with weights that leave nothing at zero."""

    def make(name: str, *overrides: str) -> Model:
        model = build_model(QM9_PADDING["implicit"], options(name, *overrides)).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():  # biases that start at zero should count, too
                parameter += 0.1 * torch.randn_like(parameter)
        return model

    return make


@pytest.fixture(scope="module")
def molecules(qm9: DataSet) -> Molecules:
    """64 molecules of all sizes, in float64, roughly standardised."""
    index = torch.cat([torch.arange(32), torch.arange(60_000, 60_032)])
    batch = qm9.molecules.select(index)
    atoms = (batch.atoms.double() - 0.5) * batch.mask[..., None]
    return batch._replace(atoms=atoms, positions=batch.positions.double())
