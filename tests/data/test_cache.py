import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibbench.data import identity
from ibbench.data.build import build
from ibbench.data.cache import read_cache, restore_texts, store_texts, write_cache
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.identity import cache_facts
from ibbench.data.sources import open_source
from ibbench.options.config import Config
from ibbench.record.folder import DOMAIN
from ibbench.run.predict import load_predictor
from tests.forked import started

SMILES = ["C" * n for n in range(1, 40)] + ["c1ccccc1" + "C" * n for n in range(40)]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[..., Config]) -> Config:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.csv"
    path.write_text("smiles,y\n" + "".join(f"{text},{len(text)}\n" for text in SMILES))
    return config("data=csv", f"data.path={path}", "data.target_columns=[y]")


def _same(one: DataSet, other: DataSet) -> bool:
    return torch.equal(one.molecules.atoms, other.molecules.atoms) and torch.equal(one.values, other.values)


def test_a_second_load_reads_the_cache(options: Config) -> None:
    first: list[str] = []
    second: list[str] = []
    one = load_dataset(options.data, first.append)
    other = load_dataset(options.data, second.append)
    assert "Building the data cache" in first[0]
    assert second == []
    assert _same(one, other)
    assert one.smiles == other.smiles == SMILES


WITHOUT_CHEMISTRY = """
import sys
for name in ("rdkit", "qm9pack", "pyarrow"):
    sys.modules[name] = None  # importing them raises ImportError
from ibbench.run.plan import plan
from ibbench.options.compose import compose_config
print(len(plan(compose_config(["model=gnn", *sys.argv[1:]])).dataset))
"""
TRAIN = """
from ibbench.run.execute import execute
print(execute(plan(compose_config(["model=gnn", *sys.argv[1:]]))).status)
"""


def _plan_without_chemistry(*overrides: str, then: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_CHEMISTRY + then, *overrides]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_training_from_a_ready_cache_needs_neither_rdkit_nor_the_source(qm9: DataSet, tmp_path: Path) -> None:
    run = _plan_without_chemistry("experiment=tiny", f"results_dir={tmp_path}", then=TRAIN)
    assert run.stdout.split()[0] == str(len(qm9)), run.stderr
    assert run.stdout.split()[-1] == "done", run.stderr
    (folder,) = (tmp_path / "tiny" / "runs").glob("gnn-*")
    load_predictor(folder)  # which knows nothing of the train molecules, and says so
    assert not (folder / DOMAIN).exists()


@pytest.mark.slow
def test_a_ready_cache_of_a_csv_needs_neither_rdkit_nor_the_reader(options: Config) -> None:
    source = ("data=csv", f"data.path={options.data.path}", "data.target_columns=[y]", "targets=[y]")
    assert "needs a package that is not installed: " in _plan_without_chemistry(*source).stderr
    load_dataset(options.data, lambda _: None)
    run = _plan_without_chemistry(*source)
    assert run.stdout.strip() == str(len(SMILES)), run.stderr


@pytest.mark.parametrize("damage", ["truncated", "edited", "emptied", "outdated"])
def test_a_damaged_or_outdated_cache_is_said_and_rebuilt(
    options: Config, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = load_dataset(options.data, lambda _: None)
    content = bytearray(good.path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "edited":
        content[-5] ^= 1
    elif damage == "emptied":
        content = bytearray()
    else:
        monkeypatch.setattr(identity, "CACHE_FORMAT", identity.CACHE_FORMAT + 1)
    good.path.write_bytes(content)
    said: list[str] = []
    rebuilt = load_dataset(options.data, said.append)
    assert len(said) == 1
    assert "building it again" in said[0]
    assert _same(good, rebuilt)
    silent: list[str] = []
    load_dataset(options.data, silent.append)
    assert silent == []


BUILD = """
import sys
import time
from ibbench.options.compose import compose_config
from ibbench.data.dataset import load_dataset
print(len(load_dataset(compose_config(sys.argv[1:]).data, lambda line: None)))
"""


@pytest.mark.slow
def test_processes_that_build_at_once_do_no_harm(options: Config) -> None:
    overrides = ["data=csv", f"data.path={options.data.path}", "data.target_columns=[y]"]
    command = [sys.executable, "-c", BUILD, *overrides]
    with contextlib.ExitStack() as stack:
        builders = [stack.enter_context(started(command)) for _ in range(3)]
        outputs = [builder.communicate(timeout=120)[0].strip() for builder in builders]
    assert outputs == [str(len(SMILES))] * 3
    said: list[str] = []
    folder = load_dataset(options.data, said.append).path.parent
    assert said == []
    assert len(list(folder.iterdir())) == 1  # no temporary file is left


FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from ibbench.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_no_room_for_the_cache_is_one_message_and_leaves_nothing(options: Config, tmp_path: Path) -> None:
    # A limit on the size of files stops the write in the middle, as a full disk does.
    overrides = ["data=csv", f"data.path={options.data.path}", "data.target_columns=[y]"]
    command = [sys.executable, "-c", FULL_DISK, "data", "prepare", *overrides]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 2
    assert "IBBENCH_CACHE" in run.stderr
    assert "Traceback" not in run.stderr
    assert list((tmp_path / "cache").iterdir()) == []


@given(st.lists(st.text()))
def test_texts_come_back_whatever_they_contain(texts: list[str]) -> None:
    assert restore_texts("names", store_texts("names", texts)) == texts


def test_arrays_that_do_not_fit_together_are_built_again(options: Config) -> None:
    good = load_dataset(options.data, lambda _: None)
    facts = cache_facts(open_source(options.data))
    for name, wrong in {"ids": "arrays of different lengths", "smiles": "cut in wrong places"}.items():
        arrays, found = read_cache(good.path, facts)
        write_cache(good.path, arrays | {name: arrays[name][:-1]}, found)
        said: list[str] = []
        assert _same(good, load_dataset(options.data, said.append))
        assert len(said) == 1
        assert wrong in said[0]


def test_a_source_whose_rows_do_not_fit_together_is_an_error(options: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(options.data)
    rows = source.read()
    for wrong in (rows._replace(smiles=[*rows.smiles, "my"]), rows._replace(values=rows.values[:, :0])):
        monkeypatch.setattr(source, "read", lambda wrong=wrong: wrong)
        with pytest.raises(RuntimeError, match=r"mine\.csv do not fit together"):
            build(source)
