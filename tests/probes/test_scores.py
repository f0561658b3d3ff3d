"""Scores of foretelling on committed studies: what is known of them, and that they follow from what is committed."""

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibbench.compare.study import read_study
from ibbench.options.compose import compose_config, compose_sweep
from ibbench.probes.subject.above_floor import above_floor
from ibbench.probes.subject.candidate import Candidate, plan_candidates, read_configs
from ibbench.probes.subject.disagreements import find_disagreements
from ibbench.probes.subject.earlier import read_earlier
from ibbench.probes.subject.foretell import foretell, rank_models
from ibbench.probes.subject.measure import COLUMNS
from ibbench.probes.subject.scores import ALL_TARGETS, score
from ibbench.probes.subject.truth import Truth, read_truth
from ibbench.report import markdown
from ibbench.report.foretelling import foretold_page, gaps_to_floor
from ibbench.report.plot.foretold import draw_foretold
from tests.committed import committed_text, export_committed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("qm9")]


def _read(study: str, folder: Path) -> tuple[list[Candidate], Truth]:
    export_committed(f"results/{study}", folder)
    configs, runs = read_configs(folder / "results" / study, compose_config([]))
    return plan_candidates(configs, runs), read_truth(read_study(folder / "results" / study))


def _as_if_measured(candidates: list[Candidate], truth: Truth, sign: int) -> pd.DataFrame:
    """Return figures of kernels that know the trained errors of each seed, or their opposite."""
    rows = []
    for one in candidates:
        config = one.point.config
        for target in config.targets:
            entry = truth.of(one, target)
            assert entry is not None
            for seed, mae in zip(entry.sample.seeds, entry.sample.maes, strict=True):
                key = target, one.point.split.train_size, config.model.name, one.variant, seed, "init", "kernel"
                rows.append((*key, "evidence", "", sign * math.log2(mae), "bits/label", "a"))
                rows.append((*key, "leave-one-out MAE", "", mae, "eV", "a"))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_kernel_that_knows_the_truth_is_right_and_its_opposite_is_wrong(tmp_path: Path) -> None:
    candidates, truth = _read("ladder", tmp_path)
    right, wrong = (_as_if_measured(candidates, truth, sign) for sign in (1, -1))
    scores = score(right, candidates, truth, 1000).set_index("predictor")
    evidence = scores.loc["kernel: evidence"]
    assert (evidence["num_models"], evidence["num_steps"]) == (22, 21)
    assert evidence["spearman"] == pytest.approx(1)
    assert evidence["kendall"] == pytest.approx(1)
    assert evidence["steps_right"] == 21
    assert evidence["first_choice"] == pytest.approx(1)
    assert evidence["ratio_error"] == pytest.approx(1, abs=0.01)
    assert evidence["p_holm"] == pytest.approx(2 / 20_001)
    assert evidence["cost_ratio"] > 1
    for control in ("random numbers", "FLOPs per molecule", "parameters", "regression on composition"):
        assert scores.loc[control, "ratio_error"] > 1.1
    assert "training on fewer labels" not in scores.index  # the study has one size
    assert find_disagreements(right, rank_models(right, candidates, truth), candidates, truth) == []
    assert score(wrong, candidates, truth, 1000).set_index("predictor").loc["kernel: evidence", "steps_right"] == 0
    told = find_disagreements(wrong, rank_models(wrong, candidates, truth), candidates, truth)
    assert {one.name for one in told} > {"mlp"}
    for one in told:
        assert one.cause == "features"  # its error is that of its kernel, so nothing says that training has failed
        assert one.ratio == pytest.approx(1)


def test_training_on_fewer_labels_is_a_rival_where_the_study_has_it(tmp_path: Path) -> None:
    candidates, truth = _read("learning_curve", tmp_path)
    scores = score(_as_if_measured(candidates, truth, 1), candidates, truth, 1000)
    rivals = scores[scores["kind"] == "rival"]
    assert (rivals["train_size"] > 250).all()
    assert rivals["spearman"].astype(float).mean() > 0.5
    assert (rivals["cost_ratio"] > 1).all()


@pytest.mark.parametrize("study", ["ladder", "ladder_lumo", "targets"])
def test_committed_scores_follow_from_the_committed_figures_and_evidence(study: str, tmp_path: Path) -> None:
    candidates, truth = _read(study, tmp_path)
    if study == "ladder":  # was probed by its options, which say what the rungs are called
        candidates = plan_candidates(compose_sweep(["experiment=ladder", "data.train_size=1000", "targets=[gap]"]))
    table = read_earlier(tmp_path / "results" / study)
    found = foretell(table, candidates, truth, 1000)
    for name, rebuilt in (("foretold.csv", found.ranked), ("foretold_scores.csv", found.scores)):
        committed = pd.read_csv(io.StringIO(committed_text(f"results/{study}/{name}")), keep_default_na=False)
        numbers = committed.replace("", np.nan).infer_objects()
        for column in committed.columns:
            ours = rebuilt[column].tolist()
            for mine, theirs in zip(ours, numbers[column], strict=True):
                if isinstance(theirs, float) and math.isnan(theirs):
                    assert mine in (None, "") or math.isnan(mine), column
                elif isinstance(mine, str):
                    assert mine == theirs
                else:
                    assert float(mine) == pytest.approx(float(theirs), rel=1e-9), column
    if study == "targets":
        everything = found.scores[found.scores["target"] == ALL_TARGETS].set_index("predictor")
        assert everything.loc["kernel: evidence", "num_models"] == 4
    told = markdown.write(list(foretold_page(found))).strip()
    assert told in committed_text(f"results/{study}/probes.md")
    figure = draw_foretold(found)
    assert figure is not None
    assert len([axes for axes in figure.axes if axes.get_visible()]) == len(
        found.ranked[["target", "train_size"]].drop_duplicates()
    )
    assert draw_foretold(foretell(table, candidates, Truth({}, {}), 1000)) is None
    gaps = above_floor(table, candidates, truth)
    assert len(gaps) == len(found.ranked)
    below = gaps[gaps["mae"] < gaps["floor"]]["name"].tolist()
    assert below == []
    written = markdown.write(gaps_to_floor(gaps))
    assert "Below the floor" not in written
    raised = gaps.assign(floor=gaps["mae"] + 1)
    assert f"Below the floor: {gaps['name'].iloc[0]}" in markdown.write(gaps_to_floor(raised))
    assert written.strip() in committed_text(f"results/{study}/probes.md")
