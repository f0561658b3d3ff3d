"""A table says what its models do not see of their molecules, and when its rows differ in information."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ibbench.commands.data import show_dataset
from ibbench.commands.table import FORMATS, tabulate
from ibbench.compare.comparison import make_report
from ibbench.compare.provenance import read_provenance
from ibbench.compare.study import gather
from ibbench.record.schema import Record, UnseenEntry
from ibbench.report.comparison import content
from tests.compare.conftest import MakeRecord, WriteStudy
from tests.conftest import Command

GAP = {("gap", 0): 0.2, ("gap", 1): 0.3}
BLIND = "31 of 600 molecules carry stereo marks, which gnn does not see; 150 molecules look the same to gnn"
READER = "rnn reads the SMILES"


@pytest.fixture
def seeing(make_record: MakeRecord) -> Callable[[str, str], Record]:
    def make(model: str, sight: str) -> Record:
        counts = {"total": 600, "marked": 31, "marks": {"stereo marks": 31}, "other_elements": 0}
        entry = UnseenEntry(sight=sight, alike=150, repeated=0, **counts)
        return make_record(model, GAP).model_copy(update={"unseen": entry})

    return make


def test_all_formats_say_it_and_study_json_keeps_it(
    seeing: Callable[[str, str], Record],
    write_study: WriteStudy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = write_study("seen", seeing("gnn", "atoms and bonds"), seeing("rnn", "SMILES"))
    for style in set(FORMATS) - {"csv"}:
        tabulate(study, Console(width=500), style)
        output = capsys.readouterr().out
        assert BLIND in output, style
        assert READER in output, style
    assert BLIND in (study / "table.md").read_text()
    (kept,) = read_provenance((study / "study.json").read_text(), "it").unseen
    assert kept.models == {"gnn": "atoms and bonds", "rnn": "SMILES"}
    assert (kept.alike, kept.marks) == (150, {"stereo marks": 31})


def test_nothing_is_said_of_models_that_see_all_or_of_older_records(
    seeing: Callable[[str, str], Record], make_record: MakeRecord
) -> None:
    for records in ([seeing("rnn", "SMILES")], [make_record("gnn", GAP)]):
        assert "SMILES" not in str(content(make_report(gather("x", records)))["remarks"])


def test_seeds_that_do_not_redraw_the_data_are_said(make_record: MakeRecord) -> None:
    remarks = [content(make_report(gather("x", [make_record("gnn", GAP, train_size=n)])))["remarks"] for n in (None, 9)]
    assert "all seeds train on the same molecules" in str(remarks[0])
    assert "all seeds train on the same molecules" not in str(remarks[1])


def test_a_training_on_isomers_says_it_from_its_first_lines_to_the_table(ibbench: Command, tmp_path: Path) -> None:
    chains = [("C" * left, "C" * right) for left in range(1, 5) for right in range(1, 5)]
    isomers = [(f"{left}/C=C{bond}{right}O", sign) for left, right in chains for bond, sign in (("/", 1), ("\\", -1))]
    (tmp_path / "my.csv").write_text("smiles,y\n" + "".join(f"{smiles},{sign}\n" for smiles, sign in isomers))
    data = [
        "data=csv",
        f"data.path={tmp_path / 'my.csv'}",
        "data.target_columns=[y]",
        "targets=[y]",
        "data.features=qm9",
    ]
    console = Console(file=io.StringIO(), width=500)
    show_dataset(data, console)
    info = console.file.getvalue()
    assert "32 of 32 molecules carry stereo marks, which models that do not read the SMILES do not see" in info
    assert "32 molecules look the same to most of them and have other targets" in info
    tiny = ["model=gnn,rnn", "name=ez", "seeds=[0,1]", "trainer.epochs=1", "budget.value=2000", "trainer.compile=false"]
    run = ibbench("train", *data, *tiny, "data.validation_size=4", "data.test_size=4")
    assert run.returncode == 0, run.stderr
    before, _, after = run.stdout.partition("to do")
    for text in (before, after, (tmp_path / "results" / "ez" / "table.md").read_text()):
        words = " ".join(text.split())
        assert (
            "stereo marks, which gnn does not see; 32 molecules look the same to gnn and have other targets." in words
        )
        assert "rnn reads the SMILES" in words
    assert "one thread each" in after
    assert "all seeds train on the same molecules" in after
    (record,) = (tmp_path / "results" / "ez" / "runs").glob("rnn-*/record.json")
    assert json.loads(record.read_text())["unseen"]["sight"] == "SMILES"
