"""The house keeps its order (see docs): a room imports only from rooms above it, and heavy packages stay in theirs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ibbench

PACKAGE = Path(ibbench.__file__).parent
ROOMS = (
    "plugins", "options", "data", "models", "budget", "baselines", "training", "record", "track", "run", "sweep",
    "compare", "worth", "probes", "speed", "report", "commands", "api",
)  # fmt: skip
LOOSE = {"__init__", "__main__", "cli", "errors", "files", "terminal"}
ONLY_IN = {
    "rich": ("report/", "commands/", "terminal.py"),
    "matplotlib": ("report/plot/",),
    "hydra": ("options/", "commands/"),
    "omegaconf": ("options/", "commands/"),
    "tensorboard": ("track/",),
    "mlflow": ("track/",),
    "wandb": ("track/",),
}
WITHOUT_TORCH = {"options", "record", "track", "compare", "worth"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}


def _room(module: str) -> str:
    """Return the room of a dotted module of the package, or the name of a loose file."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def _imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "ibbench":
                yield from (f"ibbench.{name.name}" for name in node.names)


def _files() -> list[tuple[Path, str]]:
    return [
        (path, _room(".".join(("ibbench", *path.relative_to(PACKAGE).with_suffix("").parts))))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def test_every_file_lies_in_a_room() -> None:
    assert {room for _, room in _files()} <= {*ROOMS, *LOOSE}
    assert not [path for path, _ in _files() if path.stem in FORBIDDEN_NAMES]


def test_the_readme_of_a_room_names_its_files() -> None:
    text = (PACKAGE / "sweep/README.md").read_text()
    files = {path.name for path in (PACKAGE / "sweep").glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"| `{name}` |" not in text} == set()


def test_rooms_import_only_from_rooms_above() -> None:
    wrong = []
    for path, room in _files():
        for module in _imports(path):
            if not module.startswith("ibbench."):
                continue
            other = _room(module)
            if room in {"cli", "__init__", "__main__"}:
                continue
            if room in LOOSE:
                allowed = other in LOOSE
            else:
                allowed = other in {"errors", "files", "terminal", "__init__"} or (
                    other in ROOMS and ROOMS.index(other) <= ROOMS.index(room)
                )
            if not allowed:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_heavy_packages_stay_in_their_rooms() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path, _ in _files()
        for module in _imports(path)
        for package, places in ONLY_IN.items()
        if module.partition(".")[0] == package and not path.relative_to(PACKAGE).as_posix().startswith(places)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(WITHOUT_TORCH))
def test_rooms_that_tables_need_do_not_import_torch(room: str) -> None:
    names = [f"ibbench.{room}.{path.stem}" for path in (PACKAGE / room).glob("*.py") if path.stem != "__init__"]
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
