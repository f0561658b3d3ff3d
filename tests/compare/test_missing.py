"""Every view of a study says what is missing, and a file that cannot be read takes nothing but its own run with it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ibbench.commands.diff import show_diff
from ibbench.commands.plot import show_plots
from ibbench.commands.status import show_status
from ibbench.commands.table import Tabulated, tabulate
from ibbench.commands.worth import show_worth
from ibbench.compare.study import read_study
from ibbench.compare.table import SO_FAR, build_table
from ibbench.errors import InputError
from ibbench.record.agenda import Planned, write_agenda
from ibbench.record.folder import read_records
from ibbench.record.schema import SCHEMA_VERSION, read_record, write_record
from ibbench.report.document import Remark
from ibbench.report.plot.study import draw_study
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
SIZES = (500, 1000, 2000)
WHOLE = Tabulated(is_written=True, is_readable=True, is_whole=True)
LACKING = WHOLE._replace(is_whole=False)
TOLD = "Incomplete: 1 of 7 runs is missing (1 not finished)."


def _maes(scale: float, size: int, seeds: int = 3) -> dict[tuple[str, int], float]:
    return {("gap", seed): scale * size**-0.5 * (1 + 0.002 * seed) for seed in range(seeds)}


def _ask_for(study: Path, run: str, **known: object) -> None:
    """Note a run that a command was to train."""
    entry = {"run": run, "point": "model=gat", "key": "k", "epochs": 1, "molecule_steps": 1, "flops": 1.0}
    write_agenda(study, [Planned.model_validate(entry | known)])


@pytest.fixture
def study(write_study: WriteStudy, make_record: MakeRecord) -> Path:
    """Two models at three sizes, all done."""
    pairs = [(model, scale, size) for model, scale in (("deep_sets", 20), ("gnn", 10)) for size in SIZES]
    return write_study(
        "curves", *(make_record(model, _maes(scale, size), train_size=size) for model, scale, size in pairs)
    )


def _print_table(study: Path, style: str) -> tuple[str, Tabulated]:
    console = Console(file=io.StringIO(), width=300, markup=False)
    outcome = tabulate(study, console, style)
    return console.file.getvalue(), outcome


def _print(show: Callable[..., object], *arguments: object) -> tuple[str, object]:
    console = Console(file=io.StringIO(), width=300, markup=False)
    outcome = show(*arguments, console)
    return console.file.getvalue(), outcome


def _told_with_pictures(study: Path) -> str:
    """Return what `ibbench plot` prints beside its pictures, without the seconds that it takes to save these."""
    return "\n".join(shape.text for shape in draw_study(read_study(study), study) if isinstance(shape, Remark))


def test_every_view_says_which_runs_are_missing(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tabulate(study, QUIET) == WHOLE
    _ask_for(study, "gat-1", targets=("gap",), train_size=1000)
    for style in ("md", "latex", "csv", "json"):
        printed, outcome = _print_table(study, style)
        assert outcome == LACKING
        assert f"ibbench: {TOLD}" in capsys.readouterr().err
        if style in {"md", "latex"}:
            assert TOLD in printed.partition("gnn")[0]
        if style == "csv":  # for programs: nothing but the table
            assert printed == (study / "table.csv").read_text()
    told = json.loads(printed)
    assert told["complete"] is False
    gat = {"run": "gat-1", "state": "not finished", "targets": ["gap"], "train_size": 1000}
    assert told["missing"] == [gat | {"note": "model=gat"}]
    assert told["provenance"]["missing"] == [gat]
    for text in (_print(tabulate, study)[0], (study / "table.md").read_text()):
        assert TOLD in text.partition("gnn")[0]
        assert "Not finished: gat-1 (model=gat)." in text
    assert [one["run"] for one in json.loads((study / "study.json").read_text())["missing"]] == ["gat-1"]

    printed, whole = _print(show_worth, study)
    assert printed.startswith(TOLD)
    assert not whole
    assert TOLD in (study / "worth.md").read_text().partition("times the labels")[0]
    printed, whole = _print(show_plots, study)
    assert printed.startswith(TOLD)
    assert not whole
    assert all(TOLD in path.read_text() for path in study.glob("*.svg"))
    printed, whole = _print(show_status, study)
    assert "gat-1" in printed
    assert not whole


def test_a_row_is_called_the_best_only_where_no_other_can_come(study: Path) -> None:
    _ask_for(study, "gat-1", targets=("gap",), train_size=1000)
    _ask_for(study, "gat-2", targets=("mu",), train_size=2000)
    table = build_table(read_study(study)).set_index(["model", "train_size"])
    assert table.loc[("gnn", 500), "verdict_vs_best"] == table.loc[("gnn", 2000), "verdict_vs_best"] == "best"
    assert table.loc[("gnn", 1000), "verdict_vs_best"] == SO_FAR
    assert table["among_best"].isna().tolist() == [size == 1000 for _, size in table.index]
    tabulate(study, QUIET)
    rows = [line for line in (study / "table.md").read_text().splitlines() if line.startswith("| gap ")]
    rows = rows[: len(table)]  # below them are the pairs
    assert ["**" in row for row in rows] == [" gnn " in row and " 1,000 " not in row for row in rows]
    _ask_for(study, "gat-3")  # by a version that did not note targets and sizes
    assert build_table(read_study(study))["among_best"].isna().all()


def test_a_failed_run_is_missing_too(study: Path, write_study: WriteStudy, make_record: MakeRecord) -> None:
    write_study(study.name, make_record("mlp", _maes(1, 500), train_size=500, status="failed", baselines=False))
    assert tabulate(study, QUIET) == LACKING
    text = (study / "table.md").read_text()
    assert "Incomplete: 1 of 7 runs is missing (1 failed)." in text
    assert "| gap | 500 | gnn | 0.4481" in text
    assert "| gap | 1,000 | gnn | **0.3169" in text


def test_a_diff_says_which_side_is_not_whole(
    study: Path, tmp_path: Path, write_study: WriteStudy, make_record: MakeRecord
) -> None:
    other = write_study("other", *(make_record("gnn", _maes(10, size), train_size=size) for size in SIZES))
    assert not show_diff(str(study), str(other), QUIET, "terminal", "unproven", 0.02)
    _ask_for(other, "gat-1")
    for style in ("terminal", "md", "json"):
        printed, fails = _print(
            lambda console, style=style: show_diff(str(study), str(other), console, style, "never", 0.02)
        )
        assert fails
        assert "gat-1" in printed if style == "json" else "B: Incomplete: 1 run is missing (1 not finished)." in printed
    assert (
        '"fails": true'
        in _print(lambda console: show_diff(str(study), str(other), console, "json", "unproven", 0.02))[0]
    )
    tabulate(other, QUIET)  # a table that is taken elsewhere knows it, too
    table = str(other / "table.csv")
    told, _ = _print(lambda console: show_diff(table, str(study), console, "md", "never", 0.02))
    assert "A: Incomplete: 1 run is missing (1 not finished)." in told
    assert list(tmp_path.glob("*/diff*")) == []


def test_rows_say_which_seeds_and_sizes_they_lack(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [make_record("gnn", _maes(10, size), train_size=size) for size in SIZES]
    records += [
        make_record("mlp", _maes(20, 500, seeds=1), train_size=500),
        make_record("mlp", _maes(20, 1000), train_size=1000),
    ]
    study = write_study("uneven", *records)
    printed, outcome = _print_table(study, "json")
    assert outcome == WHOLE
    told = [
        "Lacking: seeds 1 and 2 of mlp, gap at 500.",
        "Not every model was trained at every size. Lacking: 2,000 of mlp, gap.",
    ]
    show_worth(study, QUIET)
    for text in (printed, (study / "table.md").read_text(), (study / "worth.md").read_text()):
        assert all(sentence in text for sentence in told)
    assert all(sentence in _told_with_pictures(study) for sentence in told)


def test_a_file_that_cannot_be_read_takes_its_run_with_it_and_no_other(
    study: Path, make_record: MakeRecord, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="holds no records"):
        read_study(tmp_path)
    _ask_for(tmp_path, "gat-1")
    with pytest.raises(InputError, match=r"no finished run yet. Incomplete: 1 of 1 run is missing"):
        read_study(tmp_path)
    path = next(study.glob("runs/gnn-*-500-*/record.json"))
    good = path.read_text()
    content = json.loads(good)
    damages = [
        (good[:200], "Unterminated string"),
        (json.dumps(content | {"schema_version": SCHEMA_VERSION + 1}), "newer ibbench"),
        (json.dumps(content | {"schema_version": str(SCHEMA_VERSION)}), "its schema_version is '1'"),
        (json.dumps(content | {"x": 1}), "1 fields are wrong, such as x"),
        (json.dumps(content | {"replicas": []}), "a run that is done has a cost and replicas"),
        (json.dumps(content | {"config": {}}), "config lacks model.name"),
        (good.replace('"mae": 0.4', '"mae": NaN, "x": 0.4'), "replicas.0"),
        ("[" * 100_000, ""),
        ("[]", ""),
        (json.dumps(content | {"run": "gnn-copied"}), "a copy, or renamed. Move its folder away"),
    ]
    for damage, reason in damages:
        path.write_text(damage)
        (missing,) = read_study(study).missing
        assert (missing.run, missing.state, missing.path) == (path.parent.name, "unreadable", path)
        assert reason in missing.note
        assert len(read_study(study).entries) == 9 - 1
        with pytest.raises(InputError, match=r"record.json is not readable"):
            read_records(study)
    path.write_text(good)
    predictions = path.with_name("predictions.npz")
    whole = predictions.read_bytes()
    for broken in (whole[:500], b"", whole[: -len(whole) // 4] + b"x" + whole[-len(whole) // 4 + 1 :]):
        predictions.write_bytes(broken)
        (missing,) = read_study(study).missing
        assert missing.path == predictions
        assert "`ibbench train` command trains its run again" in missing.note
    predictions.write_bytes(whole)
    write_record(path.parent, make_record("gnn", {key: 2 * mae for key, mae in _maes(10, 500).items()}, train_size=500))
    (missing,) = read_study(study).missing
    assert "not of the same run" in missing.note


def test_every_view_names_the_file_that_it_leaves_out(study: Path) -> None:
    path = next(study.glob("runs/gnn-*-500-*/record.json"))
    path.write_text("{")
    told = f"Left out: {path} is not readable: "
    printed, outcome = _print(tabulate, study)
    assert outcome == Tabulated(is_written=True, is_readable=False, is_whole=False)
    for text in (printed, _print(show_worth, study)[0], _told_with_pictures(study)):
        assert told in text
        assert "The same `ibbench train` command trains its run again" in text
    assert "Left out: runs/gnn-" in (study / "table.md").read_text()  # wherever the study was read from
    compared, fails = _print(lambda console: show_diff(str(study), str(study), console, "terminal", "never", 0.02))
    assert fails
    assert f"A: {told}" in compared
    assert f"{path} is not readable" in _print(show_status, study)[0]


def test_a_study_that_cannot_be_written_is_told_all_the_same(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: object) -> None:  # noqa: ARG001
        raise OSError(30, "Read-only file system")

    for module in ("record.tables", "report.plot.style"):
        monkeypatch.setattr(f"ibbench.{module}.write_atomically", refuse)
    told = f"Not written to {study}: Read-only file system"
    printed, outcome = _print(tabulate, study)
    assert outcome == WHOLE._replace(is_written=False)
    assert "gnn" in printed
    assert told in printed
    printed, whole = _print(show_worth, study)
    assert whole
    assert "what gnn assumes is worth" in printed
    assert told in printed
    printed, drawn = _print(show_plots, study)
    assert not drawn  # there is no picture
    assert told in printed


def test_one_seed_gives_no_verdict_in_any_view(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = [
        make_record(model, _maes(scale, size, seeds=1), train_size=size)
        for model, scale in (("deep_sets", 20), ("gnn", 10))
        for size in SIZES
    ]
    for predictions in (True, False):
        study = write_study(f"one_{predictions}", *records, predictions=predictions)
        printed, _ = _print(show_worth, study)
        assert "no verdict (one seed: seed variance unknown)" in printed
        assert "what gnn assumes is worth" not in printed
        # Without predictions nothing is known of how much it varies, so there is no interval.
        assert ("4.0 [" in printed) == predictions
        assert "nan" not in (study / "worth.md").read_text()
        assert "one seed: seed variance unknown" in build_table(read_study(study))["verdict_vs_best"].iloc[-2]
        assert "Some points have one seed" in _told_with_pictures(study)


def test_a_record_survives_writing_and_reading(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record("gnn", _maes(10, 500))
    write_record(tmp_path, record)
    assert read_record(tmp_path / "record.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_study_is_read_from_a_text(study: Path) -> None:
    assert read_study(str(study)).missing == ()
