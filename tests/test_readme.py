"""The README keeps its word: its commands run, its example trains, its table is the committed one."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = [
    [line for line in block.splitlines() if line.startswith("ibbench ")]
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
]
COMMANDS = [command for block in BLOCKS for command in block]
SMALL = ["data.train_size=60", "trainer.epochs=1", "budget.value=5000"]
FEW = ["data.validation_size=100", "data.test_size=200"]  # to predict 15,000 takes longer than to train on 60


def _shrunk(command: str) -> list[str]:
    """Return the words of a command, those of a training with a size that takes seconds."""
    words = shlex.split(command)[1:]
    if words[0] == "speed":  # its timings are tested elsewhere, and a sweep takes minutes
        return ["speed", "--help"]
    if words[0] != "train" or words[-1] in {"--help", "job"}:
        return words
    if any(word.startswith("+cluster=") for word in words):  # tests/cluster runs such for real
        few = ["model=ladder/mlp,ladder/gat", "data.train_size=500"] if "+experiment=ladder" in words else []
        return [word for word in words if word != "--dry-run"] + [*few, "--dry-run"]
    if "data=csv" not in words:
        words += FEW
    if "data.train_size=1000,5000" in words:
        return [word.replace("1000,5000", "50,60") for word in words] + SMALL[1:]
    if "+experiment=tuned" in words:
        return [word for word in words if "range" not in word] + ["tuning.trial=0", "model=mlp,gnn", *SMALL]
    if "+experiment=learning_curve" in words:
        return [*words, "data.train_size=50,60", "trainer.min_steps=null", *SMALL[1:], "seeds=[0,1]"]
    if "+experiment=ladder" in words:
        few = ["model=ladder/mlp,ladder/mlp_relabelled,ladder/schnet", "seeds=[0,1]"]
        return [*words, *few, "data.train_size=50,60", "trainer.min_steps=null", *SMALL[1:]]
    if "budget.match=flops" in words:
        return [*words, *SMALL[:2], "model=mlp", "budget.value=10000"]
    if "budget.match=seconds" in words:
        return [*words, *SMALL[:2], "model=mlp"]
    if "name=graphs" in words:
        few = [word for word in words if not word.startswith("data.graph=")]
        return [*few, *SMALL, "seeds=[0]", "data.graph=empty,rewired"]
    if "+experiment=standard" in words:  # its 36 replicas of one model are enough
        return [*words, "model=mlp", *SMALL]
    if "name=gap_10k" in words:
        return [word for word in words if "=10000" not in word] + ["data.train_size=60", "trainer.epochs=1"]
    if "budget=null" in words:  # its width stays as written
        return words + SMALL[:2]
    if "name=fast" in words:
        return [word for word in words if "=10000" not in word and "compile" not in word] + SMALL
    return words + SMALL


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) > 10


def _commit(folder: Path) -> None:
    """Make a folder a repository, whose branch `main` holds what is in it."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "results"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def _write_examples(folder: Path) -> None:
    """Write the files that the README shows, named in their first comments."""
    for block in re.findall(r"```(?:python|yaml)\n(.*?)```", README, re.DOTALL):
        name = next(line for line in block.splitlines() if line.startswith("# ") and "@" not in line)
        path = folder / name.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block and "mean_field" not in block[0]])
def test_commands_of_the_readme_run(block: list[str], ibbench: Callable, tmp_path: Path) -> None:
    """Run the commands that stand together, in one folder, as a reader would."""
    rows = "".join(f"{'C' * left}O{'C' * right},{left - right}\n" for left in range(1, 10) for right in range(1, 10))
    (tmp_path / "my.csv").write_text("smiles,logS\n" + rows)
    for command in block:
        if command.startswith(("ibbench table", "ibbench status")):  # the study of another block
            study = command.split()[2]
            if not (tmp_path / study).exists():
                name = study.rpartition("/")[2]
                assert ibbench("train", "model=mlp", f"name={name}", *SMALL, *FEW).returncode == 0
        if "+cluster=ours" in command:
            _write_examples(tmp_path)
        if command.startswith("ibbench diff"):
            shutil.rmtree(tmp_path / "results", ignore_errors=True)
            shutil.copytree(ROOT / "results", tmp_path / "results", ignore=shutil.ignore_patterns("runs"))
            _commit(tmp_path)
        run = ibbench(*_shrunk(command))
        assert run.returncode == 0, f"{command}: {run.stderr}"
        assert run.stdout


def test_the_pictures_of_the_readme_are_there() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_the_example_model_trains_beside_the_others(tmp_path: Path) -> None:
    for folder in ("ibbench", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    _write_examples(tmp_path)
    assert (tmp_path / "ibbench/models/mean_field.py").exists()

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "ibbench", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "mean_field" in run("models")
    command = next(command for command in COMMANDS if "mean_field" in command)
    output = run(*_shrunk(command))
    assert re.search(r"^ mean_field +(≈ )?\d", output, re.MULTILINE)


@pytest.mark.parametrize(
    "source",
    [
        "results/quick/table.md",
        "results/quick/table.md, pairs",
        "results/quick_lr/diff.md",
        "results/speed/table.md",
        "results/learning_curve/worth.md",
        "results/learning_curve/worth.md, factors",
        "results/ladder/worth.md, ladder",
        "results/tuned/table.md, tuning",
    ],
)
def test_the_tables_of_the_readme_are_the_committed_ones(source: str) -> None:
    shown = re.search(rf"<!-- {re.escape(source)} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert shown is not None
    committed = (ROOT / source.partition(",")[0]).read_text()
    assert shown[1].strip()
    assert shown[1].strip() in committed
