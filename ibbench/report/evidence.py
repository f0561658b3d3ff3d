"""What a command says where it reads a study from its evidence."""

from pathlib import Path

from ibbench.record.folder import StudyFolder
from ibbench.report.document import Remark


def name_evidence(folder: Path) -> list[Remark]:
    """Say which part of a study was read from its evidence; nothing where it was read from its runs."""
    study = StudyFolder.at(folder)
    foreign = study.foreign_records()
    if not (study.evidence and foreign):
        return []
    which = f"{len(foreign)} of the runs were not" if study.run_names() else "no run was"
    return [Remark(f"Read from {study.evidence.name}: {which} trained here")]
