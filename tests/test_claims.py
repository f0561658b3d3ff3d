"""README, documentation and results/ say the same, as git has them, and follow from the evidence: `make claims`."""

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ibbench.models import STANDARD_MODELS
from tests.committed import committed_files, committed_text, export_committed

pytestmark = pytest.mark.claims
README = "results/README.md"
MOST_BYTES = 4_000_000
ROUNDING = 1e-12  # processors round sums otherwise, in the last digits of the sixteen or seventeen that a CSV has
# Looked at in models, by `ibbench probe` and `ibbench explain`, which takes half an hour: not from the evidence.
MEASURED = {"probes.csv", "probes.md", "foretold.csv", "foretold_scores.csv", "agreement.csv"}
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


def test_every_study_has_evidence() -> None:
    assert _studies("study.json") == _studies("evidence.zip")


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
        if path.suffix not in PICTURES and path.name not in MEASURED
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
        _assert_follows(path.relative_to(tmp_path), path.read_bytes(), content)


def _read(text: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(text), keep_default_na=False, na_values=[""])


def _assert_follows(path: Path, rebuilt: bytes, committed: bytes) -> None:
    """Compare texts to the byte, numbers of a CSV to ROUNDING, and study.json but for the checksums of CSV files."""
    if path.suffix == ".csv":
        ours, theirs = (_read(text) for text in (rebuilt, committed))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=False, rtol=ROUNDING, atol=0, obj=str(path))
    elif path.name == "study.json":
        ours, theirs = (json.loads(text) | {"checksums": None} for text in (rebuilt, committed))
        assert ours == theirs, path
    else:
        assert rebuilt == committed, f"{path} does not follow from the evidence"


ROWS = {  # how a table of means calls what a study calls a model and a variant
    "the regression alone": ("composition", ""),
    "`gnn`, `reference=none`": ("gnn", "reference=none"),
    "`gnn`, `reference=auto`": ("gnn", "reference=composition"),
    **{f"`{model}`": (model, "") for model in STANDARD_MODELS},
}


@pytest.mark.parametrize("study", ["reference", "targets"])
def test_tables_of_means_are_those_of_their_study(study: str) -> None:
    table = pd.read_csv(io.StringIO(committed_text(f"results/{study}/table.csv")), keep_default_na=False)
    text = committed_text("docs/explanation/biases.md").partition(f"<!-- means of results/{study}/table.csv -->\n")[2]
    lines = text.partition("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len(rows) >= 3
    for label, *cells in rows:
        model, variant = ROWS[label]
        for title, cell in zip(header[1:], cells, strict=True):
            at = (
                (table["model"] == model) & (table["variant"] == variant) & (table["target"] == title.partition(",")[0])
            )
            (row,) = table[at & (table["train_size"] == 1000)].to_dict("records")
            assert float(cell.rstrip(" †")) == pytest.approx(row["mae_mean"], rel=0.005), (title, cell)
            assert cell.endswith("†") == bool(row["fault"])


def test_figures_in_sentences_are_those_of_the_tables() -> None:
    def table(study: str) -> pd.DataFrame:
        return pd.read_csv(io.StringIO(committed_text(f"results/{study}/table.csv")))

    biases = committed_text("docs/explanation/biases.md")
    of_size = table("reference").query("train_size == 10000 and model == 'gnn'")
    assert len(of_size) == 6
    for row in of_size.to_dict("records"):
        assert f"{row['mae_mean']:.3f} ± {row['mae_std']:.3f}" in biases, (row["target"], row["variant"])
    agreement = pd.read_csv(io.StringIO(committed_text("results/explained/agreement.csv"))).set_index("model")
    page = committed_text("docs/how-to/explain.md").partition(
        "<!-- correlations of results/explained/agreement.csv -->"
    )[2]
    for model in ("graph_transformer", "gat"):
        told = [f"{one.correlation:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in agreement.loc[model].itertuples()]
        assert f"| {model} | {' | '.join(told)} |" in page
    (strong,) = table("strong").query("model == 'gnn'").to_dict("records")
    page = committed_text("docs/how-to/change-the-experiment.md")
    assert f"{strong['mae_mean']:.4f} ± {strong['mae_std']:.4f} eV" in page
    low, high = strong["ensemble_mae_low"], strong["ensemble_mae_high"]
    assert f"{strong['ensemble_mae']:.4f} eV for the mean of the two, [{low:.4f}, {high:.4f}]" in page


def test_the_table_of_what_models_see_is_that_of_the_probes() -> None:
    def rows(text: str) -> list[dict[str, str]]:
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
        return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]

    probes = committed_text("results/ladder/probes.md").partition("\n## reach\n")[2].partition("\n## ")[0]
    measured = {row["model"]: row for row in rows(probes) if row["part"] == "whole model"}
    page = committed_text("docs/explanation/probes.md")
    shown = rows(page.partition("<!-- whole models of results/ladder/probes.md -->")[2].partition("\n\n")[0])
    assert len(shown) >= 5
    for row in shown:
        for column in ("farthest", "mean distance", "change with content"):
            assert row[column] == measured[row["model"]][column], row["model"]


def test_what_is_said_of_foretelling_is_what_the_scores_say() -> None:
    def scores(study: str) -> pd.DataFrame:
        text = committed_text(f"results/{study}/foretold_scores.csv")
        return pd.read_csv(io.StringIO(text)).set_index(["target", "predictor"])

    ladder, targets = scores("ladder").loc["gap"], scores("targets")
    evidence, alike = "kernel: evidence", "regression on composition"
    assert (ladder.loc[evidence, "steps_right"], ladder.loc[evidence, "num_steps"]) == (19, 21)
    for whole in (ladder, targets.loc["all targets"]):
        assert whole.loc[evidence, "first_choice"] == 1
        assert f"{whole.loc[evidence, 'ratio_error']:.2f}" == "1.08"
        assert f"{whole.loc[alike, 'ratio_error']:.2f}" == "1.24"
    foretold = pd.read_csv(io.StringIO(committed_text("results/targets/foretold.csv"))).set_index(["target", "model"])
    last = foretold.groupby("target")["measured"].idxmax().map(lambda row: row[1])
    assert (foretold.xs("mlp", level="model")["rank"] == 4).all()
    assert (last == "mlp").sum() == 11
    middle = foretold[["bits", "measured"]].unstack("model")
    gaps = {name: middle[name]["deep_sets"] - middle[name]["graph_transformer"] for name in ("bits", "measured")}
    assert gaps["bits"].abs().max() < 0.05
    assert (gaps["bits"] * gaps["measured"] < 0).sum() == 9
    r2 = foretold.loc["r2", "graph_transformer"]
    assert f"{r2['measured'] / r2['mae']:.2f}" == "0.62"


def test_the_tutorial_says_of_locality_what_the_ladder_says() -> None:
    rungs = pd.read_csv(io.StringIO(committed_text("results/ladder/ladder.csv"))).set_index("rung")
    step, before = rungs.loc["gnn_untyped"], rungs.loc["gnn_all_pairs"]
    page = committed_text("docs/tutorial/first-study.md")
    assert f"its error falls by {step['gain']:.4f} eV, from {before['mae_mean']:.4f}" in page
    assert step["verdict"] == "better"
    assert rungs.loc["gnn", "verdict"].startswith("not distinguishable")
    assert before["verdict"] == "worse"
    assert rungs.loc["cnn", "mae_mean"] > rungs.loc["gnn", "mae_high"]  # as docs/explanation/biases.md says


def test_runs_are_not_committed() -> None:
    assert not [name for name in committed_files("results") if "/runs/" in name]
