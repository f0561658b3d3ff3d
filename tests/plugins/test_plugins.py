"""A model in a file of its own, outside of the package: it trains, is part of what a run is, and predicts."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.options.compose import compose_sweep
from ibbench.options.config import Config
from ibbench.plugins.code import names_in
from ibbench.record.folder import read_records
from ibbench.record.schema import Record
from ibbench.run.plan import plan
from tests.committed import export_committed
from tests.conftest import Command
from tests.forked import run_apart, run_command

TRAIN = ["train", "experiment=tiny", "data.train_size=50", "trainer.compile=false", "name=t"]
LOGGED = "\nfrom pathlib import Path\nwith Path(__file__).with_name('loaded').open('a') as log:\n    log.write('x')\n"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _records(folder: Path, model: str) -> list[Record]:
    return [record for record in read_records(folder / "results" / "t") if record.config["model"]["name"] == model]


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Train what `ibbench new-model` writes beside a model of ibbench; the file notes when it is executed."""
    folder = tmp_path_factory.mktemp("plugin")
    assert run_command(["new-model", "mine"], folder).returncode == 0
    with (folder / "mine.py").open("a") as file:
        file.write(LOGGED)
    run = run_command([*TRAIN, "plugins=[mine.py]", "model=mlp,mine"], folder)
    assert run.returncode == 0, run.stderr
    return folder


def test_only_runs_that_use_a_plugin_are_known_by_its_content(trained: Path) -> None:
    (built_in,), (mine,) = _records(trained, "mlp"), _records(trained, "mine")
    assert "plugins" not in built_in.config
    assert built_in.plugins is None
    digest = _digest(trained / "mine.py")
    assert mine.config["plugins"] == {"model": digest}
    assert mine.config["model"]["mixing"] == 1.0
    assert [entry.model_dump() for entry in mine.plugins or ()] == [
        {"gives": "model", "name": "mine.py", "place": str(trained / "mine.py"), "digest": digest}
    ]
    plain = run_command([*TRAIN, "model=mlp", "--dry-run"], trained)
    assert f"{built_in.run}: " in plain.stdout
    assert "1 of 1 runs" not in plain.stdout  # it is done


def test_runs_of_a_committed_study_keep_their_names(cache: Path, tmp_path: Path) -> None:  # noqa: ARG001
    export_committed("results/quick", tmp_path)
    committed = {record.run for record in read_records(tmp_path / "results/quick")}
    assert {plan(config).run for config in compose_sweep([])} == committed


def test_predictions_need_the_plugin_to_be_named_as_it_was(trained: Path, tmp_path: Path) -> None:
    loaded = trained / "loaded"
    before = loaded.read_text()
    refused = run_command(["predict", "results/t", "CCO"], trained)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "is of the model `mine` from the plugin mine.py, which is not loaded: expected --plugins" in refused.stderr
    assert loaded.read_text() == before  # what a study says of its plugins executes nothing
    done = run_command(["predict", "results/t", "CCO", "--plugins", "mine.py", "--format", "json"], trained)
    assert done.returncode == 0, done.stderr
    (molecule,) = json.loads(done.stdout)["molecules"]
    assert [part["model"] for part in molecule["predictions"]] == ["mlp", "mine"]
    edited = tmp_path / "mine.py"
    edited.write_text((trained / "mine.py").read_text() + "\n")
    changed = run_command(["predict", "results/t", "CCO", "--plugins", str(edited)], trained)
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    for digest in (_digest(trained / "mine.py"), _digest(edited)):
        assert digest in changed.stderr
    without = run_command(["predict", "results/t", "CCO", "--model", "mlp"], trained)
    assert without.returncode == 0, without.stderr


def test_a_plugin_that_is_edited_is_another_run(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    (old,) = _records(folder, "mine")
    path = folder / "mine.py"
    path.write_text(path.read_text().replace("mixing: float = 1.0", "mixing: float = 2.0"))
    again = run_command([*TRAIN, "plugins=[mine.py]", "model=mlp,mine"], folder)
    assert again.returncode == 0, again.stderr
    assert f"{_records(folder, 'mlp')[0].run}: done before" in again.stdout
    (new,) = (record for record in _records(folder, "mine") if record.run != old.run)
    assert new.config["model"]["mixing"] == 2.0
    assert new.replicas[0].test.mae != old.replicas[0].test.mae
    table = (folder / "results/t/table.csv").read_text()
    for record in (old, new):
        assert f"plugins.model={record.config['plugins']['model']}" in table
    evidence = zipfile.ZipFile(folder / "results/t/evidence.zip").read("evidence.json").decode()
    assert new.config["plugins"]["model"] in evidence
    assert str(folder) not in evidence  # where a user keeps files is nobody else's business
    option = run_command([*TRAIN, "plugins=[mine.py]", "model=mine", "model.mixing=0.5", "--dry-run"], folder)
    assert "To do: 1 of 1 runs" in option.stdout, option.stderr


def test_a_baseline_is_measured_by_the_runs_of_commands_that_name_it(ibbench: Command, tmp_path: Path) -> None:
    (tmp_path / "median.py").write_text(
        "from ibbench.baselines import Baseline, register\n@register('median')\nclass Median(Baseline):\n"
        "    num_parameters = 1\n    def fit(self, target, subset):\n"
        "        median = self.dataset.values[subset, self.dataset.column(target)].median()\n"
        "        return lambda index: median.expand(len(index))\n"
    )
    run = ibbench(*TRAIN, "plugins=[median.py]", "model=mlp", "seeds=[0]")
    assert run.returncode == 0, run.stderr
    (record,) = _records(tmp_path, "mlp")
    assert [baseline.name for baseline in record.baselines] == ["mean", "composition", "median"]
    assert record.config["plugins"] == {"baselines.median": _digest(tmp_path / "median.py")}
    errors = {baseline.name: baseline.replicas[0].train.mae for baseline in record.baselines}
    assert errors["median"] <= errors["mean"]  # no constant has a lower mean absolute error
    assert " median " in ibbench("table", "results/t").stdout  # in a process that does not know it


def _install(folder: Path) -> None:
    """Put a package with entry points where Python finds it, as pip does."""
    package = folder / "their_lab"
    (folder / "their_lab-1.0.dist-info").mkdir()
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(
        "import torch\nfrom ibbench.models.registry import get_model, register\n"
        "from ibbench.options.model import ModelOptions\n"
        "class Options(ModelOptions):\n    depth: int = 2\n    gain: float = 3.0\n"
        "@register('theirs', options=Options)\nclass Theirs(get_model('deep_sets')):\n    '''Assumes nothing new.'''\n"
    )
    (folder / "other_lab.py").write_text("import nothing_here\n")
    (package / "rows.py").write_text(
        "import numpy as np\nfrom ibbench.data.sources import Rows, Source, register\n"
        "from ibbench.data.targets import Target\n"
        "@register('alkanes')\nclass Alkanes(Source):\n    '''Chains.'''\n"
        "    fixed_targets = {'size': Target('size', 'n', '', 'number of atoms')}\n"
        "    def read(self):\n        sizes = np.arange(1, 13)\n"
        "        return Rows(sizes, ['C' * size for size in sizes], sizes[:, None] * FACTOR)\nFACTOR = 1.0\n"
    )
    (package / "fits.py").write_text(
        "from ibbench.baselines import Baseline, register\n@register('zero')\nclass Zero(Baseline):\n"
        "    num_parameters = 0\n    def fit(self, target, subset):\n"
        "        return lambda index: 0.0 * self.dataset.values[index, 0]\n"
    )
    about = folder / "their_lab-1.0.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-lab\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[ibbench.models]\ntheirs = their_lab.nets\nbroken = other_lab\n[ibbench.sources]\n"
        "alkanes = their_lab.rows\n[ibbench.baselines]\nzero = their_lab.fits\n"
    )


def _use_installed(folder: Path) -> dict[str, object]:
    sys.path.insert(0, str(folder))
    import ibbench
    from ibbench.data.sources import get_source
    from ibbench.models import model_names
    from ibbench.options.defaults import config_groups
    from ibbench.plugins.code import find_plugin

    offered = config_groups()["model"][-2:], config_groups()["data"][-1]
    executed = "their_lab" in sys.modules
    config = ibbench.compose_config(["model=theirs", "model.gain=4", "data=alkanes", "targets=size"])
    named = ibbench.compose_config(["model=gnn", "plugins=[their_lab]"])
    plain = ibbench.compose_config(["model=gnn"])
    try:
        ibbench.compose_config(["model=broken"])
        fault = ""
    except ibbench.InputError as error:
        fault = str(error)
    dataset = ibbench.load_dataset(config.data, lambda _line: None)
    return {
        "offered": offered,
        "executed": executed,
        "options": (config.model.depth, config.model.gain),  # type: ignore[attr-defined]
        "numerics": [one.numerics().get("plugins") for one in (config, named, plain)],
        "digest": find_plugin("their_lab").digest,
        "fault": fault,
        "listed": "theirs" in model_names() and "broken" not in model_names(),
        "source": get_source("alkanes").__module__,
        "values": dataset.values[:, 0].tolist(),
        "json": Config.model_validate_json(config.model_dump_json()) == config,
    }


def test_installed_packages_offer_what_their_entry_points_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    _install(tmp_path)
    found = run_apart(_use_installed, tmp_path)
    assert found["offered"] == (["broken", "theirs"], "alkanes")
    assert found["executed"] is False  # to list names takes no code
    assert found["options"] == (2, 4.0)
    digest = found["digest"]
    # Installed baselines change no run by being there.
    assert found["numerics"] == [{"model": digest, "source": digest}, {"baselines.zero": digest}, None]
    assert "the model `broken` of the installed package other_lab cannot be loaded" in found["fault"]
    assert "other_lab.py, line 1: ModuleNotFoundError" in found["fault"]
    assert found["listed"] is True
    assert found["json"] is True
    assert found["values"] == [float(size) for size in range(1, 13)]
    rows = tmp_path / "their_lab" / "rows.py"
    rows.write_text(rows.read_text().replace("FACTOR = 1.0", "FACTOR = 2.0"))
    edited = run_apart(_use_installed, tmp_path)
    assert edited["digest"] != digest
    assert edited["values"] == [2.0 * size for size in range(1, 13)]  # and not those of the cache


def test_a_shell_is_offered_names_without_executing_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "raise SystemExit\nfrom ibbench.models.registry import register\nfrom ibbench.data import sources\n"
        "@register('one')\nclass One: pass\n@register(name='no')\nclass Two: pass\n"
        "@sources.register('three')\nclass Three: pass\n"
    )
    assert names_in(str(path), ("ibbench.models.registry",)) == ["one"]
    assert names_in(str(path), ("ibbench.data.sources",)) == []
    assert names_in(str(tmp_path / "absent.py"), ("ibbench",)) == []


def test_new_model_refuses_what_cannot_be_a_model_or_would_replace_something(ibbench: Command, tmp_path: Path) -> None:
    (tmp_path / "test_there.py").write_text("mine\n")
    cases = {
        "gnn": "is a model already",
        "mean": "is the name of a baseline",
        "torch": "is a word or a module of Python",
        "class": "is a word or a module of Python",
        "My-Net": "cannot be the name of a model: expected small letters",
        "there": "test_there.py would be replaced",
    }
    for name, message in cases.items():
        run = ibbench("new-model", name)
        assert (run.returncode, run.stderr.count("\n"), run.stdout) == (2, 1, ""), run
        assert message in run.stderr
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("test_there.py", "mine\n")]


@pytest.mark.slow
def test_what_new_model_writes_passes_its_test(trained: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(command, cwd=trained, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


@pytest.mark.slow
def test_jobs_load_the_plugin_from_wherever_they_start(ibbench: Callable, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="ibbench[cluster] is not installed")
    assert ibbench("new-model", "mine").returncode == 0
    (tmp_path / "plugins").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "plugins" / "mine.py")
    run = ibbench(*TRAIN, "plugins=[plugins/mine.py]", "model=mine", "seeds=[0]", "cluster=slurm_local")
    assert run.returncode == 0, run.stderr + run.stdout
    (record,) = _records(tmp_path, "mine")
    assert record.config["plugins"] == {"model": _digest(tmp_path / "plugins" / "mine.py")}


@pytest.mark.slow
def test_a_study_is_probed_with_its_plugin(trained: Path) -> None:
    (trained / "count.py").write_text(
        "from ibbench.probes import Finding, Probe, register\n@register('count')\nclass Count(Probe):\n"
        "    summary = 'labels'\n    needs = 'data'\n    moments = ()\n    headline = 'labels'\n"
        "    def measure(self, subject):\n        yield Finding('labels', '', subject.point.split.train_size)\n"
        "    def tell(self, who, part, figures):\n        return f'{who}: {figures[\"labels\"].value:.0f} labels'\n"
    )
    refused = run_command(["probe", "results/t", "--probe", "count", "--plugins", "count.py"], trained)
    assert refused.returncode == 2
    assert "has its model from the plugin mine.py, which is not loaded: expected --plugins" in refused.stderr
    done = run_command(["probe", "results/t", "--probe", "count", "--plugins", "count.py,mine.py"], trained)
    assert done.returncode == 0, done.stderr
    assert "mine: 50 labels" in done.stdout
