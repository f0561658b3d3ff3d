"""A study is read from a path, however that is given."""

from pathlib import Path

import ibbench

STUDY = Path(__file__).parents[1] / "report" / "fixtures" / "curve"


def test_a_study_is_read_from_a_text_as_from_a_path() -> None:
    assert ibbench.read_records(str(STUDY)) == ibbench.read_records(STUDY)
    assert [entry.key for entry in ibbench.read_study(str(STUDY)).entries] == [
        entry.key for entry in ibbench.read_study(STUDY).entries
    ]
    assert ibbench.read_worth(str(STUDY)).multipliers.equals(ibbench.read_worth(STUDY).multipliers)
