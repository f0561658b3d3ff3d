"""What `import ibbench` gives: loaded when it is used, typed, and shown at work on a page whose examples run."""

import ast
import importlib
import os
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


TYPED = """\
from pathlib import Path

import pandas as pd
from typing_extensions import assert_type

import ibbench

study = ibbench.train(["model=mlp,gnn"], name="typed")
assert_type(study, ibbench.Study)
assert_type(study.path, Path)
assert_type(study.table, pd.DataFrame)
assert_type(study.worth().multipliers, pd.DataFrame)
assert_type(study.predict(["CCO"], model=["mlp"]), pd.DataFrame)
model = ibbench.load_model(study.path, model="gnn")
assert_type(model, ibbench.TrainedModel)
assert_type(model.targets, dict[str, str])
assert_type(model.predict(pd.Series(["CCO"]), geometry="etkdg"), pd.DataFrame)
changes = ibbench.compare(study, "main:results/typed")
assert_type(changes, ibbench.Diff)
assert_type(changes.regressions, pd.DataFrame)
"""


def _python(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_the_import_loads_nothing() -> None:
    code = "import sys, typing; known = set(sys.modules); import ibbench; print(*sorted(set(sys.modules) - known))"
    assert _python("-c", code).stdout.split() == ["ibbench"]


def test_tables_and_trainings_load_neither_torch_nor_matplotlib() -> None:
    study = ROOT / "tests" / "report" / "fixtures" / "curve"
    asked = "ibbench.train; study.table; study.worth(); ibbench.compare(study, study)"
    told = "print({'torch', 'matplotlib', 'rdkit'} & set(sys.modules))"
    code = f"import sys, ibbench; study = ibbench.load_study({str(study)!r}); {asked}; {told}"
    assert _python("-c", code).stdout == "set()\n"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(ibbench, name)
    assert name == "QM9_TARGETS" or value.__doc__
    assert name in dir(ibbench)
    assert re.search(rf"`(ibbench\.)?{name}`", PAGE.read_text())
    assert name in {"register", "load_plugins"} or any(f"ibbench.{name}" in code for _, code in EXAMPLES)


def test_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse(Path(ibbench.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    told = {name.asname: (node.module, name.name) for node in block.body for name in node.names}
    assert set(told) == NAMES
    for name, (module, original) in told.items():
        assert name == original
        if name != "compare":  # the name of a folder, too; see tests/compare/test_compare.py
            assert getattr(importlib.import_module(module), name) is getattr(ibbench, name)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'ibbench' has no attribute 'plam'"):
        ibbench.plam  # noqa: B018


@pytest.mark.slow
def test_types_are_known_to_a_user(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text(
        "import ibbench\nibbench.train(1)\nibbench.plam\nibbench.compare(1, 'a').tabel\n"
    )
    words = ["-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), "right.py", "wrong.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache")}
    run = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    told = [line for line in run.stdout.splitlines() if line.startswith(("right.py", "wrong.py"))]
    assert [line.partition("  [")[0] for line in told] == [
        'wrong.py:2: error: Argument 1 to "train" has incompatible type "int"; expected "Sequence[str]"',
        'wrong.py:3: error: Module has no attribute "plam"',
        'wrong.py:4: error: "Diff" has no attribute "tabel"',
        'wrong.py:4: error: Argument 1 to "compare" has incompatible type "int"; expected "Study | Path | str"',
    ]


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    printed = {}
    for name, code in EXAMPLES:
        (tmp_path / name).write_text(code)
        run = _python(name, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        printed[name] = run.stdout
    assert list(printed) == [
        "train_and_compare.py",
        "predict.py",
        "what_changed.py",
        "when_wrong.py",
        "one_run.py",
        "molecules_and_models.py",
    ]
    assert "['mlp', 'gnn']" in printed["train_and_compare.py"]
    assert (tmp_path / "learning_curves.pdf").exists()
    assert re.search(r"^\[\d+\.\d+, \d+\.\d+, nan\] \[.*'not read: RDKit", printed["predict.py"])
    assert re.search(r"^gap 0 \[\d+\.\d+, \d+\.\d+\] eV$", printed["predict.py"], re.MULTILINE)
    assert printed["what_changed.py"].count("identical") == 8
    assert printed["when_wrong.py"].startswith("`model=gmn` is not possible: did you mean `gnn`?\n{'mlp-")
    assert printed["when_wrong.py"].endswith("\n1 run is missing\n")
    assert re.search(r"^mlp-\w+ done$", printed["one_run.py"], re.MULTILINE)
    assert printed["molecules_and_models.py"] == "torch.Size([32])\neV\n"
