"""A study says which molecules train, validate and test, in one file per split."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.options.config import Config
from ibbench.record.split_file import SPLIT_COLUMNS, split_path
from ibbench.run.plan import plan
from ibbench.sweep.splits import write_splits


def test_each_split_has_one_file_with_the_part_of_every_molecule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.csv"
    rows = [f"{'C' * size}O,{size}\n" for size in range(1, 21)] + [f"{'C' * size}F,1\n" for size in range(1, 6)]
    path.write_text("smiles,y\n" + "".join(rows))
    data = ("data=csv", f"data.path={path}", "data.target_columns=[y]", "targets=[y]", "data.test_size=4")
    data += ("data.validation_size=3", "model=mlp", "budget=null", "model.width=8")
    other = ("data.split=element", "data.held_out=[F]")
    points = [plan(config(*data, *more)) for more in ((), ("data.train_size=5",), other)]
    study = tmp_path / "study"
    write_splits(study, points)
    files = {point.split.fingerprint: split_path(study, point.split.fingerprint) for point in points}
    assert sorted(study.iterdir()) == sorted(files.values())
    assert len(files) == 2
    for point in points:
        with files[point.split.fingerprint].open(newline="") as file:
            table = list(csv.DictReader(file))
        assert list(table[0]) == list(SPLIT_COLUMNS)
        assert [row["smiles"] for row in table] == [row.partition(",")[0] for row in rows]
        assert [int(row["id"]) for row in table] == list(range(1, 26))
        split = point.split
        for name, index in (("train", split.train_pool), ("validation", split.validation), ("test", split.test)):
            assert [place for place, row in enumerate(table) if row["part"] == name] == sorted(index.tolist())
        left_out = sum(row["part"] == "" for row in table)
        assert left_out == (1 if point.config.data.split == "element" else 0)
    before = {path: path.stat().st_mtime_ns for path in files.values()}
    write_splits(study, points)
    assert before == {path: path.stat().st_mtime_ns for path in files.values()}
