"""Studies on disk whose path begins with some text, for the completion of a shell."""

from pathlib import Path

from ibbench.record.folder import PROVENANCE, RUNS

_MOST = 200  # a shell would ask before it shows more


def find_studies(typed: str) -> list[str]:
    """List the folders of studies whose path begins with some text, or whose parent's path does.

    Args:
        typed: beginning of a path, as a user has typed it; the empty text finds the studies in `results/`, too.
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
