"""README, documentation and results/ say the same, as git has them, and follow from the evidence: `make claims`."""

import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.committed import committed_files, committed_text, export_committed

pytestmark = pytest.mark.claims
README = "results/README.md"
WITHOUT_EVIDENCE = {"ladder", "gap_10k", "fast"}  # older than evidence; trained again, they leave this list
MOST_BYTES = 4_000_000
PICTURES = {".png", ".svg"}  # another version of matplotlib or of its fonts draws the same figures otherwise
TABLE = re.compile(r"<!-- (results/\S+?)(?:, \w+)? -->\n(.*?)<!-- end -->", re.DOTALL)


def _pages() -> dict[str, str]:
    names = ["README.md", *(name for name in committed_files("docs") if name.endswith(".md"))]
    return {name: committed_text(name) for name in names}


def test_shown_tables_are_the_committed_ones() -> None:
    found = [(page, *match) for page, text in _pages().items() for match in TABLE.findall(text)]
    assert len(found) >= 8
    for page, source, shown in found:
        assert shown.strip(), page
        assert shown.strip() in committed_text(source), f"{page} shows other figures than {source}"


def test_shown_pictures_are_committed() -> None:
    pictures = {name for name in committed_files("results") if name.endswith(".png")}
    shown = {name for text in _pages().values() for name in re.findall(r"!\[.*?\]\((?:\.\./)*(results/.*?)\)", text)}
    assert shown
    assert shown <= pictures


def _studies(having: str) -> set[str]:
    """Return the committed studies that have a file of this name."""
    return {name.split("/")[1] for name in committed_files("results") if name.endswith(f"/{having}")}


def _commands() -> list[list[str]]:
    """Return the words of the commands that made the studies, as `make studies` reads them."""
    text = committed_text(README).partition("<!-- commands of make studies -->")[2]
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("ibbench ")]


def test_every_study_has_evidence_or_is_named_as_one_that_has_none_yet() -> None:
    assert _studies("study.json") - _studies("evidence.zip") == WITHOUT_EVIDENCE
    (said,) = re.findall(r"^(.*) are older and have no `evidence.zip` yet", committed_text(README), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", said)) == WITHOUT_EVIDENCE


def test_every_study_has_its_command() -> None:
    named = {
        word.partition("=")[2]: words
        for words in _commands()
        for word in (words if words[0] == "train" else [])
        if word.lstrip("+").startswith(("name=", "experiment="))
    }
    assert ["train"] in _commands()
    assert {"quick", *named} == _studies("study.json")


def test_every_table_follows_from_the_evidence(ibbench: Callable, tmp_path: Path) -> None:
    export_committed("results", tmp_path)
    studies = sorted(_studies("evidence.zip"))
    results = tmp_path / "results"
    committed = {
        path: path.read_bytes()
        for study in studies
        for path in (results / study).iterdir()
        if path.suffix not in PICTURES
    }
    for path, content in committed.items():
        if path.name == "evidence.zip":
            assert len(content) <= MOST_BYTES, path
        elif path.name != "study.json":
            path.unlink()
    commands = [["table", f"results/{study}"] for study in studies]
    for words in _commands():
        about = {word.partition("/")[2] for word in words if re.fullmatch(r"results/\w+", word)}
        if words[0] in {"worth", "diff"} and about <= set(studies):
            commands.append(words)
    for words in commands:
        given, _, written = " ".join(words).partition(" > ")
        run = ibbench(*given.split())
        assert run.returncode == 0, run.stderr
        if written:
            (tmp_path / written).write_text(run.stdout)
    for path, content in committed.items():
        assert path.read_bytes() == content, f"{path.relative_to(tmp_path)} does not follow from the evidence"


def test_the_table_of_the_reference_is_that_of_its_study() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/reference/table.csv")), keep_default_na=False)
    text = committed_text("docs/explanation/biases.md").partition("<!-- means of results/reference/table.csv -->\n")[2]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[:5]]
    variants = [("composition", ""), ("gnn", "reference=none"), ("gnn", "reference=composition")]
    for (model, variant), (_, *cells) in zip(variants, rows, strict=True):
        for title, cell in zip(header[1:], cells, strict=True):
            at = (
                (table["model"] == model) & (table["variant"] == variant) & (table["target"] == title.partition(",")[0])
            )
            (row,) = table[at].to_dict("records")
            assert float(cell.rstrip(" †")) == pytest.approx(row["mae_mean"], rel=0.005), (title, cell)
            assert cell.endswith("†") == bool(row["fault"])


def test_runs_are_not_committed() -> None:
    assert not [name for name in committed_files("results") if "/runs/" in name]
