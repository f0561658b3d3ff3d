import subprocess
import sys

import pytest

from ibbench.baselines import Baseline, baseline_names, get_baseline, register
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.config import option_names


@pytest.mark.parametrize("name", baseline_names())
def test_every_file_registers_a_baseline_under_its_name(name: str) -> None:
    baseline = get_baseline(name)
    assert issubclass(baseline, Baseline)
    assert baseline.__module__ == f"ibbench.baselines.{name}"
    assert baseline.ignores <= {option for option in option_names() if option.startswith("data.")}


def test_no_model_has_the_name_of_a_baseline() -> None:
    assert not set(model_names()) & set(baseline_names())


def test_an_unknown_baseline_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="`means` is not a baseline: did you mean `mean`"):
        get_baseline("means")


def test_a_second_baseline_of_the_same_name_is_an_error() -> None:
    get_baseline("mean")
    with pytest.raises(InputError, match="two baselines are called `mean`"):

        @register("mean")
        class _Other(Baseline):
            pass


WITHOUT_TORCH = """
import sys
for name in ("torch", "rdkit"):
    sys.modules[name] = None  # importing them raises ImportError
from ibbench.baselines import baseline_names, ignored_by
print(*sorted(set.intersection(*(set(ignored_by(name)) for name in baseline_names()))))
"""


def test_what_baselines_ignore_is_known_without_torch() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    expected = ["data.augmentation", "data.centre", "data.features", "data.graph", "data.standardise"]
    assert run.stdout.split() == expected, run.stderr
