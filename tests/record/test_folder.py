"""A study is read from a path, however that is given."""

from pathlib import Path

from ibbench.compare.study import read_study
from ibbench.record.folder import read_records
from ibbench.worth.worth import read_worth

STUDY = Path(__file__).parents[1] / "report" / "fixtures" / "curve"


def test_a_study_is_read_from_a_text_as_from_a_path() -> None:
    assert read_records(str(STUDY)) == read_records(STUDY)
    assert [entry.key for entry in read_study(str(STUDY)).entries] == [entry.key for entry in read_study(STUDY).entries]
    assert read_worth(str(STUDY)).multipliers.equals(read_worth(STUDY).multipliers)
