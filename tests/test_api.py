"""What `import ibbench` gives: loaded when it is used, typed, and shown at work on a page whose examples run."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ibbench

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "python.md"
NAMES = set(ibbench.__all__) - {"__version__"}
EXAMPLES = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _python(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_the_import_loads_nothing() -> None:
    code = "import sys, typing; known = set(sys.modules); import ibbench; print(*sorted(set(sys.modules) - known))"
    assert _python("-c", code).stdout.split() == ["ibbench"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(ibbench, name)
    assert name == "QM9_TARGETS" or value.__doc__
    assert name in dir(ibbench)
    assert re.search(rf"`(ibbench\.)?{name}`", PAGE.read_text())
    assert "register" in name or any(f"ibbench.{name}" in code for _, code in EXAMPLES)


def test_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse(Path(ibbench.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    told = {name.asname: (node.module, name.name) for node in block.body for name in node.names}
    assert set(told) == NAMES
    for name, (module, original) in told.items():
        assert name == original
        assert getattr(importlib.import_module(module), name) is getattr(ibbench, name)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'ibbench' has no attribute 'plam'"):
        ibbench.plam  # noqa: B018


@pytest.mark.slow
def test_types_are_known_to_a_user(tmp_path: Path) -> None:
    wrong = "import ibbench\nibbench.plan(1)\nibbench.plam\nconfig: ibbench.Config = ibbench.compose_config([])\n"
    (tmp_path / "wrong.py").write_text(wrong)
    words = ["-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path / "wrong.py")]
    told = _python(*words).stdout.splitlines()
    assert [line.partition("error: ")[2].partition("  [")[0] for line in told[:-1]] == [
        'Argument 1 to "plan" has incompatible type "int"; expected "Config"',
        'Module has no attribute "plam"',
    ]


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    printed = {}
    for name, code in EXAMPLES:
        (tmp_path / name).write_text(code)
        run = _python(name, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        printed[name] = run.stdout
    assert list(printed) == ["train_and_compare.py", "predict.py", "molecules_and_models.py", "what_changed.py"]
    assert len(re.findall(r"^(?:mlp|gnn)-\w+ done$", printed["train_and_compare.py"], re.MULTILINE)) == 4
    assert "mlp against gnn at 100 labels: " in printed["train_and_compare.py"]
    assert re.search(r"^gap 0 \[\d+\.\d+, \d+\.\d+\] eV$", printed["predict.py"], re.MULTILINE)
    assert printed["molecules_and_models.py"] == "torch.Size([32])\neV\n"
    assert printed["what_changed.py"].endswith("`model=gmn` is not possible: did you mean `gnn`?\n")
