"""A study of a CSV is probed by its folder: its record says where the file lies, and evidence keeps that to itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ibbench.errors import InputError
from ibbench.options.compose import compose_config
from ibbench.options.config import Config
from ibbench.probes.explain.molecules import take_test_molecules
from ibbench.probes.subject.candidate import plan_candidates, read_configs
from ibbench.record.evidence import Evidence, pack_evidence
from ibbench.record.folder import StudyFolder
from ibbench.record.predictions import open_predictions
from ibbench.run.execute import execute
from ibbench.run.plan import plan

SMALL = ("model=mlp", "budget=null", "model.width=4", "model.depth=1", "trainer.epochs=1", "seeds=[0]")
SIZES = ("data.train_size=20", "data.validation_size=8", "data.test_size=8")


@pytest.mark.slow
def test_the_record_of_a_csv_study_leads_to_its_file(config: Callable[..., Config], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("smiles;y\n" + "".join(f"{'C' * size}O;{size},5\n" for size in range(1, 41)))
    of_file = ("data=csv", f"data.path={path}", "data.decimal=comma", "data.target_columns=[y]", "targets=[y]")
    point = plan(config(*of_file, *SMALL, *SIZES, "name=mine", f"results_dir={tmp_path}"))
    record = execute(point)
    assert record is not None
    assert record.reading == {"path": str(path), "decimal": "comma", "max_atoms": 128}
    study, defaults = tmp_path / "mine", compose_config([])

    (found,) = plan_candidates(*read_configs(study, defaults))
    assert found.point.run == record.run
    assert len(take_test_molecules(study, [point.folder], 3, defaults)) == 3

    moved = path.rename(tmp_path / "moved.csv")
    with pytest.raises(InputError, match=r"was trained on .*mine.csv, which is not there: .*data.path=FILE"):
        read_configs(study, defaults)
    (found,) = plan_candidates(*read_configs(study, defaults, {"path": str(moved)}))
    assert found.point.run == record.run
    other = tmp_path / "other.csv"
    other.write_text(moved.read_text().replace("2,5", "2,6"))
    with pytest.raises(InputError, match="was trained on other data"):
        plan_candidates(*read_configs(study, defaults, {"path": str(other)}))

    folder = StudyFolder.at(study)
    content = pack_evidence(folder.records(), lambda run: open_predictions(folder.runs / run))
    (published,) = Evidence(content, "evidence.zip").records()
    assert published.reading == {"decimal": "comma", "max_atoms": 128}
    (point.folder / "record.json").write_text(record.model_copy(update={"reading": None}).model_dump_json())
    with pytest.raises(InputError, match=r"does not say where its data lie: .*data.path=FILE"):
        read_configs(study, defaults)
