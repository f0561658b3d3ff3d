"""Which patterns of the labels are learned first: smooth or rough ones, by the untrained kernel or by similarity."""

from collections.abc import Iterator, Mapping

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.modes import bands, fingerprint_similarity, graph_modes, kernel_modes, power
from ibbench.probes.subject.replay import difference_from_record, replay
from ibbench.probes.subject.ridge import Floats, with_constant
from ibbench.probes.subject.subject import Subject

LEFT, HALF, POWER = "share left", "steps until half is learned", "share of the labels' power"
KERNEL = "kernel modes"
DIFFERENCE, REPLAY = "largest difference from the record", "validation MAE of the replay"
_ENOUGH = 0.01  # share of the labels' power below which a band is taken for noise and left out


@register("frequency")
class Frequency(Probe):
    """Share of the labels that is not yet learned, in bands of patterns from smooth to rough.

    A mode u_k is a pattern over the train molecules, `[n]`. With labels y and residuals r = y - prediction, the share
    left of a band is the sum of (u_k r)^2 over the sum of (u_k y)^2: 1 if nothing is learned, 0 if all is learned, and
    above 1 if the residuals are larger than the labels. Gradient descent with rate eta on a linear model leaves the
    share (1 - eta l_k)^2t of mode k after t steps, so modes with large eigenvalues l_k are learned first; wide networks
    start in this way (Rahaman et al. 2019, arXiv:1806.08734, for frequencies; Bordelon et al. 2020, arXiv:2002.02561,
    for kernels). Bands have 1, 4, 16, 64, ... modes.

    There are two kinds of modes. Kernel modes are the eigenvectors of the tangent kernel K = J J^T of the untrained
    model, with a constant. Graph modes are those of the normalised Laplacian of a graph that joins each molecule to the
    10 most similar ones, by the Tanimoto similarity of Morgan fingerprints; they are the same for all models.

    With `--at trained` the residuals are those of the trained weights. With `--along` the training is done again, which
    also gives the share of the steps after which half of a band was learned, if it ever was, and the largest
    difference, in per cent, of the validation MAE from the recorded one: the replay differs by rounding only, but on
    another machine it may be another training. Bands with less than a hundredth of the labels' power are left out. The
    figures say what a training learns first; it has not been shown that learning some bands early makes better models.
    """

    summary = "which patterns of the labels are learned first, and which are left at the end"
    needs = "jacobian"
    moments = ("trained", "along")
    headline = LEFT
    logarithmic = True
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the train molecules of one target."""
        target, unit, labels = subject.targets[0], subject.units[0], subject.labels[0]
        whole = float(labels @ labels)
        checkpoints = list(replay(subject)) if subject.moment == "along" else []
        trained = checkpoints[-1].predictions if checkpoints else _predictions(subject)
        for part, modes, band in _bands(subject):
            of_labels = power(modes, labels, band)
            if of_labels < _ENOUGH * whole:
                continue
            yield Finding(POWER, part, 100 * of_labels / whole, "%", target)
            yield Finding(LEFT, part, power(modes, labels - trained, band) / of_labels, "", target)
            lefts = [power(modes, labels - one.predictions, band) / of_labels for one in checkpoints]
            # Before the first step nothing is learned, whatever the first weights predict.
            steps = zip(checkpoints[1:], lefts[1:], strict=True)
            half = next((one.share for one, left in steps if left <= 0.5), None)
            if half is not None:
                yield Finding(HALF, part, 100 * half, "%", target)
        if checkpoints:
            share = difference_from_record(subject.run, target, subject.seed, checkpoints)
            yield Finding(REPLAY, "", checkpoints[-1].validation_mae, unit, target)
            if share is not None:
                yield Finding(DIFFERENCE, "", 100 * share, "%", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the share left of a band, or with the difference of a replay from the record."""
        if not part:
            same = figures.get(DIFFERENCE)
            return f"{who}: the replay parts from the recorded validation MAE by {same.value:.1g} %" if same else ""
        if HALF in figures:
            half, known, seeds = figures[HALF].text, figures[HALF].num_seeds, figures[LEFT].num_seeds
            which = "" if known == seeds else f" (in {known} of {seeds} seeds; in the others less is)"
            left = figures[LEFT].text
            return f"{who}, {part}: half is learned after {half} of the steps{which}; {left} of it is left"
        return f"{who}, {part}: {figures[LEFT].text} of the labels' power is left" if part.startswith(KERNEL) else ""


def _predictions(subject: Subject) -> Floats:
    """Return the normalised predictions of the train molecules by the trained weights, `[n]`."""
    return subject.predict(subject.molecules(subject.train_index)).double().cpu().numpy()


def _bands(subject: Subject) -> Iterator[tuple[str, Floats, slice]]:
    """Return, for each band of each kind of modes, its name, the modes `[n, n]`, and the columns of the band."""
    untrained = Subject(subject.point, subject.seed, subject.targets, "init", subject.limit)
    smiles = [subject.point.dataset.smiles[place] for place in subject.train_index.tolist()]
    kinds = {
        KERNEL: kernel_modes(with_constant(untrained.kernel)),
        "graph modes": graph_modes(fingerprint_similarity(smiles)),
    }
    for kind, modes in kinds.items():
        for name, band in bands(len(smiles)).items():
            yield f"{kind} {name}", modes, band
