"""The reference says what the code does: each option, command, column and exported name, and no other."""

import ast
import csv
import io
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from autodoc import api, columns, commands, comments, markdown, options

import ibbench as package
from ibbench.cli import app
from ibbench.compare import classes, cliffs
from ibbench.data.sources import find_references
from ibbench.errors import InputError
from ibbench.options.compose import compose_config
from ibbench.options.config import option_names
from ibbench.options.defaults import config_folder, config_groups
from tests.committed import committed_files, committed_text

Command = Callable[..., subprocess.CompletedProcess[str]]
Rows = dict[str, list[str]]
ROOT = Path(__file__).parent.parent
GROUPS = {"data", "model", "optimizer", "schedule", "trainer", "budget", "rung", "tuning"}  # which have options


def _rows(page: str) -> Rows:
    """Return the cells behind the first one of all rows of the tables of a page, by the code in the first cell."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {found[1]: cells[1:] for cells in lines if (found := re.search(r"`(.+?)`", cells[0]))}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return _rows(options.page())


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and prefix + name in GROUPS:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def test_every_option_is_told_with_its_meaning_and_no_other(rows: Rows) -> None:
    told = {name: cells for name, cells in rows.items() if "=" not in name and not name.startswith("hydra.")}
    assert set(told) == set(option_names()) - GROUPS
    without = [name for name, (meaning, *_) in told.items() if not meaning.rpartition(": ")[2].strip()]
    assert not without, "a comment in configs/ is missing"


CHOICES = [
    [], ["optimizer=sgd_momentum"], ["optimizer=sgd"], ["schedule=step"], ["schedule=cosine"], ["tuning=halving"],
    ["tuning=convergence"], ["model=cnn"], ["model=painn"], ["model=gat"], ["model=graph_transformer"],
    ["data=csv", "data.path=x.csv", "data.target_columns=[y]", "targets=[y]"],
]  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice[0] if choice else "defaults")
def test_the_defaults_that_are_told_are_those_of_a_config(choice: list[str], rows: Rows) -> None:
    typed = {word.partition("=")[0] for word in choice}
    for name, value in _flat(compose_config(choice).model_dump()):
        if name in option_names() and name not in {*typed, *GROUPS} and not name.endswith(".name"):
            assert markdown.code(value) in rows[name][2].replace("&#124;", "|"), name


def test_values_beyond_a_bound_that_is_told_are_refused(rows: Rows) -> None:
    tried = 0
    for name, (_, kind, default) in ((name, cells) for name, cells in rows.items() if len(cells) == 3):
        above = re.match(r"(?:`auto` or )?(?:whole )?number (above|at least) ([\d.]+)", kind)
        if not above or name.startswith(("hydra.", "rung.")) or "(" in default or name in {"data.max_atoms"}:
            continue
        outside = above[2] if above[1] == "above" else str(int(above[2]) - 1)
        given = {"model.kernel_size": ["model=cnn"], "model.heads": ["model=gat"], "model.cutoff": ["model=painn"]}
        given |= {"model.max_hops": ["model=graph_transformer"], "optimizer.momentum": ["optimizer=sgd_momentum"]}
        given |= {"schedule.every": ["schedule=step"], "schedule.factor": ["schedule=step"]}
        with pytest.raises(InputError, match=re.escape(name)):
            compose_config([*given.get(name, []), f"{name}={outside}"])
        tried += 1
    assert tried >= 20


def test_every_choice_of_a_group_is_told_with_what_it_is(rows: Rows) -> None:
    for group, choices in config_groups().items():
        for choice in choices:
            assert rows[f"{group}={choice}"][0].strip(), f"{group}={choice}"


def test_a_comment_belongs_to_the_option_below_it_or_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(
        "# @package _global_\n# About the file,\n# in two lines.\nname: a # behind\n"
        "# above\n# both\nb: '#1' # and behind\nc: 1\n# of nothing\n\n"
        "d:\n  e: 2 # inside\n  # above\n  f: 3\ng: 4 # after\n"
    )
    found = comments.read_comments(path)
    assert found.header == "About the file, in two lines."
    assert found.options == {
        "name": "behind", "b": "above both and behind", "d.e": "inside", "d.f": "above", "g": "after",
    }  # fmt: skip
    assert comments.read_comments(config_folder() / "train.yaml").options["budget"].startswith("what all models")


def _walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for part, below in getattr(command, "commands", {}).items():
        yield from _walk(below, f"{name} {part}")


def test_every_command_and_flag_is_told() -> None:
    sections = dict(re.findall(r"^#+ `(ibbench[\w -]*)`\n(.*?)(?=^#+ |\Z)", commands.page(), re.MULTILINE | re.DOTALL))
    walked = dict(_walk(typer.main.get_command(app), "ibbench"))
    assert set(sections) == set(walked) - {"ibbench"}
    for name, command in walked.items():
        if name == "ibbench":
            continue
        flags = [flag for param in command.params for flag in param.opts if flag.startswith("-")]
        for flag in flags:
            assert re.search(rf"[`, ]{flag}\b", sections[name]), f"{name} {flag}"
        assert command.help in sections[name]


def _expected(name: str, header: list[str]) -> bool:
    known = [list(file.columns) for file in columns.FILES if file.name == name]
    if name == "table.csv":  # some studies have the columns that stand behind the others in the page, too
        known += [[*known[0], *classes.COLUMNS], [*known[0], *cliffs.COLUMNS]]
    return header in known


def _header(text: str) -> list[str]:
    return next(csv.reader(io.StringIO(text)))


def test_every_column_of_the_committed_files_is_described() -> None:
    names = [name for name in committed_files("results") if name.endswith(".csv")]
    assert {Path(name).name for name in names} >= {"table.csv", "multipliers.csv", "ladder.csv", "claims.csv"}
    for name in names:
        assert _expected(Path(name).name, _header(committed_text(name))), name


@pytest.mark.slow
def test_every_column_that_commands_write_is_described(ibbench: Command, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("smiles,y\nCCO,1\nnone,2\n" + "".join(f"{'C' * n},{n}\n" for n in range(1, 60)))
    own = ["data=csv", "data.path=my.csv", "data.target_columns=[y]", "targets=[y]"]
    sizes = "data.train_size=10,14,20,28,40"
    small = ["data.validation_size=5", "data.test_size=10"]
    trained = ibbench("train", "experiment=tiny", "model=mlp", "name=a", sizes, *own, *small)
    assert trained.returncode == 0, trained.stderr
    assert ibbench("worth", "results/a").returncode == 0
    out = "results/a/predicted.csv"
    assert ibbench("predict", "results/a", "--input", "my.csv", "--output", out).returncode == 1  # a row is no molecule
    (rejected,) = re.findall(r"listed in (\S+\.rejected\.csv)", (trained.stdout + trained.stderr).replace("\n", ""))
    assert _expected("*.rejected.csv", _header(Path(rejected).read_text()))
    written = [path for path in (tmp_path / "results").rglob("*.csv") if path.name != "predicted.csv"]
    named = {path: re.sub(r"^split-\w{16}\.", "split-FINGERPRINT.", path.name) for path in written}
    assert {*named.values()} == {"table.csv", "pairs.csv", "laws.csv", "history.csv", "split-FINGERPRINT.csv"}
    for path, name in named.items():
        assert _expected(name, _header(path.read_text())), path
    predicted = _header((tmp_path / "results/a/predicted.csv").read_text())
    kinds = {re.sub(r"^y .* (mean|std)$", r"TARGET [UNIT] MODEL \1", name) for name in predicted[2:]}
    (file,) = [file for file in columns.FILES if file.name == "predicted.csv"]
    assert kinds == set(file.columns)


def test_every_csv_that_the_code_names_is_described() -> None:
    constants = (
        node.value
        for path in Path(package.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    named = {text for text in constants if re.fullmatch(r"\w+\.csv", text)}
    assert len(named) >= 9
    assert named <= {file.name for file in columns.FILES}


def test_every_described_column_has_a_sentence_in_the_page() -> None:
    page = columns.page()
    for file in (*columns.FILES, *columns.ROWS):
        assert file.name in page
        for name, meaning in file.columns.items():
            assert meaning.strip(), f"{file.name} {name}"
            assert f"| `{name}` | {meaning.replace('|', '&#124;')} |" in page


def test_every_exported_name_is_told_with_its_signature() -> None:
    page = api.page()
    told = re.findall(r"^## `(\w+)`", page, re.MULTILINE)
    assert sorted(told) == sorted(name for name in package.__all__ if name != "__version__")
    assert "compose_config(overrides: Sequence[str]) -> Config" in page
    assert re.search(r"^compare\(.*?tolerance: float = 0\.02", page, re.MULTILINE | re.DOTALL)
    assert "device: str = 'auto'" in page
    assert " at 0x" not in page
    assert "<module" not in page
    assert not re.search(r"^(Args|Returns|Raises|Attributes):", page, re.MULTILINE)


def test_what_to_cite_is_the_same_everywhere(ibbench: Command) -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    dois = [reference["doi"] for reference in cff["references"]]
    papers = find_references("qm9pack")
    assert [paper.rpartition("https://doi.org/")[2] for paper in papers] == dois
    assert cff["version"] == package.__version__
    assert not find_references("csv:0123456789abcdef")
    info = re.sub(r"\s", "", ibbench("data", "info").stdout)
    assert all(f"cite: {paper}".replace(" ", "") in info for paper in papers)
