"""Runs the notebook of the documentation; `python -m tests.api.notebook` keeps what its cells give in its file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "how-to" / "notebook.ipynb"
_SECONDS = 300  # for one cell
_ABOUT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read() -> Any:
    """Return the notebook as it is."""
    return nbformat.read(NOTEBOOK, as_version=4)


def run(folder: Path) -> Any:
    """Return the notebook with what its cells give in a folder."""
    resources = {"metadata": {"path": str(folder)}}
    notebook = NotebookClient(read(), timeout=_SECONDS, record_timing=False, resources=resources).execute()
    notebook.metadata = nbformat.from_dict(_ABOUT)  # and not the version of Python
    return notebook


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        nbformat.write(run(Path(place)), NOTEBOOK)
