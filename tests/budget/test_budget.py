import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ibbench.run.pace
from ibbench.budget.cost import count_flops, count_parameters
from ibbench.budget.width import fit_to_budget
from ibbench.data.dataset import DataSet
from ibbench.data.layout import NUM_ATOM_FEATURES, NUM_BOND_TYPES, Padding
from ibbench.data.sources.qm9pack import QM9_PADDING
from ibbench.data.splits import split_dataset
from ibbench.data.tokens import NUM_TOKENS
from ibbench.errors import InputError
from ibbench.models import STANDARD_MODELS, model_names
from ibbench.models.registry import build_model
from ibbench.options.config import Config
from ibbench.options.groups import BudgetOptions
from ibbench.options.model import ModelOptions
from ibbench.run.pace import fit_to_seconds, seconds_per_molecule

QM9 = QM9_PADDING["implicit"]
Tiny = Callable[..., ModelOptions]


def _parameters(value: float) -> BudgetOptions:
    return BudgetOptions(match="parameters", value=value)


@pytest.fixture
def tiny(config: Callable[..., Config]) -> Tiny:
    """Return the options of a model of one layer, narrow enough to count its work by hand."""

    def compose(name: str, width: int = 10) -> ModelOptions:
        return config(f"model={name}", "budget=null", f"model.width={width}", "model.depth=1").model

    return compose


@pytest.mark.parametrize("name", [*model_names(), "ladder/gnn_lengths", "ladder/transformer"])
@pytest.mark.parametrize(("parameters", "depth"), [(20_000, 2), (100_000, 7), (1_000_000, 4)])
def test_width_is_solved_to_within_two_percent(
    name: str, parameters: int, depth: int, config: Callable[..., Config]
) -> None:
    options = fit_to_budget(QM9, config(f"model={name}", f"model.depth={depth}").model, _parameters(parameters))
    model = build_model(QM9, options)
    reached = sum(parameter.numel() for parameter in model.parameters())
    assert abs(reached / parameters - 1) <= 0.02
    assert reached == count_parameters(QM9, options)
    width, hidden = options.sizes
    assert 1 / 1.3 < hidden / (2 * width) < 1.3  # the hidden layer only fills the gap


@pytest.mark.parametrize("name", [*model_names(), "ladder/gnn_lengths", "ladder/transformer"])
def test_width_is_solved_for_a_number_of_flops(name: str, config: Callable[..., Config]) -> None:
    flops = 4_000_000
    options = fit_to_budget(
        QM9, config(f"model={name}", "model.depth=2").model, BudgetOptions(match="flops", value=flops)
    )
    assert count_flops(QM9, options) == pytest.approx(flops, rel=0.02)
    width, hidden = options.sizes
    assert 1 / 1.3 < hidden / (2 * width) < 1.3


def test_a_budget_that_no_width_meets_is_refused(config: Callable[..., Config]) -> None:
    options = config("model=mlp").model
    with pytest.raises(InputError, match=r"`budget.value=100` parameters cannot be met by mlp"):
        fit_to_budget(QM9, options, _parameters(100))
    with pytest.raises(InputError, match=r"`budget.value=100` flops cannot be met by mlp"):
        fit_to_budget(QM9, options, BudgetOptions(match="flops", value=100))


def test_flops_of_the_mlp_are_two_for_each_weight(tiny: Tiny) -> None:
    inputs = 9 * NUM_ATOM_FEATURES + 36 * NUM_BOND_TYPES
    weights = inputs * 10 + (10 * 20 + 20 * 10) + (10 * 10 + 10 * 1)
    assert count_flops(QM9, tiny("mlp")) == 2 * weights


def test_flops_of_deep_sets_are_nine_times_phi_and_once_rho(tiny: Tiny) -> None:
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    assert count_flops(QM9, tiny("deep_sets")) == 2 * (9 * phi + rho)


def test_flops_of_the_gnn_add_messages_and_their_sums(tiny: Tiny) -> None:
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    sums = 9 * (9 * NUM_BOND_TYPES) * 10
    assert count_flops(QM9, tiny("gnn")) == 2 * (9 * (phi + 10 * 20) + sums + rho)


@pytest.mark.parametrize("name", ["graph_transformer", "ladder/transformer", "gat"])
def test_flops_of_attention_add_scores_and_mixtures(name: str, tiny: Tiny) -> None:
    options = tiny(name, 16)
    phi, rho = NUM_ATOM_FEATURES * 16 + (16 * 32 + 32 * 16), 16 * 16 + 16 * 1
    attention = 9 * (3 * 16 * 16 + 16 * 16) + 2 * 9 * 9 * 16
    # Distances are found with products of the adjacency matrix.
    hops = (options.max_hops - 1) * 9 * 9 * 9 if getattr(options, "max_hops", None) else 0
    assert count_flops(QM9, options) == 2 * (9 * phi + attention + rho + hops)


def test_flops_of_schnet_add_a_filter_for_each_pair(tiny: Tiny) -> None:
    phi, rho = NUM_ATOM_FEATURES * 10 + (10 * 20 + 20 * 10), 10 * 10 + 10 * 1
    filters = 9 * 9 * (32 * 10 + 10 * 10)
    assert count_flops(QM9, tiny("schnet")) == 2 * (9 * (phi + 10 * 20) + filters + rho)


def test_flops_of_the_string_models_grow_with_the_longest_string(tiny: Tiny) -> None:
    rho, embed = 10 * 10 + 10 * 1, NUM_TOKENS * 10
    window = (10 * 20 + 20 * 10) + 4 * 10 * 20
    gates = 10 * 60 + 20 * 60 + 20 * 10
    for length in (28, 50):
        assert count_flops(Padding(9, length), tiny("cnn")) == 2 * (length * (embed + window) + rho)
        assert count_flops(Padding(9, length), tiny("rnn")) == 2 * (length * (embed + gates) + rho)


@pytest.mark.parametrize("num_atoms", [9, 29, 128])
def test_the_default_budget_can_be_met_for_molecules_of_any_size(num_atoms: int, config: Callable[..., Config]) -> None:
    for name in STANDARD_MODELS:
        options = fit_to_budget(Padding(num_atoms, 28), config(f"model={name}").model, _parameters(100_000))
        assert count_parameters(Padding(num_atoms, 28), options) == pytest.approx(100_000, rel=0.02)


def test_counting_leaves_the_random_state_alone(tiny: Tiny) -> None:
    before = torch.get_rng_state()
    count_flops(QM9, tiny("gnn"))
    count_parameters(QM9, tiny("gnn"))
    assert torch.equal(before, torch.get_rng_state())


PACE = ("budget.match=seconds", "seeds=[0]", "data.train_size=200")


def test_a_width_once_measured_is_kept(
    config: Callable[..., Config], qm9: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = config("model=gnn", *PACE, "budget.value=1e-3")
    fit = functools.partial(fit_to_seconds, composed, qm9, split_dataset(qm9, composed.data), torch.device("cpu"))

    def pretend(sized: Config, *_: object, **__: object) -> float:
        return 1e-5 * sized.model.sizes[0]

    monkeypatch.setattr(ibbench.run.pace, "seconds_per_molecule", pretend)
    assert fit(tmp_path).sizes == (104, 208)  # the multiple of 8 whose pace is nearest to that of a width of 100
    monkeypatch.setattr(ibbench.run.pace, "seconds_per_molecule", None)  # nothing is measured a second time
    assert fit(tmp_path).sizes == (104, 208)
    with pytest.raises(TypeError):
        fit(tmp_path / "elsewhere")


def test_a_pause_of_the_machine_does_not_mislead_the_search(
    config: Callable[..., Config], qm9: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = config("model=gnn", *PACE, "budget.value=2e-2")
    pauses = [64]

    def pretend(sized: Config, *_: object, **__: object) -> float:
        width = sized.model.sizes[0]
        if width in pauses:
            pauses.remove(width)
            return 1.0
        return 1e-5 * width

    monkeypatch.setattr(ibbench.run.pace, "seconds_per_molecule", pretend)
    found = fit_to_seconds(composed, qm9, split_dataset(qm9, composed.data), torch.device("cpu"), tmp_path)
    assert found.width == pytest.approx(2000, abs=8)


def test_a_pace_that_no_width_keeps_is_refused(config: Callable[..., Config], qm9: DataSet, tmp_path: Path) -> None:
    composed = config("model=gnn", *PACE, "budget.value=1e-7")
    with pytest.raises(InputError, match=r"`budget.value=1e-07` seconds a molecule cannot be met by gnn"):
        fit_to_seconds(composed, qm9, split_dataset(qm9, composed.data), torch.device("cpu"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_search_for_a_pace_is_bounded_in_width_and_in_time(
    config: Callable[..., Config],
    qm9: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composed = config("model=mlp", *PACE, "budget.value=0.1")
    fit = functools.partial(fit_to_seconds, composed, qm9, split_dataset(qm9, composed.data), torch.device("cpu"))
    tried = []

    def pretend(sized: Config, *_: object, **__: object) -> float:
        tried.append(sized.model.sizes[0])
        return 1e-6

    monkeypatch.setattr(ibbench.run.pace, "seconds_per_molecule", pretend)
    with pytest.raises(InputError, match=r"width 2040 takes 1e-06. Choose a smaller budget"):
        fit(tmp_path)
    assert max(tried) == 2048
    assert "measuring the width at which mlp trains at 0.1 seconds a molecule" in capsys.readouterr().out
    monkeypatch.setattr(ibbench.run.pace, "_LONGEST_SECONDS", 0.0)
    with pytest.raises(InputError, match="was not found in 0 s"):
        fit(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_width_that_is_too_slow_is_not_timed_to_the_end(
    config: Callable[..., Config], qm9: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = config("model=mlp", *PACE, "budget=null", "model.width=8")
    split, cpu = split_dataset(qm9, composed.data), torch.device("cpu")
    steps = []
    monkeypatch.setattr(ibbench.run.pace.Step, "__call__", lambda *_: steps.append(1))
    seconds_per_molecule(composed, qm9, split, cpu, enough=1e-12)
    short = len(steps)
    seconds_per_molecule(composed, qm9, split, cpu)
    assert short < (len(steps) - short) / 2
