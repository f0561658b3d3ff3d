"""The runs of one command, without Hydra and without processes of their own: tiny trainings on real molecules."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.agenda import read_agenda, read_start_error
from ibbench.record.folder import read_finished, read_records
from ibbench.record.intact import read_done
from ibbench.record.lease import hold
from ibbench.sweep.point import run_point
from ibbench.sweep.sweep import Sweep

TINY = ["experiment=tiny", "model=mlp", "seeds=[0]"]
DIVERGING = ["optimizer=sgd", "loss=mse", "optimizer.lr=1e30"]
Make = Callable[..., Sweep]


class Tables:
    """What tabulates the studies of a test; it counts how often."""

    def __init__(self) -> None:
        self.studies: list[Path] = []
        self.can_write, self.error = True, ""

    def __call__(self, study: Path) -> bool:
        self.studies.append(study)
        if self.error:
            raise InputError(self.error)
        return self.can_write


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def one(config: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    def compose(*overrides: str) -> Config:
        return config(*TINY, f"results_dir={tmp_path}", *overrides)

    return compose


@pytest.fixture
def make(tables: Tables) -> Make:
    def sweep(*configs: Config, **how: bool) -> Sweep:
        return Sweep(list(configs), [[f"model={config.model.name}"] for config in configs], tables, **how)

    return sweep


def test_one_command_fills_one_study(one: Callable[..., Config], make: Make) -> None:
    make(one(), one("model=gnn")).check()
    with pytest.raises(InputError, match="cannot be swept"):
        make(one(), one("name=other")).check()
    with pytest.raises(InputError, match="cannot be swept"):
        make(one(), one("results_dir=elsewhere")).check()


def test_nothing_is_left_to_jobs_that_there_are_not(one: Callable[..., Config], make: Make) -> None:
    make(one(), here=False, detach=True).check()
    with pytest.raises(InputError, match="--detach"):
        make(one(), here=True, detach=True).check()


def test_what_is_left_to_jobs_is_neither_waited_for_nor_tabulated(
    one: Callable[..., Config], make: Make, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make(one(), here=False, detach=True)
    assert sweep.plan()
    with hold(sweep.points[0].folder):
        assert sweep.finish()
    assert tables.studies == []
    assert f"ibbench status {sweep.study}" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(
    one: Callable[..., Config], make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make(one(), one("model=gnn"), dry_run=True)
    assert not sweep.plan()
    printed = capsys.readouterr().out
    assert all(point.run in printed for point in sweep.points)
    assert "To do: 2 of 2 runs" in printed
    assert list(tmp_path.iterdir()) == []


def test_a_finished_study_is_only_tabulated(
    one: Callable[..., Config], make: Make, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [one(), one("model=gnn")]
    sweep = make(*configs)
    assert sweep.plan()
    assert list(read_agenda(sweep.study)) == [point.run for point in sweep.points]
    assert [run_point(config) for config in configs] == ["done", "done"]
    assert sweep.finish()
    before = {path: path.stat().st_mtime_ns for path in sweep.study.glob("runs/*/record.json")}
    capsys.readouterr()

    again = make(*configs)
    assert not again.plan()
    assert again.points == []
    assert capsys.readouterr().out.count("done before") == 2
    assert again.finish()
    assert tables.studies == [sweep.study, sweep.study]
    assert {path: path.stat().st_mtime_ns for path in sweep.study.glob("runs/*/record.json")} == before

    more = make(*configs, one("seeds=[1]"))
    assert more.plan()
    assert "3 runs, " in capsys.readouterr().out
    assert not more.finish()


def test_what_is_missing_in_the_end_is_named(
    one: Callable[..., Config], make: Make, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [one(), one("model=gnn")]
    sweep = make(*configs)
    assert sweep.plan()
    names = [point.run for point in sweep.points]
    assert not sweep.finish()
    assert f"Not finished: {names[0]}, {names[1]}. The same command" in capsys.readouterr().out
    assert tables.studies == []  # there is nothing to be in a table
    assert run_point(configs[0]) == "done"
    assert not sweep.finish()
    assert f"Not finished: {names[1]}. The same command" in capsys.readouterr().out
    assert tables.studies == [sweep.study]


def test_a_run_that_has_failed_is_not_tried_again_by_the_same_command(
    one: Callable[..., Config], make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    diverging = one(*DIVERGING)
    sweep = make(diverging)
    assert sweep.plan()
    assert run_point(diverging) == "failed"
    assert not sweep.finish()
    assert capsys.readouterr().out.count("failed: ") == 1
    assert [record.status for record in read_records(sweep.study)] == ["failed"]


def test_a_run_that_another_process_trains_is_waited_for_and_trained_if_it_is_given_up(
    one: Callable[..., Config], make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make(one())
    assert sweep.plan()
    folder = sweep.points[0].folder
    with hold(folder):
        assert run_point(one()) == "elsewhere"
        waiting = threading.Thread(target=sweep.finish)
        waiting.start()
        waiting.join(1.0)
        assert waiting.is_alive()
        assert not read_finished(folder)
    waiting.join(60.0)
    assert not waiting.is_alive()
    assert read_finished(folder)
    assert f"{sweep.points[0].run}: waiting for " in capsys.readouterr().out


def test_a_run_that_was_given_up_before_the_end_is_trained_in_the_end(one: Callable[..., Config], make: Make) -> None:
    sweep = make(one(), one("model=gnn"))
    assert sweep.plan()
    with hold(sweep.points[1].folder):
        assert run_point(one("model=gnn")) == "elsewhere"
        sweep.note_taken(1)
    assert not sweep.finish()
    assert [bool(read_finished(point.folder)) for point in sweep.points] == [False, True]


def test_a_command_whose_runs_are_trained_elsewhere_waits_but_trains_nothing(
    one: Callable[..., Config], make: Make
) -> None:
    sweep = make(one(), here=False)
    assert sweep.plan()
    folder = sweep.points[0].folder
    with hold(folder):
        waiting = threading.Thread(target=sweep.finish)
        waiting.start()
        waiting.join(1.0)
        assert waiting.is_alive()
    waiting.join(60.0)
    assert not waiting.is_alive()
    assert not read_finished(folder)


def test_a_run_that_is_to_be_trained_again_is_finished_when_its_record_is_replaced(
    one: Callable[..., Config], make: Make
) -> None:
    assert run_point(one()) == "done"
    sweep = make(one("rerun=true"))
    assert sweep.plan()
    assert not sweep.finish()
    assert run_point(one("rerun=true")) == "done"
    assert sweep.finish()


@pytest.mark.parametrize("name", ["record.json", "predictions.npz"])
def test_a_run_with_a_damaged_file_is_trained_again_and_stops_no_other(
    name: str, one: Callable[..., Config], make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make(one())
    assert first.plan()
    assert run_point(one()) == "done"
    folder = first.points[0].folder
    before = read_finished(folder)
    (folder / name).write_bytes(b"{")
    for option in ("rerun=false", "rerun=true"):
        assert make(one("model=gnn", option), dry_run=True).plan() is False
        sweep = make(one(option))
        capsys.readouterr()
        assert sweep.plan()
        assert (f"{folder / name} is not readable" in capsys.readouterr().out) == (option == "rerun=false")
        assert not sweep.finish()
    assert run_point(one()) == "done"
    again = make(one())
    assert not again.plan()  # all is done
    assert again.finish()
    after = read_done(folder)
    assert before is not None
    assert after is not None
    assert after.replicas == before.replicas


def test_a_study_without_its_table_is_not_finished(
    one: Callable[..., Config], make: Make, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_point(one()) == "done"
    sweep = make(one())
    assert not sweep.plan()
    tables.can_write = False
    assert not sweep.finish()
    tables.error = "a record of another run cannot be read"
    with pytest.raises(InputError, match="of another run"):
        sweep.finish()
    more = make(one(), one("model=gnn"))
    assert more.plan()
    assert not more.finish()  # what is missing matters more than what cannot be read
    assert tables.error in capsys.readouterr().out


def test_a_job_on_a_machine_without_the_device_says_so_and_raises_nothing(
    one: Callable[..., Config], make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make(one("device=cuda:77"), here=False)
    assert sweep.plan()
    assert run_point(one("device=cuda:77")) == "failed"
    assert "a run could not be started" in capsys.readouterr().out
    assert "cuda:77" in read_start_error(sweep.points[0].folder)  # which `ibbench status` shows
    assert not sweep.finish()
