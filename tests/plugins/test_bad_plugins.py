"""A plugin that cannot be loaded is one line that says where and why, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.plugins import load, registry
from ibbench.plugins.code import find_plugin
from ibbench.plugins.load import load_plugins
from tests.conftest import Command

MODEL = '''
from ibbench.models.registry import Model, register
from ibbench.options.model import ModelOptions

class Options(ModelOptions):
    {options}

@register("{name}", options=Options)
class Mine(Model):
    """Assumes nothing."""
    symmetries = frozenset({symmetries})
    connectivity = weights = "none"
    reads = frozenset({reads})
    def states(self, molecules): ...
'''
USUAL = {"name": "mine", "options": "scale: float = 1.0", "symmetries": "()", "reads": '["atoms"]'}


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out what a test has loaded: other tests in this process know the models of ibbench alone."""
    monkeypatch.setattr(load, "_BY_PIN", {})
    yield
    for module in [*registry.LOADED]:
        registry.forget(module)


def _model(**other: str) -> str:
    return MODEL.format(**USUAL | other)


BAD = {
    "an import that fails": ("import numpy\nimport nothing_here\n", "line 2: ModuleNotFoundError: No module named"),
    "a syntax error": ("x = 1\ndef f(:\n", "line 2: SyntaxError: invalid syntax"),
    "an exception": ("x = 1\n\nx / 0\n", "line 3: ZeroDivisionError: division by zero"),
    "an exit": ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
    "nothing that registers": ("x = 1\n", "registers nothing: expected a class under @register(NAME)"),
    "the name of a model": (_model(name="gnn"), "line 8: two models are called `gnn`: one of ibbench, one of bad.py"),
    "a name that is none": (_model(name="My-Net"), "`My-Net` cannot be the name of a model: expected small letters"),
    "the name of a baseline": (
        "from ibbench.baselines import *\n@register('mean')\nclass B(Baseline):\n num_parameters = 1\n fit = print\n",
        "line 2: two baselines are called `mean`",
    ),
    "an unknown symmetry": (_model(symmetries="['permutations']"), "`permutations` is not possible in `symmetries`"),
    "an unknown input": (_model(reads="['bond']"), "did you mean `bonds`"),
    "an option without a value": (_model(options="scale: float"), "Options needs default values for its own options"),
    "a model without states": (_model().replace("states", "state"), "the model `mine` lacks what every model has: st"),
    "a neighbour": ("import other\n", "it imports `other`, which lies beside it"),
    "a relative neighbour": ("from . import other\n", "line 1: ImportError: attempted relative import"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_loaded_says_where_and_why(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, message = BAD[case]
    (tmp_path / "bad.py").write_text(content)
    (tmp_path / "other.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        load_plugins(["bad.py"])
    assert message in str(refused.value)
    assert str(refused.value).startswith("`plugins=[bad.py]` ")
    assert "\n" not in str(refused.value)
    for kind in ("model", "source", "baseline", "probe"):
        assert registry.entered_names(kind) == []
    assert get_model("gnn").__module__ == "ibbench.models.gnn"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("absent.py", "No such file or directory"),
        ("my_modle.py", "did you mean `my_model.py`?"),
        ("my_model", "did you mean `my_model.py`?"),
        ("no such thing", "neither a file nor the name of a module"),
        ("folder", "a folder is a plugin where it is a package, with an __init__.py"),
        ("sys", "has no source in Python"),
        ("json", "registers nothing"),
    ],
)
def test_what_is_not_there_says_what_is(
    named: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_model.py").write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        load_plugins([named])
    assert message in str(refused.value)


def test_a_pin_loads_the_content_that_it_names_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.py"
    path.write_text(_model())
    monkeypatch.chdir(tmp_path)
    (pin,) = load_plugins(["mine.py"])
    assert pin == f"{path}#{find_plugin('mine.py').digest}"
    monkeypatch.chdir("/")
    assert load_plugins([pin, pin]) == (pin,)
    before = get_model("mine")
    path.write_text(_model() + "\n")
    with pytest.raises(InputError, match="has changed since this process loaded it"):
        load_plugins([str(path)])
    assert load_plugins([pin]) == (pin,)  # the code that is loaded is that which was named
    assert get_model("mine") is before
    monkeypatch.setattr(load, "_BY_PIN", {})  # as in a job that starts later
    with pytest.raises(InputError, match="has changed since it was named"):
        load_plugins([pin])


def test_the_files_of_a_package_are_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "net"
    package.mkdir()
    (package / "__init__.py").write_text("from .model import Mine\n")
    (package / "model.py").write_text("from .scale import SCALE\n" + _model(options="scale: float = SCALE"))
    (package / "scale.py").write_text("SCALE = 2.0\n")
    monkeypatch.chdir(tmp_path)
    (pin,) = load_plugins(["net"])
    assert registry.entered_names("model") == ["mine"]
    (package / "notes.txt").write_text("no code")
    assert find_plugin("net/").pinned == pin
    (package / "scale.py").write_text("SCALE = 3.0\n")
    assert find_plugin("net").pinned != pin


def test_a_command_with_a_bad_plugin_starts_nothing(ibbench: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import nothing_here\n")
    no_model = "from ibbench.models.registry import register\n@register('x')\nclass X: pass\n"
    (tmp_path / "no_model.py").write_text(no_model)
    (tmp_path / "wrong.py").write_text(
        "import torch\n"
        + _model(options="scale: float = 1.0").replace(
            "def states(self, molecules): ...",
            "def __init__(self, n, options):\n        super().__init__()\n"
            "        self.layer = torch.nn.Linear(3, options.sizes[0])\n        self.readout = torch.nn.Identity()\n"
            "    def states(self, molecules):\n        return self.layer(molecules.atoms)",
        )
    )
    headless = (tmp_path / "wrong.py").read_text().replace("self.readout = ", "self.last = ")
    (tmp_path / "headless.py").write_text(headless)
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "theirs.yaml").write_text("# @package _global_\nplugins: [./wrong.py]\n")
    cases = (
        ("train", "model=mlp", "plugins=[bad.py]", "bad.py, line 1: ModuleNotFoundError"),
        ("models", "plugins=[no_model.py]", "no_model.py, line 2: the model `x` is no subclass of ibbench.models"),
        ("train", "model=mlp", "plugins=a.py,b.py", "expected one list for all runs, such as 'plugins=[a.py,b.py]'"),
        ("train", "plugins=[wrong.py]", "model=mime", "`model=mime` is not possible: did you mean `mine`"),
        ("train", "plugins=[wrong.py]", "model=mine", "budget=null", "wrong.py, line 20: RuntimeError: "),
        (
            "train",
            "plugins=[headless.py]",
            "model=mine",
            "budget=null",
            "AttributeError: 'Mine' object has no",
        ),
        ("train", "--config-dir", "theirs", "experiment=theirs", "a config file names the plugin ./wrong.py"),
        ("predict", "results/quick", "CCO", "--plugins", "bad.py", "bad.py, line 1: ModuleNotFoundError"),
    )
    for *words, message in cases:
        run = ibbench(*words)
        assert (run.returncode, run.stderr.count("\n")) == (2, 1), (words, run)
        assert message in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bad.py",
        "headless.py",
        "no_model.py",
        "theirs",
        "wrong.py",
    ]
