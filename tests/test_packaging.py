"""A wheel carries its configs; an editable install reads the checkout's."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import ibbench
from ibbench.data.dataset import DataSet
from ibbench.options.defaults import config_folder

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of the checkout and install it into a folder of its own."""
    dist, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("target")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", dist, ROOT], check=True)
    wheel = next(dist.glob("ibbench-*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


def _run(installed: Path, cwd: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "ibbench", *arguments]
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_there_is_one_version(installed: Path, tmp_path: Path) -> None:
    assert "version" not in _project()
    (of_wheel,) = [found.version for found in distributions(name="ibbench", path=[str(installed)])]
    assert of_wheel == ibbench.__version__
    assert _run(installed, tmp_path, "--version") == f"ibbench {ibbench.__version__}\n"


def test_the_classifiers_name_the_pythons_that_are_allowed() -> None:
    project = _project()
    named = {entry.rpartition(" ")[2] for entry in project["classifiers"] if "Python :: 3." in entry}
    allowed = SpecifierSet(project["requires-python"])
    assert named == {f"3.{minor}" for minor in range(30) if allowed.contains(f"3.{minor}.0")}


def test_what_may_change_anything_between_versions_is_bounded() -> None:
    bounded = {
        requirement.name: any(one.operator in {"<", "=="} for one in requirement.specifier)
        for requirement in map(Requirement, _project()["dependencies"])
    }
    assert bounded["hydra-core"]
    assert bounded["omegaconf"]
    assert bounded["qm9pack"]


WITHOUT_SOURCES = """
import importlib.metadata, sys
gone = {"rdkit", "qm9pack", "sklearn", "torch_geometric"}
sys.modules.update(dict.fromkeys(gone))  # such an entry has the import fail
known = importlib.metadata.distribution
def distribution(name):
    if name in gone:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.distribution = distribution
from ibbench.cli import main
main()
"""


@pytest.mark.slow
def test_a_machine_with_a_ready_cache_trains_without_rdkit_and_qm9pack(tmp_path: Path, qm9: DataSet) -> None:
    """Such as one with a GPU, to which nothing but the cache and a few wheels are carried."""
    assert qm9.path.exists()  # the cache is ready
    environment = os.environ | {"PYTHONPATH": str(ROOT), "IBBENCH_CACHE": str(qm9.path.parent)}
    command = [sys.executable, "-c", WITHOUT_SOURCES, "train", "experiment=tiny", "model=mlp", "seeds=[0]"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Building the data cache" not in run.stdout
    (record,) = tmp_path.glob("results/tiny/runs/mlp-*/record.json")
    versions = json.loads(record.read_text())["versions"]
    assert (versions["rdkit"], versions["qm9pack"]) == ("not installed", "not installed")


BLOCKED = "import sys; sys.modules['torch_geometric'] = None; sys.argv = ['ibbench', *sys.argv[1:]]; "


@pytest.mark.slow
def test_what_needs_pytorch_geometric_says_so_where_it_is_missing_and_the_rest_works(
    tmp_path: Path, cache: Path
) -> None:
    def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BLOCKED + code, *words]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "IBBENCH_CACHE": str(cache)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    main = "from ibbench.cli import main; main()"
    refused = run(main, "speed", "model=mlp")
    assert refused.returncode == 2
    assert refused.stderr == (
        "ibbench: PyTorch Geometric, which `ibbench speed` compares with, is not installed: expected ibbench[pyg], "
        "from: pip install 'ibbench[pyg]'\n"
    )
    assert run(main, "train", "experiment=tiny", "model=mlp", "seeds=[0]").returncode == 0
    to_pyg = "import ibbench; ibbench.load_dataset(ibbench.compose_config([]).data).molecules.to_pyg()"
    assert "InputError: PyTorch Geometric, whose graphs these" in run(to_pyg).stderr


@pytest.mark.slow
def test_an_installed_wheel_works_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = (
        "import ibbench, ibbench.options.defaults; print(ibbench.__file__, ibbench.options.defaults.config_folder())"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.split() == [str(installed / "ibbench/__init__.py"), str(installed / "ibbench/configs")]
    assert "graph_transformer" in _run(installed, tmp_path, "models")
    assert "name: quick" in _run(installed, tmp_path, "train", "--cfg", "job")
    assert "model: autoencoder, cnn, deep_sets, gat, gnn, graph_transformer, mlp, painn" in _run(
        installed, tmp_path, "train", "--help"
    )


def test_a_wheel_has_every_config_and_no_tests(installed: Path) -> None:
    packed = {path.relative_to(installed / "ibbench/configs") for path in installed.glob("ibbench/configs/**/*.yaml")}
    assert packed == {path.relative_to(ROOT / "configs") for path in ROOT.glob("configs/**/*.yaml")}
    assert (installed / "hydra_plugins/ibbench_cluster/launcher.py").exists()
    assert not (installed / "hydra_plugins/__init__.py").exists()  # other plugins share the folder
    assert not (installed / "tests").exists()
    assert (installed / "ibbench/py.typed").exists()
    assert {path.name for path in installed.glob("ibbench/report/pages/*")} == {"page.html", "page.css", "page.js"}


def test_a_source_distribution_has_what_it_takes_to_work_on_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    needed = {
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "docs/autodoc/options.py",
        "configs/train.yaml",
        "mkdocs.yml",
    }
    assert needed <= names
    assert not [name for name in names if name.startswith("results/")]


def test_an_editable_install_uses_the_configs_of_the_checkout() -> None:
    assert Path(ibbench.__file__).parent == ROOT / "ibbench"
    assert config_folder() == ROOT / "configs"
    assert not list(Path(sys.prefix).glob("lib/python*/site-packages/ibbench/configs"))


def test_every_dependency_has_an_exact_version_in_the_constraints() -> None:
    project = _project()
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    extras = project["optional-dependencies"]  # but for Ray, which no test needs and which holds others back
    tested = ("dev", "cluster", "data", "docs", "mlflow", "pyg", "tensorboard", "wandb")
    for text in [*project["dependencies"], *(text for extra in tested for text in extras[extra])]:
        requirement = Requirement(text)
        if requirement.name == "ibbench":
            assert requirement.extras == {*tested} - {"dev"}
            continue
        assert requirement.specifier.contains(pinned[requirement.name]), text
