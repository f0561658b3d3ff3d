"""What the models of a study do not see of their molecules, gathered from its records."""

from collections.abc import Iterable

from ibbench.data.unseen import Counts, Sight, describe_unseen
from ibbench.record.schema import Record


class UnseenOfSource(Counts):
    """What the molecules of one data set carry, and what each model trained on it reads."""

    source: str
    models: dict[str, Sight]

    def sentences(self) -> list[str]:
        """Say it, and whether models of the study differ in information."""
        return describe_unseen(self, self.models)


def gather_unseen(records: Iterable[Record]) -> tuple[UnseenOfSource, ...]:
    """Gather what the finished runs of a study know of their data; those of older versions know nothing.

    Of runs with other targets, the one that most molecules contradict counts.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.status == "done" and record.unseen:
            found.setdefault(record.data_source, []).append(record)
    gathered = []
    for source, of_source in found.items():
        known = [record.unseen for record in of_source if record.unseen]
        most = max(known, key=lambda unseen: unseen.alike)
        models = {
            str(record.config["model"]["name"]): unseen.sight for record, unseen in zip(of_source, known, strict=True)
        }
        facts = most.model_dump(exclude={"sight"})
        gathered.append(UnseenOfSource(source=source, models=dict(sorted(models.items())), **facts))
    return tuple(sorted(gathered, key=lambda unseen: unseen.source))
