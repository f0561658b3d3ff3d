"""README, documentation and results/ say the same, as git has them, and follow from the evidence: `make claims`."""

import io
import json
import math
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


@pytest.mark.parametrize(
    ("study", "size", "mark"),
    [("reference", 1000, ""), ("reference", 10_000, " at 10,000 labels"), ("targets", 1000, "")],
)
def test_tables_of_means_are_those_of_their_study(study: str, size: int, mark: str) -> None:
    table = pd.read_csv(io.StringIO(committed_text(f"results/{study}/table.csv")), keep_default_na=False)
    text = committed_text("docs/explanation/biases.md").partition(
        f"<!-- means{mark} of results/{study}/table.csv -->\n"
    )[2]
    lines = text.partition("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len(rows) >= 3
    for label, *cells in rows:
        model, variant = ROWS[label]
        for title, cell in zip(header[1:], cells, strict=True):
            at = (
                (table["model"] == model) & (table["variant"] == variant) & (table["target"] == title.partition(",")[0])
            )
            (row,) = table[at & (table["train_size"] == size)].to_dict("records")
            assert float(cell.rstrip(" †")) == pytest.approx(row["mae_mean"], rel=0.005), (title, cell)
            assert cell.endswith("†") == bool(row["fault"])


def test_figures_in_sentences_are_those_of_the_tables() -> None:
    def table(study: str) -> pd.DataFrame:
        return pd.read_csv(io.StringIO(committed_text(f"results/{study}/table.csv")))

    at_10_000 = table("reference").query("train_size == 10000 and model == 'gnn'")
    pairs = at_10_000.pivot(index="target", columns="variant", values="mae_mean")
    worse = pairs["reference=none"] / pairs["reference=composition"] - 1
    assert f"{worse['alpha']:.0%} {worse['cv']:.0%}" == "7% 11%"
    tested = pd.read_csv(io.StringIO(committed_text("results/reference/pairs.csv")))
    tested = tested.query("train_size == 10000 and a == 'gnn' and b == 'gnn'")
    told_apart = tested[~tested["verdict"].str.contains("distinguishable")]
    assert set(told_apart["target"]) == {"u0_atom", "zpve"}
    agreement = pd.read_csv(io.StringIO(committed_text("results/explained/agreement.csv"))).set_index("model")
    page = committed_text("docs/how-to/explain.md").partition(
        "<!-- correlations of results/explained/agreement.csv -->"
    )[2]
    for model in ("graph_transformer", "gat"):
        told = [f"{one.correlation:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in agreement.loc[model].itertuples()]
        assert f"| {model} | {' | '.join(told)} |" in page
    curve = table("learning_curve").query("target == 'alpha' and train_size == 4000").set_index("model")["mae_mean"]
    deep_sets, mlp = f"{curve['deep_sets']:.3f}", f"{curve['mlp']:.3f}"
    assert f"({mlp} a0^3 and {deep_sets}, not distinguishable" in committed_text("docs/tutorial/first-study.md")
    (strong,) = table("strong").query("model == 'gnn'").to_dict("records")
    page = committed_text("docs/how-to/change-the-experiment.md")
    assert f"{strong['mae_mean']:.4f} ± {strong['mae_std']:.4f} eV" in page
    low, high = strong["ensemble_mae_low"], strong["ensemble_mae_high"]
    assert f"{strong['ensemble_mae']:.4f} eV for the mean of the two, [{low:.4f}, {high:.4f}]" in page


def test_what_is_said_of_summaries_made_by_hand_is_in_their_study() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/rung_zero/table.csv")))
    text = committed_text("docs/explanation/rung-zero.md")
    shown = text.partition("<!-- means of results/rung_zero/table.csv -->\n")[2].partition("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    assert len(rows) >= 6
    for label, *cells in rows:
        for title, cell in zip(header[1:], cells, strict=True):
            target, size = title.partition(",")[0], 1000
            (row,) = table.query(
                f"model == '{label.strip('`')}' and target == '{target}' and train_size == {size}"
            ).to_dict("records")
            assert cell == f"{row['mae_mean']:.3f} ± {row['mae_std']:.3f}", (label, title)
    verdicts = table.query("train_size == 1000").set_index(["model", "target"])["verdict_vs_best"]
    assert verdicts["mlp", "alpha"] == "worse"
    assert verdicts["coulomb+kernel_ridge", "alpha"] == verdicts["coulomb+kernel_ridge", "gap"] == "worse"
    assert verdicts["mlp", "gap"].startswith("not distinguishable")
    assert verdicts["mlp", "mu"].startswith("not distinguishable")
    targets = pd.read_csv(io.StringIO(committed_text("results/targets/table.csv"))).query("model == 'gnn'")
    for target, unit in (("gap", "eV"), ("alpha", "a0^3"), ("mu", "D")):
        assert f"{targets.query(f'target == {target!r}')['mae_mean'].item():.3f} {unit}" in text


def _prolong(few: "pd.Series[float]", many: "pd.Series[float]", sizes: tuple[int, int]) -> str:
    """Return the error in meV at 118,000 labels on a power law through two sizes, with its interval."""
    times = math.log(118_000 / sizes[1]) / math.log(sizes[1] / sizes[0])
    middle = math.log(many["mae_mean"]) + times * math.log(many["mae_mean"] / few["mae_mean"])
    of_few, of_many = (math.log(one["mae_high"] / one["mae_low"]) / 2 for one in (few, many))
    half = math.hypot((1 + times) * of_many, times * of_few)  # as if the two errors were independent
    return "{} [{}, {}]".format(*(f"{1000 * math.exp(middle + place):.0f}" for place in (0, -half, half)))


def test_errors_of_summaries_are_prolonged_from_their_study() -> None:
    gap = pd.read_csv(io.StringIO(committed_text("results/summaries/table.csv"))).set_index(["model", "train_size"])
    text = committed_text("docs/explanation/rung-zero.md")
    shown = text.partition("<!-- gap of results/summaries/table.csv -->\n")[2].partition("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    sizes = [int(title.replace(",", "")) for title in header[1:4]]
    assert len(rows) == 4
    for label, *cells in rows:
        model = label.strip("`")
        known = [size for size in sizes if (model, size) in gap.index]
        assert [cell for cell in cells[:3] if cell] == [f"{1000 * gap.loc[(model, n), 'mae_mean']:.0f}" for n in known]
        few, many = (gap.loc[(model, size)] for size in known[-2:])
        assert cells[3] == _prolong(few, many, (known[-2], known[-1])), model
    early = _prolong(*(gap.loc[("morgan+kernel_ridge", size)] for size in sizes[:2]), (sizes[0], sizes[1]))
    assert f"would have come to {early.partition(' ')[0]} meV" in text
    shown = text.partition("<!-- others of results/summaries/table.csv -->\n")[2].partition("\n\n")[0].splitlines()
    for line in shown[2:]:
        label, cell = (part.strip() for part in line.strip("|").split("|"))
        row = gap.loc[(label.strip("`"), 1000)]
        assert cell == f"{row['mae_mean']:.3f} ± {row['mae_std']:.3f}", label
    assert gap.loc[("descriptors+boosting", 1000), "verdict_vs_best"] == "best"
    others = gap.xs(1000, level="train_size").drop("descriptors+boosting")
    assert set(others["verdict_vs_best"]) == {"worse"}


def test_what_is_said_of_principal_components_is_in_their_study() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/summaries/table.csv")))
    table = table[table["train_size"] == 1000].set_index("model")
    text = committed_text("docs/explanation/rung-zero.md")
    shown = text.partition("<!-- components of results/summaries/table.csv -->\n")[2].partition("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    assert len(rows) == 2
    for label, *cells in rows:
        for title, cell in zip(header[1:], cells, strict=True):
            count = title.removeprefix("d = ")
            row = table.loc[f"{label.strip('`')}{'' if count == 'all' else f':{count}'}+ridge"]
            assert cell == f"{row['mae_mean']:.3f} ± {row['mae_std']:.3f}", (label, title)


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


def _rows_below(mark: str) -> list[list[str]]:
    """Return the cells of the table of the page on overparameterised networks that stands below a mark."""
    text = committed_text("docs/explanation/overparameterised.md").partition(f"<!-- {mark} -->\n")[2]
    lines = [line for line in text.partition("\n\n")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_learning_by_heart_is_told_as_its_table_has_it() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/memorise/table.csv")))
    rows = _rows_below("errors of results/memorise/table.csv")
    assert len(rows) == 4
    for label, *cells in rows:
        model, labels = label.split(", ")
        kind = labels.removesuffix(" labels")
        found = [
            table[(table["model"] == model) & (table["variant"] == f"data.labels={kind} trainer.steps={steps}")].iloc[0]
            for steps in (125, 500, 2000)
        ]
        assert cells == [*(f"{row['train_mae_mean']:.3f}" for row in found), f"{found[-1]['mae_mean']:.3f}"]


def test_failures_are_told_as_their_tables_have_them() -> None:
    ladder = pd.read_csv(io.StringIO(committed_text("results/failure_modes/ladder.csv"))).set_index("rung")
    table = pd.read_csv(io.StringIO(committed_text("results/failure_modes/table.csv"))).query("model == 'mlp'")
    rows = _rows_below("errors of results/failure_modes/ladder.csv")
    assert [row[0].strip("`") for row in rows] == list(ladder.index)
    for name, _, train, test, _ in rows:
        error = ladder.loc[name.strip("`"), "mae_mean"]
        (row,) = table[(table["mae_mean"] / error - 1).abs() < 1e-9].to_dict("records")
        assert float(train) == pytest.approx(row["train_mae_mean"], rel=0.005 if error < 1e3 else 0.2, abs=6e-4)
        assert float(test) == pytest.approx(error, rel=0.005 if error < 1e3 else 0.2)


def test_the_noise_of_small_batches_is_told_as_its_table_has_it() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/batch_noise/table.csv"))).query("model == 'mlp'")
    page = (
        committed_text("docs/explanation/overparameterised.md").partition("## The noise of")[2].partition("```bash")[0]
    )

    def row(optimizer: str, length: str, size: int) -> pd.Series:
        words = [f"optimizer={optimizer}", f"trainer.{length}", f"trainer.batch_size={size}"]
        words += ["optimizer.beta1=0.9"] if optimizer == "adam" else []
        (found,) = [one for _, one in table.iterrows() if set(words) <= set(one["variant"].split())]
        return found

    for optimizer, length in (("sgd", "steps=256"), ("adam", "steps=256"), ("sgd", "epochs=32")):
        ends = [row(optimizer, length, size)["train_mae_mean"] for size in (8, 128)]
        assert f"from {ends[0]:.3f} to {ends[1]:.3f}" in page
    at_equal_steps = table[table["variant"].str.contains("trainer.steps=256")]["mae_mean"]
    assert len(at_equal_steps) == 12
    assert f"between {at_equal_steps.min():.3f} and {at_equal_steps.max():.3f} eV" in page
    plain, momentum = (row(name, "epochs=32", 128)["mae_mean"] for name in ("sgd", "sgd_momentum"))
    assert f"({plain:.3f} eV, with momentum {momentum:.3f})" in page


def test_flat_minima_are_told_as_table_and_probes_have_them() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/flat/table.csv")))
    probes = committed_text("results/flat/probes.md")
    rows = _rows_below("curvature of results/flat/probes.md")
    assert len(rows) == 6
    for label, eigenvalue, trace, train, test in rows:
        model, optimizer, batches = label.split(", ")
        variant = f"optimizer={optimizer.strip('`')} trainer.batch_size={batches.rpartition(' ')[2]}"
        (row,) = table[(table["model"] == model) & (table["variant"] == variant)].to_dict("records")
        assert (train, test) == (f"{row['train_mae_mean']:.3f}", f"{row['mae_mean']:.3f} ± {row['mae_std']:.3f}")
        (line,) = [line for line in probes.splitlines() if line.startswith(f"| {model} ({variant}) |")]
        measured = [float(cell.split()[0]) for cell in line.split("|")[5:7]]
        assert [float(eigenvalue), float(trace)] == pytest.approx(measured, rel=0.006)


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


def test_double_descent_is_told_as_its_table_has_it() -> None:
    table = pd.read_csv(io.StringIO(committed_text("results/double_descent/table.csv")))
    text = committed_text("docs/explanation/overparameterised.md")
    page = " ".join(text.partition("## Double descent")[2].partition("```bash")[0].split())
    mlp, sets = (table[table["model"] == model].sort_values("parameters") for model in ("mlp", "deep_sets"))
    peak = mlp.loc[mlp["mae_mean"].idxmax()]
    highest = f"{peak['parameters']:,} parameters ({peak['mae_mean']:.3f} ± {peak['mae_std']:.3f} eV)"
    assert f"The means of its test error are highest at {highest}" in page
    largest, best = mlp.iloc[-1], sets.loc[sets["mae_mean"].idxmin()]
    assert f"with {largest['parameters']:,} parameters" in page
    assert f"error is {largest['train_mae_mean']:.3f} and the test error {largest['mae_mean']:.3f}" in page
    assert (
        f"The lowest mean of the test error, {best['mae_mean']:.3f}, is that of {best['parameters']} parameters" in page
    )
    last, least = sets["train_mae_mean"].iloc[-2:]
    assert f"still falls at the widest network ({last:.3f} eV, then {least:.3f})" in page
    assert sets["mae_mean"].max() < mlp["mae_mean"].min()
    assert f"predicting the mean ({table[table['model'] == 'mean']['mae_mean'].iloc[0]:.3f})" in page


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


def test_symmetry_by_degrees_is_told_as_its_study_has_it() -> None:
    page = committed_text("docs/explanation/soft-symmetry.md")
    ladder = pd.read_csv(io.StringIO(committed_text("results/soft_symmetry/ladder.csv"))).set_index("rung")["mae_mean"]
    told = {
        "errs by {} eV": "mlp_penalty_1", "errs by {} without": "mlp", "Deep Sets by {}": "deep_sets",
        "symmetry ({})": "mlp_relabelled", "gives {}": "mlp_penalty_0.1", "ten times as much {}": "mlp_penalty_10",
        "`residual_pathway` ({})": "residual_pathway", "takes {} eV to": "graph_transformer",
        "eV to {}": "graph_transformer_walks",
    }  # fmt: skip
    for words, rung in told.items():
        assert words.format(f"{ladder[rung]:.3f}") in page, rung
    measured = committed_text("results/soft_symmetry/probes.md")
    for line in page.partition("<!-- symmetry left of")[2].partition("\n\n")[0].splitlines()[3:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        (row,) = [one for one in measured.splitlines() if one.startswith(f"| {name} |")]
        assert all(cell in row for cell in cells), name


def test_what_is_said_of_codes_is_in_their_study() -> None:
    def shown(mark: str) -> list[list[str]]:
        text = committed_text("docs/explanation/autoencoder.md").partition(f"<!-- {mark} -->\n")[2]
        lines = text.partition("\n\n")[0].splitlines()[2:]
        assert len(lines) >= 2, mark
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    table = pd.read_csv(io.StringIO(committed_text("results/autoencoder/table.csv")), keep_default_na=False)
    table = table[table["target"] == "molecule"]
    table = table.set_index(table["model"] + " " + table["variant"])["mae_mean"]
    for number, components, code in shown("errors of results/autoencoder/table.csv"):
        assert components == f"{table[f'pca_{number} ']:.2f}"
        assert code == f"{table[f'autoencoder model.latent={number}']:.2f}"
    probes = pd.read_csv(io.StringIO(committed_text("results/autoencoder/probes.csv")), keep_default_na=False)
    keys = ["model", "variant", "target", "quantity", "part"]
    means, untrained = (probes[probes["at"] == at].groupby(keys)["value"].mean() for at in ("trained", "init"))
    flat, of_set = (
        means[name, f"model.latent={number}", "gap"] for name, number in (("autoencoder", 32), ("set_autoencoder", 8))
    )
    for labels, *cells in shown("labels of results/autoencoder/probes.csv"):
        code, components, inputs = (f"MAE from {what}" for what in ("the code", "principal components", "all inputs"))
        drawn = untrained["set_autoencoder", "model.latent=8", "gap"]
        told = (flat[code], flat[components], of_set[code], drawn[code], flat[inputs])
        assert cells == [f"{errors[f'{labels} labels']:.3f}" for errors in told]
    for name, *cells in shown("strange molecules of results/autoencoder/probes.csv"):
        model, number = name.split("`")[1], name.rpartition(" ")[2]
        known = (
            means.loc[model, f"model.latent={number}"]
            .droplevel("target")
            .xs("elements of the train molecules", level=1)
        )
        figures = ("AUROC", "AUROC at equal size", "AUROC of principal components at equal size")
        assert cells == [f"{known[figure]:.2f}" for figure in figures], name
    table = pd.read_csv(io.StringIO(committed_text("results/denoising/table.csv")), keep_default_na=False)
    denoising = pd.read_csv(io.StringIO(committed_text("results/denoising/probes.csv")), keep_default_na=False)
    for hidden, *cells in shown("denoising of results/denoising/probes.csv"):
        share = 0.0 if hidden == "nothing" else float(hidden.rstrip(" %")) / 100
        variant = f"model.corruption={share}"
        code = denoising[denoising["variant"] == variant].groupby(["target", "quantity", "part"])["value"].mean()
        strange = code["molecule", "AUROC at equal size", "elements of the train molecules"]
        (restored,) = table.loc[table["variant"] == variant, "mae_mean"]
        assert cells == [f"{restored:.2f}", f"{code['gap', 'MAE from the code', '50 labels']:.3f}", f"{strange:.2f}"]
    size = means["autoencoder", "model.latent=8", "molecule", "AUROC of the number of atoms"]
    page = committed_text("docs/explanation/autoencoder.md")
    assert f"an AUROC of {size['elements of the train molecules']:.2f} by itself" in page
    of_code = probes.query(
        "model == 'set_autoencoder' and variant == 'model.latent=8' and target == 'gap' and part == '50 labels' "
        "and quantity == 'labels that all inputs need per label of the code'"
    ).groupby("at")["value"]
    needed, drawn = of_code.get_group("trained"), of_code.get_group("init")
    assert re.search(rf"{needed.mean():.1f} \[[^]]*\] times the labels to match its eight numbers", page)
    assert f"({needed.min():.1f} to {needed.max():.1f} over three seeds)" in page
    assert f"is worth {drawn.mean():.1f} times the labels at 50 labels" in page
