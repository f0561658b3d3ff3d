"""The remark of a command that reads a study from its evidence instead of its runs."""

from pathlib import Path

from ibbench.record.folder import StudyFolder
from ibbench.report.document import Remark


def name_evidence(folder: Path) -> list[Remark]:
    """Say which runs of a study were read from its evidence; empty if all were read from their folders."""
    study = StudyFolder.at(folder)
    foreign = study.foreign_records()
    if not (study.evidence and foreign):
        return []
    which = f"{len(foreign)} of the runs were not" if study.run_names() else "no run was"
    return [Remark(f"Read from {study.evidence.name}: {which} trained here")]
