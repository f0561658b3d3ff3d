"""What people read stays as it is, to the byte, until someone changes it on purpose."""

from pathlib import Path

import pytest

from tests.report.golden import GOLDEN, SCREENS, file_name, files, run, screens


@pytest.mark.usefixtures("qm9")  # or the first command would say that it builds the cache
@pytest.mark.parametrize(("name", "width", "colours"), screens())
def test_what_is_printed_is_as_it_was(name: str, width: int, colours: bool, tmp_path: Path) -> None:
    expected = (GOLDEN / "screens" / file_name(name, width, colours)).read_text()
    assert run(SCREENS[name][0], tmp_path, width, colours) == expected


def test_what_is_written_is_as_it_was(tmp_path: Path) -> None:
    written = files(tmp_path)
    folder = GOLDEN / "files"
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sorted(written) == [path.relative_to(folder).as_posix() for path in paths]
    for name, text in written.items():
        assert text == (folder / name).read_text(), name
