"""What a request for probes cannot be: checked before anything is measured."""

from collections.abc import Mapping, Sequence

from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.probes import Moment, PairProbe, Probe, get_probe
from ibbench.probes.subject.candidate import Candidate

FEWEST = 10  # molecules that a kernel, or a variance over molecules, needs at least
# Probes that measure the loss, or errors of trained models, as those of numbers: the moments at which they do.
_NOT_OF_CLASSES: dict[str, set[Moment]] = {
    "coherence": {"init", "trained"},
    "connectivity": {"trained"},
    "curvature": {"init", "trained"},
    "frequency": {"trained", "along"},
    "kernel": {"along"},
    "long_tail": {"trained"},
    "memorisation": {"trained"},
    "symmetry": {"trained"},
}
_OF_RESTORED = {"anomaly", "latent"}  # probes of models that restore molecules


def check_request(probes: Sequence[str], moments: Sequence[Moment], limit: int) -> None:
    """Check that each probe makes sense at one of the moments, and that there are enough molecules.

    Args:
        probes: the names of the probes.
        moments: the weights to look at.
        limit: the largest number of molecules to look at.

    Raises:
        InputError: a probe makes sense at none of the moments, or the limit is below 10.
    """
    if limit < FEWEST:
        raise InputError(f"`--molecules {limit}` are too few: expected at least {FEWEST}")
    for name in probes:
        possible = get_probe(name).moments
        if possible and not set(possible) & set(moments):
            raise InputError(f"`--probe {name}` makes no sense at {', '.join(moments)}: expected --at {possible[0]}")


def check_candidates(
    candidates: Sequence[Candidate], probes: Mapping[str, Probe | PairProbe], moments: Sequence[Moment]
) -> None:
    """Check that each probe can be measured on each model.

    Args:
        candidates: the models.
        probes: the probes by their names.
        moments: the weights to look at.

    Raises:
        InputError: a model has no trained weights, too few molecules, or labels or predictions of another kind than a
            probe looks at.
    """
    of_pairs = [probe for probe in probes.values() if isinstance(probe, PairProbe)]
    of_one = {name: probe for name, probe in probes.items() if not isinstance(probe, PairProbe)}
    _check_weights(candidates, list(of_one.values()), moments, of_pairs)
    for one in candidates:
        if one.point.resolved.model.output == "atoms":
            raise InputError(
                f"{one.name} predicts {', '.join(one.point.config.targets)}, which has a value per atom: probes are "
                "for targets with one value per molecule"
            )
        if lacking := [target for target in one.point.config.targets if target in one.point.split.unlabelled]:
            raise InputError(
                f"{one.name} cannot be probed: some of its molecules lack a label of {' and '.join(lacking)}. Expected "
                "a file with the rows of one target that have it"
            )
        if min(one.point.split.train_size, len(one.point.split.test)) < FEWEST:
            raise InputError(f"{one.name} has fewer than {FEWEST} molecules to train on, or to test")
    _check_classes(candidates, list(of_one), moments)
    _check_classes(candidates, [name for name in probes if name not in of_one], ["trained"])
    _check_logarithms(candidates, list(probes))
    _check_restored(candidates, list(probes))


def not_of_classes(candidates: Sequence[Candidate], probes: Sequence[str], moments: Sequence[Moment]) -> list[str]:
    """Return the probes that cannot be measured since a target is a class; none where all targets are numbers."""
    return [name for name in probes if set(moments) & _NOT_OF_CLASSES.get(name, set())] if _classes(candidates) else []


def _classes(candidates: Sequence[Candidate]) -> list[str]:
    data = [(target, one.point.dataset) for one in candidates for target in one.point.config.targets]
    return sorted({target for target, dataset in data if dataset.targets[dataset.column(target)].is_class})


def _check_classes(candidates: Sequence[Candidate], probes: Sequence[str], moments: Sequence[Moment]) -> None:
    """Refuse what probes cannot tell of a class: they take its labels for the numbers 0 and 1.

    Raises:
        InputError: a target is a class, and a probe looks at the loss or at errors of what was trained.
    """
    if refused := not_of_classes(candidates, probes, moments):
        where = [moment for moment in moments if any(moment in _NOT_OF_CLASSES[name] for name in refused)]
        raise InputError(
            f"{', '.join(_classes(candidates))} is a class, and `--probe {','.join(refused)}` measures losses or "
            f"errors of numbers at {' and '.join(where)}: leave it out"
        )


def _check_logarithms(candidates: Sequence[Candidate], probes: Sequence[str]) -> None:
    """Refuse the line between two networks for targets that are trained on their logarithm.

    Values between two scalings of a logarithm are not the means of the two values.

    Raises:
        InputError: there is such a target, and the probe `connectivity`.
    """
    targets = {
        target
        for one in candidates
        for target in one.point.config.targets
        if one.point.dataset.targets[one.point.dataset.column(target)].logarithmic
    }
    if targets and "connectivity" in probes:
        raise InputError(
            f"{', '.join(sorted(targets))} is trained on its logarithm, which `--probe connectivity` cannot follow "
            "between two networks: leave it out"
        )


def _check_restored(candidates: Sequence[Candidate], probes: Sequence[str]) -> None:
    """Refuse probes of predictions for models that restore molecules: what these predict are errors.

    Raises:
        InputError: there is such a model, and a probe is none of codes.
    """
    restoring = {one.name for one in candidates if get_model(one.point.config.model.name).reconstructs}
    if restoring and set(probes) - _OF_RESTORED:
        raise InputError(
            f"{sorted(restoring)[0]} restores molecules and predicts no label, which other probes look at: expected "
            f"--probe {','.join(sorted(_OF_RESTORED))} --at trained"
        )


def _check_weights(
    candidates: Sequence[Candidate],
    probes: Sequence[Probe],
    moments: Sequence[Moment],
    of_pairs: Sequence[PairProbe],
) -> None:
    trained = "trained" in moments and any("trained" in probe.moments for probe in probes)
    trained |= any(probe.needs != "predictions" for probe in of_pairs)
    untrained = [one.name for one in candidates if (trained or of_pairs) and one.record is None]
    if untrained:
        raise InputError(f"{', '.join(untrained)}: not trained yet, so there are no weights for --at trained")
    without_weights = [one.name for one in candidates if trained and one.run is None]
    if without_weights:
        raise InputError(
            f"{', '.join(without_weights)}: only evidence.zip is left of the training, which has no weights: expected "
            "`ibbench train` to train it here, or a probe of predictions (`ibbench probe --list`)"
        )
