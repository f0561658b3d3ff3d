"""What git has of this repository, whatever lies in the folders of the checkout by now."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _git(*words: str) -> bytes:
    try:
        run = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)
    except OSError:
        pytest.skip("git is not installed: what is committed cannot be read")
    if run.returncode:
        pytest.skip(f"this is no git checkout: {run.stderr.decode(errors='replace').strip()}")
    return run.stdout


def committed_text(path: str) -> str:
    """Return a file as the last commit has it."""
    return _git("show", f"HEAD:{path}").decode()


def committed_files(folder: str) -> list[str]:
    """List the files of a folder that the last commit has."""
    return _git("ls-tree", "-r", "--name-only", "HEAD", folder).decode().splitlines()


def export_committed(folder: str, to: Path) -> None:
    """Write a folder into another one, as the last commit has it."""
    with tarfile.open(fileobj=BytesIO(_git("archive", "HEAD", folder))) as archive:
        archive.extractall(to, filter="data")
