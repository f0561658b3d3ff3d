"""Studies on disk, found by the beginning of their path."""

from pathlib import Path

from ibbench.record.folder import PROVENANCE, RUNS

_MOST = 200  # that a shell shows without asking


def find_studies(typed: str) -> list[str]:
    """List the folders of studies whose paths begin with what is typed, or lie in a folder whose path does.

    Args:
        typed: the beginning of a path, as a shell has it; none finds those of `results/`.
    """
    parent, slash, name = typed.rpartition("/")
    folders = [path for path in _folders(Path(f"{parent}{slash}") if slash else Path()) if path.name.startswith(name)]
    found = [path for path in folders if _is_study(path)]
    found += [path for folder in folders if folder not in found for path in _folders(folder) if _is_study(path)]
    return [f"{parent}{slash}{path.relative_to(parent + slash)}" for path in found[:_MOST]]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _is_study(folder: Path) -> bool:
    return (folder / RUNS).is_dir() or (folder / PROVENANCE).is_file()
