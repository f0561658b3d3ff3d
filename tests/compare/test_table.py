import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.compare.record import (
    SCHEMA_VERSION,
    BaselineEntry,
    CostEntry,
    ErrorEntry,
    MetricsEntry,
    Record,
    ReplicaEntry,
    read_record,
    read_records,
    write_record,
)
from ibbench.compare.table import COLUMNS, build_table, tabulate, to_csv, to_markdown
from ibbench.errors import InputError


def _replica(target: str, seed: int, mae: float, epochs: int = 10) -> ReplicaEntry:
    metrics = MetricsEntry(mae=mae, rmse=1.5 * mae, r2=0.9, mae_over_std=mae / 1.3)
    parts = {"train": metrics, "validation": metrics, "test": metrics}
    return ReplicaEntry(target=target, seed=seed, unit="eV", best_epoch=epochs, epochs=epochs, **parts)


def _record(
    model: str,
    maes: dict[tuple[str, int], float],
    *,
    lr: float = 0.001,
    train_size: int = 1000,
    status: str = "done",
    budget: int | None = 100,
    source: str = "qm9pack",
) -> Record:
    replicas = tuple(_replica(target, seed, mae) for (target, seed), mae in maes.items())
    baseline = tuple(_replica(target, seed, 1.0, 0) for target, seed in maes)
    return Record(
        schema_version=SCHEMA_VERSION,
        status=status,
        run=f"{model}-{lr}-{train_size}-{len(maes)}",
        config={
            "model": {"name": model, **({"heads": 4} if model == "graph_transformer" else {})},
            "optimizer": {"lr": lr},
            "data": {"train_size": train_size},
            "budget": {"parameters": budget} if budget else None,
            "seeds": [seed for _, seed in maes],
            "targets": sorted({target for target, _ in maes}),
        },
        width=8,
        hidden=16,
        assumptions={"symmetries": "s", "connectivity": "c", "weights": "w"},
        train_size=train_size,
        split_fingerprint="abc",
        data_source=source,
        versions={"torch": "2"},
        device="cpu",
        cost=CostEntry(
            parameters=100,
            flops_per_molecule=1_234_567,
            train_seconds=4.0,
            validation_seconds=1.0,
            molecules_per_second=1.0,
            peak_memory_mb=1.0,
        ),
        replicas=replicas if status == "done" else (),
        baselines=(BaselineEntry(name="mean", parameters=1, replicas=baseline),),
        error=None if status == "done" else ErrorEntry(message="the loss was no longer finite", traceback="..."),
    )


GAP = {("gap", 0): 0.2, ("gap", 1): 0.3, ("gap", 2): 0.4}


def test_a_row_is_the_mean_and_sample_deviation_over_seeds() -> None:
    row = build_table([_record("gnn", GAP)]).set_index("model").loc["gnn"]
    assert row["num_seeds"] == 3
    assert row["mae_mean"] == pytest.approx(0.3)
    assert row["mae_std"] == pytest.approx(0.1)
    assert row["rmse_mean"] == pytest.approx(0.45)
    assert row["train_seconds"] == pytest.approx(4.0)
    assert row["molecules_per_second"] == pytest.approx(3 * 10 * 1000 / 4.0)


def test_one_seed_has_no_deviation() -> None:
    table = build_table([_record("gnn", {("gap", 0): 0.2})])
    assert table["mae_std"].isna().all()
    assert "| 0.2000 |" in to_markdown(table, [], "one")


def test_mean_and_deviation_are_shown_with_the_same_decimals() -> None:
    maes = {("gap", 0): 0.25, ("gap", 1): 0.253, ("u0", 0): 12_345.6, ("u0", 1): 12_345.6}
    text = to_markdown(build_table([_record("gnn", maes)]), [], "two")
    assert "| 0.2515 ± 0.0021 |" in text
    assert "| 12346 ± 0 |" in text


def test_a_run_of_two_targets_shares_its_time_between_their_rows() -> None:
    maes = {("gap", 0): 0.2, ("gap", 1): 0.2, ("mu", 0): 0.5, ("mu", 1): 0.5}
    table = build_table([_record("gnn", maes)])
    assert table[table["model"] == "gnn"]["train_seconds"].tolist() == [2.0, 2.0]
    assert table[table["model"] == "gnn"]["target"].tolist() == ["mu", "gap"]  # the order of QM9


def test_rows_stand_in_a_stable_order_with_baselines_first() -> None:
    records = [_record(model, GAP) for model in ("gnn", "zebra", "mlp", "graph_transformer", "deep_sets")]
    expected = ["mean", "mlp", "deep_sets", "gnn", "graph_transformer", "zebra"]
    assert build_table(records)["model"].tolist() == expected
    assert to_csv(build_table(records)) == to_csv(build_table(records[::-1]))


def test_options_that_differ_become_variants_and_shared_ones_do_not() -> None:
    records = [_record("gnn", GAP), _record("gnn", GAP, lr=0.01), _record("graph_transformer", GAP)]
    table = build_table(records)
    assert table["variant"].tolist() == ["", "optimizer.lr=0.001", "optimizer.lr=0.01", "optimizer.lr=0.001"]
    sizes = build_table([_record("gnn", GAP), _record("gnn", GAP, train_size=5000)])
    assert set(sizes["variant"]) == {""}
    assert sizes["train_size"].tolist() == [1000, 1000, 5000, 5000]


def test_runs_that_differ_only_in_a_null_or_in_their_data_stay_apart() -> None:
    table = build_table([_record("gnn", GAP), _record("gnn", {("gap", 0): 0.5}, budget=None)])
    assert table["variant"].tolist() == ["", "budget.parameters=100", "budget.parameters=null"]
    assert table["mae_mean"].tolist() == pytest.approx([1.0, 0.3, 0.5])
    table = build_table([_record("gnn", GAP, source="csv:1"), _record("gnn", {("gap", 0): 0.5}, source="csv:2")])
    assert table["variant"].tolist() == ["data.content=csv:1", "data.content=csv:2"] * 2
    assert table["mae_mean"].tolist() == pytest.approx([1.0, 1.0, 0.3, 0.5])


def test_the_same_replica_in_two_runs_counts_once() -> None:
    records = [_record("gnn", {("gap", 0): 0.2}), _record("gnn", GAP)]
    table = build_table(records).set_index("model")
    assert table.loc["gnn", "num_seeds"] == 3
    assert table.loc["mean", "num_seeds"] == 3


def test_failed_runs_are_named_and_not_counted() -> None:
    records = [_record("gnn", GAP), _record("mlp", GAP, status="failed")]
    table = build_table(records)
    assert "mlp" not in table["model"].tolist()
    assert "Failed: mlp-0.001-1000-3: the loss was no longer finite" in to_markdown(table, records, "x")


def test_csv_has_stable_rounding_and_its_columns() -> None:
    text = to_csv(build_table([_record("gnn", {("gap", 0): 0.123456789, ("gap", 1): 0.2})]))
    header, _, row = text.splitlines()
    assert header.split(",") == COLUMNS
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert cells["mae_mean"] == "0.1617"
    assert cells["flops_per_molecule"] == "1234567"
    assert "e" not in cells["train_seconds"]


def test_tabulating_writes_both_files_and_twice_the_same(tmp_path: Path) -> None:
    for model in ("gnn", "mlp"):
        write_record(tmp_path / "runs" / model, _record(model, GAP))
    tabulate(tmp_path, Console(quiet=True))
    first = (tmp_path / "table.csv").read_text(), (tmp_path / "table.md").read_text()
    tabulate(tmp_path, Console(quiet=True))
    assert first == ((tmp_path / "table.csv").read_text(), (tmp_path / "table.md").read_text())
    frame = pd.read_csv(tmp_path / "table.csv")
    assert frame["mae_mean"].tolist() == [1.0, 0.3, 0.3]
    assert np.isnan(frame["train_seconds"][0])


def test_a_record_survives_writing_and_reading(tmp_path: Path) -> None:
    record = _record("gnn", GAP)
    write_record(tmp_path, record)
    assert read_record(tmp_path / "record.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_records_that_cannot_be_read_are_named_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no records"):
        read_records(tmp_path)
    folder = tmp_path / "runs" / "gnn-1"
    write_record(folder, _record("gnn", GAP))
    tabulate(tmp_path, Console(quiet=True))
    before = (tmp_path / "table.csv").read_text()
    path = folder / "record.json"
    content = json.loads(path.read_text())
    for broken, message in (
        (path.read_text()[:200], "not a readable record"),
        (json.dumps(content | {"schema_version": SCHEMA_VERSION + 1}), "newer ibbench"),
        (json.dumps({key: value for key, value in content.items() if key != "replicas"} | {"x": 1}), "1 fields"),
        ("[]", "not a readable record"),
    ):
        path.write_text(broken)
        with pytest.raises(InputError, match=message):
            tabulate(tmp_path, Console(quiet=True))
        assert (tmp_path / "table.csv").read_text() == before
