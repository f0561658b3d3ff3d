"""README and documentation keep their word: their commands run, their example trains."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ibbench.models.registry import get_model
from tests.committed import export_committed

ROOT = Path(__file__).parent.parent
PAGES = {path: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]}
# A note before a block has words that its trainings get as well, so that they take seconds.
BLOCK = re.compile(r"(?:<!-- test: (.*?) -->\n)?```bash\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """Commands that stand together on a page, and the words of the note before them."""

    page: str
    commands: list[str]
    note: list[str]


def _blocks() -> list[Block]:
    found = []
    for path, text in PAGES.items():
        for note, block in BLOCK.findall(text):
            commands = [line for line in block.splitlines() if line.startswith("ibbench ")]
            if commands:
                found.append(Block(path.stem, commands, note.split()))
    return found


BLOCKS = _blocks()
APART = ["run", "apart,", "with", "the", "files", "above"]


def _shrunk(command: str, note: list[str]) -> list[str]:
    """Return the words of a command, those of a training with what makes it tiny."""
    words = shlex.split(command)[1:]
    if words[0] == "speed":
        return [word for word in words if word not in {"--sweep", "trainer.compile=true"}] + note
    if words[0] == "probe" and not any("=" in word for word in words):
        return words
    if words[0] not in {"train", "probe"} or words[-1] in {"--help", "job"}:
        return words
    if any(word.startswith("cluster=") for word in words):  # tests/cluster runs such for real
        return [word for word in words if word not in {"--dry-run", "--detach"}] + ["--dry-run", *note]
    experiment = next((word for word in words if word.startswith("experiment=")), None)
    name = experiment.partition("=")[2] if experiment else "quick"
    if experiment:
        words.remove(experiment)
    tiny = f"experiment=[{name},tiny]" if experiment and name != "tiny" else "experiment=tiny"
    named = [] if any(word.startswith("name=") for word in words) else [f"name={name}"]
    large = ("data.train_size=10000", "trainer.epochs=", "budget.value=400000", "trainer.compile=true")
    return [*(word for word in words if not word.startswith(large)), tiny, *named, *note]


def test_the_pages_have_commands() -> None:
    assert len(BLOCKS) > 10


def _commit(folder: Path) -> None:
    """Make a folder a repository, whose branch `main` holds what is in it."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "results"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def _write_examples(folder: Path) -> None:
    """Write the files that the pages show, named in their first comments."""
    text = "\n".join(PAGES.values())
    for block in re.findall(r"```(?:python|yaml)\n(.*?)```", text, re.DOTALL):
        name = next(line for line in block.splitlines() if line.startswith("# ") and "@" not in line)
        path = folder / name.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{block.page}-{number}", marks=[pytest.mark.slow] if block.page != "README" else [])
        for number, block in enumerate(BLOCKS)
        if block.note != APART
    ],
)
def test_the_commands_of_a_block_run(block: Block, ibbench: Callable, tmp_path: Path) -> None:
    """Run the commands that stand together, in one folder, as a reader would."""
    rows = "".join(
        f"{'C' * left}O{'C' * right},{left - right},{'yes' if left + right > 9 else 'no'}\n"
        for left in range(1, 10)
        for right in range(1, 10)
    )
    (tmp_path / "my.csv").write_text("smiles,logS,toxic\n" + rows)
    for command in block.commands:
        if command.startswith(
            ("ibbench table", "ibbench status", "ibbench probe results/", "ibbench predict results/")
        ):  # the study of another block
            study = command.split()[2]
            if not (tmp_path / study).exists():
                name = study.rpartition("/")[2]
                assert ibbench("train", "experiment=tiny", "model=mlp", f"name={name}").returncode == 0
        if "cluster=ours" in command:
            _write_examples(tmp_path)
        if command.startswith(("ibbench diff", "ibbench report results/quick ")) and not (tmp_path / ".git").exists():
            shutil.rmtree(tmp_path / "results", ignore_errors=True)
            export_committed("results", tmp_path)
            _commit(tmp_path)
        run = ibbench(*_shrunk(command, block.note))
        assert run.returncode == 0, f"{command}: {run.stderr}"
        assert run.stdout


@pytest.mark.slow
def test_the_plugins_of_the_pages_work_outside_of_the_package(ibbench: Callable, tmp_path: Path) -> None:
    _write_examples(tmp_path)
    rows = [f"{'C' * left}O{'C' * right} {left - right}" for left in range(1, 10) for right in range(1, 10)]
    (tmp_path / "logS.txt").write_text("\n".join(rows))
    small = {"soluble": ["data.train_size=50", "data.validation_size=0.1", "data.test_size=0.1"]}
    outputs = []
    for block in (block for block in BLOCKS if block.note == APART):
        for command in block.commands:
            run = ibbench(*_shrunk(command, small.get(command.rpartition("=")[2], [])))
            assert run.returncode == 0, f"{command}: {run.stderr}"
            outputs.append(run.stdout)
    expected = (
        r"^ mean_field +permutation",
        r"^ mean_field +(≈ )?\d",
        r"^ mlp +(≈ )?\d",
        r"^ median +(≈ )?\d",
        "mlp: trained",
    )
    for pattern, output in zip(expected, outputs, strict=True):
        assert re.search(pattern, output, re.MULTILINE), output


@pytest.mark.slow
def test_the_tutorial_shows_the_cost_that_a_dry_run_tells(ibbench: Callable) -> None:
    page = PAGES[ROOT / "docs/tutorial/first-study.md"]
    (command,) = [line for line in page.splitlines() if line.endswith("name=locality --dry-run")]
    (shown,) = re.findall(r"^To do: .*$", page, re.MULTILINE)
    assert shown in ibbench(*shlex.split(command)[1:]).stdout


def test_the_table_of_assumptions_is_what_the_models_declare() -> None:
    page = PAGES[ROOT / "docs/explanation/biases.md"].partition("<!-- what the models declare -->\n")[2]
    lines = [line.strip("|").split("|") for line in page.partition("\n\n")[0].splitlines()]
    table = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert len(table[""]) >= 5
    for place, name in enumerate(table[""]):
        model = get_model(name.strip("`"))
        assert table["weights"][place] == model.weights
        assert table["connectivity"][place] == model.connectivity


@pytest.mark.slow
def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    """Build it as `make docs` does: with the pages that are written from the code, and their links."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for page in ("options", "commands", "columns", "api"):
        assert (tmp_path / "reference" / page / "index.html").exists()
    found = json.loads((tmp_path / "search/search_index.json").read_text())["docs"]
    assert any("budget.match" in entry["text"] for entry in found)
    assert not list(tmp_path.rglob("*.py"))
