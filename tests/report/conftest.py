"""Studies of invented figures serve here too."""

from tests.worth.conftest import ladder_study, make_record, write_study

__all__ = ["ladder_study", "make_record", "write_study"]
