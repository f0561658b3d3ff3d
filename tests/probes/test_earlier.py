"""Figures of earlier commands beside those that are measured now."""

from pathlib import Path

import pandas as pd
import pytest

from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError
from ibbench.probes.subject.earlier import merge, read_earlier
from ibbench.probes.subject.measure import COLUMNS, Measured, average

Row = tuple[str, str, int | None, str, float, str]  # model, probe, seed, at, value, measured with


def _table(*rows: Row) -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("gap", 1000, model, "", seed, at, probe, "evidence", "", value, "bits/label", mark)
            for model, probe, seed, at, value, mark in rows
        ],
        columns=list(COLUMNS),
    ).astype({"seed": object})


def _now(*rows: Row) -> Measured:
    return Measured(_table(*rows), {("gnn", ""): "gnn"}, [])


EARLIER = _table(
    ("mlp", "floor", None, "", 0.1, "a"),
    ("mlp", "kernel", 0, "init", 1.5, "a"),
    ("gnn", "floor", None, "", 0.2, "b"),
    ("gnn", "kernel", 0, "init", 1.0, "b"),
    ("gnn", "kernel", 1, "init", 1.1, "b"),
)


def _write(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    (folder / "probes.csv").write_text(to_csv(table))
    return read_earlier(folder)


def test_what_was_not_measured_now_stays_in_its_place(tmp_path: Path) -> None:
    merged = merge(_write(tmp_path, EARLIER), _now(("gnn", "kernel", 0, "init", 0.9, "b")))
    rows = list(merged.measured.table[["model", "probe", "seed", "value"]].itertuples(index=False, name=None))
    assert rows == [
        ("mlp", "floor", None, 0.1), ("mlp", "kernel", 0, 1.5), ("gnn", "floor", None, 0.2), ("gnn", "kernel", 0, 0.9),
        ("gnn", "kernel", 1, 1.1),
    ]  # fmt: skip
    assert (merged.num_kept, merged.num_dropped) == (4, 0)
    assert to_csv(_write(tmp_path, merged.measured.table)) == to_csv(merged.measured.table)
    again = merge(_write(tmp_path, merged.measured.table), _now(("gnn", "kernel", 0, "init", 0.9, "b")))
    assert to_csv(again.measured.table) == to_csv(merged.measured.table)
    assert average(again.measured.table)["num_seeds"].tolist() == [0, 1, 0, 2]
    assert [merged.measured.name(row) for _, row in again.measured.table.iterrows()][::4] == ["mlp", "gnn"]


def _pair(table: pd.DataFrame, part: str) -> pd.DataFrame:
    return table.assign(part=part)


def test_figures_of_pairs_that_were_not_measured_now_stay(tmp_path: Path) -> None:
    one = _table(("mlp", "agreement", 0, "trained", 0.5, "a"))
    earlier = pd.concat([_pair(one, "with gnn"), _pair(one, "with deep_sets")], ignore_index=True)
    now = Measured(_pair(one.assign(value=0.7), "with deep_sets"), {("mlp", ""): "mlp"}, [])
    merged = merge(_write(tmp_path, earlier), now).measured.table
    assert dict(zip(merged["part"], merged["value"], strict=True)) == {"with gnn": 0.5, "with deep_sets": 0.7}


def test_a_floor_without_seed_is_replaced(tmp_path: Path) -> None:
    merged = merge(_write(tmp_path, EARLIER), _now(("gnn", "floor", None, "", 0.3, "b")))
    of_gnn = merged.measured.table.query("model == 'gnn' and probe == 'floor'")
    assert of_gnn["value"].tolist() == [0.3]


def test_figures_of_other_options_are_not_mixed_with_those_of_now(tmp_path: Path) -> None:
    merged = merge(_write(tmp_path, EARLIER), _now(("gnn", "kernel", 0, "init", 0.9, "c")))
    kept = merged.measured.table.query("model == 'gnn'")
    assert kept["value"].tolist() == [0.9]  # neither the floor nor seed 1, which are of other options
    assert (merged.num_kept, merged.num_dropped) == (2, 2)


def test_a_variant_is_the_same_in_whichever_order_its_options_stand(tmp_path: Path) -> None:
    earlier = _write(tmp_path, EARLIER.assign(variant="model.depth=2 loss=mse"))
    now = _now(("gnn", "kernel", 0, "init", 0.9, "b"))
    merged = merge(earlier, now._replace(table=now.table.assign(variant="loss=mse model.depth=2")))
    of_gnn = merged.measured.table.query("model == 'gnn'")
    assert of_gnn["variant"].unique().tolist() == ["loss=mse model.depth=2"]
    assert of_gnn["value"].tolist() == [0.2, 0.9, 1.1]


def test_the_same_options_are_the_same_model_under_another_name(tmp_path: Path) -> None:
    earlier = _table(("gnn", "kernel", 0, "init", 1.0, "b"), ("gnn", "kernel", 1, "init", 1.1, "b"))
    now = _table(("gnn", "kernel", 0, "init", 0.9, "b"), ("gnn", "kernel", 0, "init", 0.5, "c"))
    now["variant"] = ["model.depth=4", "model.depth=8"]
    merged = merge(_write(tmp_path, earlier), _now()._replace(table=now))
    assert merged.measured.table[["variant", "seed", "value"]].to_numpy().tolist() == [
        ["model.depth=4", 0, 0.9], ["model.depth=4", 1, 1.1], ["model.depth=8", 0, 0.5],
    ]  # fmt: skip
    assert (merged.num_kept, merged.num_dropped) == (1, 0)


def test_a_file_of_an_older_version_is_read_and_any_other_is_refused(tmp_path: Path) -> None:
    older = _write(tmp_path, EARLIER.drop(columns="measured_with"))
    merged = merge(older, _now(("gnn", "kernel", 0, "init", 0.9, "b")))
    assert (merged.num_kept, merged.num_dropped) == (2, 2)  # nobody knows what gnn was measured with
    assert read_earlier(tmp_path / "none").empty
    for text in ("a,b\n1,2\n", "", to_csv(EARLIER).replace("0.2", "much")):
        (tmp_path / "probes.csv").write_text(text)
        with pytest.raises(InputError, match=r"probes.csv cannot be read: .*Restore or remove it"):
            read_earlier(tmp_path)
