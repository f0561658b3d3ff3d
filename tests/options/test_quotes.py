"""What a shell would read for itself, brackets above all, stands in quotes wherever a command is shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ibbench.cli import app

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r"'[^'\n]*'")
# An option with its value; one that is only said to be wrong is no advice to type it.
UNQUOTED = re.compile(r"(?<![\w.+~])[+~]*[a-z_][\w./]*=[^\s'`\"]*[\[({*][^\s`]*(?!\S*` (?:is not|takes))")


def unquoted(text: str) -> list[str]:
    """Return the options of a text whose values zsh or bash would expand, as they are not quoted."""
    return UNQUOTED.findall(QUOTED.sub("''", text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ibbench train seeds=[0,1]", ["seeds=[0,1]"]),
        ("such as tuning.trial=range(0,8)", ["tuning.trial=range(0,8)"]),
        ("`experiment=[quick,tiny]`", ["experiment=[quick,tiny]"]),
        ("ibbench train 'seeds=[0,1]' model=gnn", []),
        ("`targets=[gab]` is not a target of this data set", []),
        ("[the table](reference/table.md) of seeds=0,1", []),
    ],
)
def test_only_what_is_not_quoted_is_found(text: str, found: list[str]) -> None:
    assert unquoted(text) == found


def test_help_quotes_brackets() -> None:
    for words in ([], ["table"], ["worth"], ["diff"], ["plot"], ["speed"], ["models"], ["status"], ["data", "show"]):
        assert unquoted(CliRunner().invoke(app, [*words, "--help"]).output) == []
    # The help of `ibbench train` is this text, and the options as YAML.
    assert unquoted((ROOT / "configs/hydra/help/ibbench.yaml").read_text()) == []


def test_pages_and_comments_quote_brackets() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "results" / "README.md"]
    texts = {path: re.sub(r"(?s)```(python|yaml).*?```|<!-- test: .*? -->", "", path.read_text()) for path in pages}
    configs = ROOT.glob("configs/**/*.yaml")
    texts |= {path: "\n".join(re.findall(r"#.*", path.read_text())) for path in configs}
    assert len(texts) > 30
    assert {path.name: unquoted(text) for path, text in texts.items() if unquoted(text)} == {}


def test_messages_quote_brackets() -> None:
    messages = [text for path in (ROOT / "ibbench").rglob("*.py") for text in _messages(ast.parse(path.read_text()))]
    assert any("tuning." in text for text in messages)
    assert [text for text in messages if unquoted(text)] == []


def _messages(tree: ast.AST) -> Iterator[str]:
    """Return the texts of a module that are sentences and no docstrings, with `x` for what is put into them."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | parts:
            text = re.sub(r"\{\w*\}", "x", node.value)  # as `str.format` fills it in
        else:
            continue
        if " " in text:
            yield text
