"""The history of a run: also of trials whose loss was no longer finite."""

import math
from pathlib import Path

import pytest

from ibbench.record.folder import HISTORY
from ibbench.record.history import read_history
from ibbench.record.schema import BrokenError

HEADER = "stage,step,epoch,target,seed,learning_rate,train_loss,validation_mae\n"


def test_a_trial_that_diverged_has_no_loss_and_no_error(tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_text(f"{HEADER}1,10,1.0,NA,0,1e30,,\n1,10,1.0,NA,1,0.01,0.5,0.4\n")
    diverged, other = read_history(tmp_path)
    assert math.isnan(diverged["train_loss"])
    assert math.isnan(diverged["validation_mae"])
    assert other["validation_mae"] == 0.4
    assert other["target"] == "NA"  # a target may be called so
    (tmp_path / HISTORY).write_text(f"{HEADER}1,10,1.0,gap,0,1e30,none,\n")
    with pytest.raises(BrokenError):
        read_history(tmp_path)
