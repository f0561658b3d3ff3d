"""The notebook of the documentation runs, and gives what it is shown to give, but for digits."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.api.notebook import read, run


def _shape(output: Any) -> tuple[object, ...]:
    """Return what of an output is the same on all machines: its kind, header and number of rows of a table."""
    data = output.get("data", {})
    page = data.get("text/html", "")
    header = re.findall(r"<th>(.*?)</th>", page.partition("</thead>")[0])
    return output["output_type"], output.get("name"), sorted(data), header, page.count("<tr"), "<img" in page


@pytest.mark.slow
def test_the_notebook_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:  # noqa: ARG001
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    shown, ran = read(), run(tmp_path)
    cells = [(one, other) for one, other in zip(shown.cells, ran.cells, strict=True) if one.cell_type == "code"]
    assert len(cells) > 5
    for before, after in cells:
        message = f"python -m tests.api.notebook keeps what this gives now: {before.source}"
        assert before.outputs, message
        assert [*map(_shape, before.outputs)] == [*map(_shape, after.outputs)], message
    assert (tmp_path / "results" / "notebook" / "table.csv").exists()
