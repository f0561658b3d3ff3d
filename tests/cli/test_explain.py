"""`ibbench explain`: what is printed, drawn and written of what models look at, and what is refused."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.forked import run_command

pytestmark = pytest.mark.slow

Command = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["train", "+experiment=tiny", "trainer.compile=false"]
SMILES = "CC(=O)NCCO"
LARGE = "C" * 13


@pytest.fixture(scope="module")
def study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Train tiny models, and leave them where there is nothing else."""
    folder = tmp_path_factory.mktemp("explain")
    trained = run_command([*TINY, "model=mlp,gat,rnn,schnet", "targets=[gap,u0]", "seeds=[0,1]"], folder)
    assert trained.returncode == 0, trained.stderr
    return folder / "results" / "tiny"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_models_look_at_is_printed_drawn_and_written(ibbench: Command, study: Path, tmp_path: Path) -> None:
    words = ("explain", str(study), "OCCNC(C)=O", "--model", "mlp,gat", "--output", "out", "--molecules", "20")
    done = ibbench(*words)
    assert done.returncode == 0, done.stderr
    assert f"{SMILES}: change of gap in eV" in done.stdout
    assert f"{SMILES}: change of u0 in eV" in done.stdout
    assert re.search(r"^ *3 +O +-?\d", done.stdout, re.MULTILINE)
    for target in ("gap", "u0"):
        assert len(re.findall(rf"gat, {target}: .*attention and occlusion", done.stdout)) == 2
        assert re.search(rf"gat, {target}: .* 2 seeds and 20 molecules", done.stdout)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "agreement.csv", "attention.csv", "explain.csv", "explain_gap.png", "explain_gap.svg", "explain_u0.png",
        "explain_u0.svg",
    ]  # fmt: skip
    rows = _read(tmp_path / "out" / "explain.csv")
    shown = [row for row in rows if row["molecule"] == SMILES]
    assert len(shown) == 2 * 2 * 2 * 7  # models, targets, seeds, atoms
    assert "".join(row["element"] for row in shown[:7]) == "CCONCCO"
    assert len({row["molecule"] for row in rows}) in {20, 21}
    shares: dict[tuple[str, ...], float] = {}
    for row in rows:
        assert bool(row["attention"]) == (row["model"] == "gat")
        key = tuple(row[name] for name in ("molecule", "target", "seed"))
        shares[key] = shares.get(key, 0.0) + float(row["attention"] or 0)
    assert list(shares.values()) == pytest.approx([1.0] * len(shares), abs=1e-4)
    pairs = _read(tmp_path / "out" / "attention.csv")
    one_head = {"target": "gap", "seed": "0", "layer": "1", "head": "1"}
    heard = [float(row["weight"]) for row in pairs if one_head.items() <= row.items()]
    assert len(heard) == 7 + 2 * 6  # atoms, and bonds from both ends
    assert sum(heard) == pytest.approx(7, abs=1e-4)
    picture = (tmp_path / "out" / "explain_gap.svg").read_text()
    texts = [part.text or "" for part in ET.fromstring(picture.encode()).iter() if part.tag.endswith("text")]
    assert sum(" ± " in text for text in texts) == 2
    for begin in ("mlp: gap ", "gat: attention", "head 1 of seed 0", "7: ", "-"):
        assert any(text.startswith(begin) for text in texts)
    assert sum(text.startswith("7: ") for text in texts) == 3 + 4  # two models, attention of one, and its heads
    assert (tmp_path / "out" / "explain_gap.png").read_bytes()[:4] == b"\x89PNG"
    again = ibbench(*words)
    assert again.returncode == 2
    assert "out has agreement.csv already: --overwrite replaces" in again.stderr
    assert ibbench(*words, "--overwrite").returncode == 0
    assert (tmp_path / "out" / "explain_gap.svg").read_text() == picture


def test_models_that_cannot_be_looked_into_are_named(ibbench: Command, study: Path) -> None:
    done = ibbench("explain", str(study), SMILES, "--target", "gap", "--geometry", "etkdg")
    assert done.returncode == 0, done.stderr
    assert "Left out: rnn." in done.stdout
    assert re.search(r"Predicted gap in eV: mlp .*gat .*schnet", done.stdout)
    assert "u0" not in done.stdout
    large = ibbench("explain", str(study), LARGE, "--model", "mlp,gat", "--target", "gap")
    assert large.returncode == 1
    assert "mlp: not predicted: more than 9 atoms" in large.stdout
    assert re.search(r"Predicted gap in eV: gat", large.stdout)


def test_bad_input_is_one_line_and_writes_nothing(ibbench: Command, study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine\n")
    shutil.copytree(study, tmp_path / "without")
    for path in (tmp_path / "without").glob("runs/*/weights.safetensors"):
        path.unlink()
    gat = [str(study), SMILES, "--model", "gat"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, message in (
        (["none", "CCO"], "there is no folder none"),
        ([str(study)], "there is no molecule: expected a SMILES"),
        ([str(study), "C1CC", "--model", "gat"], "`C1CC` is not a molecule: RDKit cannot parse it"),
        ([str(study), SMILES, "--model", "mean"], "`--model mean` is a baseline, which has no weights"),
        ([str(study), SMILES, "--model", "gta"], "did you mean `gat`"),
        ([str(study), SMILES, "--model", "rnn"], "rnn reads the letters of a SMILES"),
        ([str(study), LARGE, "--model", "mlp"], "not predicted: more than 9 atoms"),
        ([str(study), SMILES], "`schnet` reads coordinates, which a SMILES does not have: --geometry etkdg"),
        ([*gat, "--target", "gpa"], "did you mean `gap`"),
        ([*gat, "--geometry", "etkdg"], "none of the models reads coordinates"),
        ([*gat, "--molecules", "-3"], "expected a number of test molecules"),
        ([*gat, "--overwrite"], "no meaning without --output"),
        ([*gat, "--output", "file"], "is a file: expected a folder"),
        (["without", SMILES], "has no weights to predict with. `ibbench train "),
    ):
        refused = ibbench("explain", *arguments)
        assert refused.returncode == 2, (arguments, refused)
        assert message in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1
        assert refused.stdout == ""
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
