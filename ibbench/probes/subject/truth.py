"""What training has made of models that are probed: their test errors, from a study with the same options."""

from typing import NamedTuple

from ibbench.compare.rows import Entry
from ibbench.compare.soundness import GUARD
from ibbench.compare.study import Study
from ibbench.probes.subject.candidate import Candidate, recorded_options, same_options

# The options in which trainings of one model on different numbers of labels may differ, as in learning curves.
_OF_SIZE = {"data.train_size", "trainer.steps", "trainer.epochs", "trainer.validate_every", "trainer.patience"}
_Options = frozenset[tuple[str, str]]


class Truth(NamedTuple):
    """The trained models of a study.

    Attributes:
        entries: the rows of trained models, by target, train size and options (see `same_options`).
        guards: the rows of the regression on composition, by target and train size; those of the first section, if
            the study has several.
    """

    entries: dict[tuple[str, int, _Options], Entry]
    guards: dict[tuple[str, int], Entry]

    def of(self, one: Candidate, target: str) -> Entry | None:
        """Return the row of the model with the same options on a target; None if it is not trained."""
        return self.entries.get((target, one.point.split.train_size, same_options(one.point.config)))

    def with_fewer_labels(self, one: Candidate, target: str) -> Entry | None:
        """Return the row of the same model on the next smaller train size of the study; None if there is none.

        Its number of steps may be another one.
        """
        size, options = one.point.split.train_size, _without_size(same_options(one.point.config))
        smaller = [
            entry
            for (of, labels, found), entry in self.entries.items()
            if of == target and labels < size and _without_size(found) == options
        ]
        return max(smaller, key=lambda entry: entry.key.group.train_size, default=None)


def read_truth(study: Study | None) -> Truth:
    """Return the trained models of a study; none if there is no study.

    Rows of classes are left out: their errors are log losses, and probes take classes for the numbers 0 and 1, whose
    errors are no log losses.
    """
    truth = Truth({}, {})
    for entry in study.entries if study else ():
        if entry.key.group.is_class:
            continue
        at = entry.key.group.target, entry.key.group.train_size
        if entry.options:
            truth.entries[*at, recorded_options(entry.options)] = entry
        elif entry.key.model == GUARD:
            truth.guards.setdefault(at, entry)
    return truth


def _without_size(options: _Options) -> _Options:
    return frozenset((name, value) for name, value in options if name not in _OF_SIZE)
