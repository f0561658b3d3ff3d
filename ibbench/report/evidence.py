"""What a command says where it reads a study from its evidence."""

from pathlib import Path

from ibbench.record.folder import StudyFolder
from ibbench.report.document import Remark


def name_evidence(folder: Path) -> list[Remark]:
    """Say that a study was read from its evidence; nothing where it was read from its runs."""
    evidence = StudyFolder.at(folder).evidence
    return [Remark(f"Read from {evidence.name}: no run was trained here")] if evidence else []
