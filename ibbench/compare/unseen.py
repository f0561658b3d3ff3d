"""What the models of a study do not see of their molecules, gathered from its records."""

from collections.abc import Iterable

from ibbench.data.unseen import Counts, Sight, describe_unseen
from ibbench.record.schema import Record


class UnseenOfSource(Counts):
    """What the molecules of one data set carry, and what each model trained on it reads."""

    source: str
    models: dict[str, Sight]

    def sentences(self) -> list[str]:
        """Say what the models do not read, and whether some models of the study read more than others."""
        return describe_unseen(self, self.models)


def gather_unseen(records: Iterable[Record]) -> tuple[UnseenOfSource, ...]:
    """Gather what the records of finished runs say about their data; records of older versions say nothing.

    The number of molecules that look alike to a model but have different labels depends on the targets. If runs have
    different targets, the run with the largest number counts.

    Args:
        records: records of a study.

    Returns:
        One entry per data source and kind of features, in the order of their names.
    """
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.status == "done" and record.unseen:
            found.setdefault((record.data_source, record.unseen.layout), []).append(record)
    gathered = []
    for (source, _), of_source in found.items():
        known = [record.unseen for record in of_source if record.unseen]
        most = max(known, key=lambda unseen: unseen.alike)
        models = {
            str(record.config["model"]["name"]): unseen.sight for record, unseen in zip(of_source, known, strict=True)
        }
        facts = most.model_dump(exclude={"sight"})
        gathered.append(UnseenOfSource(source=source, models=dict(sorted(models.items())), **facts))
    return tuple(sorted(gathered, key=lambda unseen: (unseen.source, unseen.layout)))
