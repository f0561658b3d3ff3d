"""Which patterns of the labels are learned first: those that the untrained kernel, or alike molecules, make smooth."""

from collections.abc import Iterator, Mapping

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.modes import bands, fingerprint_similarity, graph_modes, kernel_modes, power
from ibbench.probes.subject.replay import difference_from_record, replay
from ibbench.probes.subject.ridge import Floats, with_constant
from ibbench.probes.subject.subject import Subject

LEFT, HALF, POWER = "share left", "steps until half is learned", "share of the labels' power"
KERNEL = "kernel modes"
DIFFERENCE, REPLAY = "largest difference from the record", "validation MAE of the replay"
_ENOUGH = 0.01  # share of the labels' power, below which a band is noise


@register("frequency")
class Frequency(Probe):
    """What is left of the labels in bands of modes: of the tangent kernel at init, and of a graph of alike molecules.

    A mode u_k is a pattern over the train molecules. With residual r = label - prediction, the share left of a band is
    the sum of (u_k r)^2 over that of (u_k y)^2: 1 where nothing is learned, 0 where all is, above 1 where it got worse.
    A linear model under gradient descent leaves (1 - eta l_k)^2t of mode k after t steps, so the modes of large
    eigenvalues l_k come first; wide networks start like it (Rahaman et al. 2019, arXiv:1806.08734, for frequencies;
    Bordelon et al. 2020, arXiv:2002.02561, for kernels). Kernel modes are those of K = J J^T of the untrained model,
    with a constant; graph modes those of the normalised Laplacian of the graph that joins each molecule to its 10
    nearest by the Tanimoto similarity of Morgan fingerprints, smooth ones first, the same for all models. Bands have 1,
    4, 16, 64, ... modes.

    With `--at trained` it is what the trained weights leave; with `--along` the training is done again, and it is also
    told after which share of the steps half of a band was learned, as far as that was ever so, and by how many per
    cent at most the validation MAE parts from the recorded one (a replay is alike but for rounding; on another machine
    it may be another training). Bands with less than a hundredth of the labels' power are left out. It tells what a
    training does first; that early bands make for better models has not been shown.
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
            half = next((one.share for one, left in zip(checkpoints, lefts, strict=True) if left <= 0.5), None)
            if half is not None:
                yield Finding(HALF, part, 100 * half, "%", target)
        if checkpoints:
            share = difference_from_record(subject.run, target, subject.seed, checkpoints)
            yield Finding(REPLAY, "", checkpoints[-1].validation_mae, unit, target)
            if share is not None:
                yield Finding(DIFFERENCE, "", 100 * share, "%", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Tell what is left of each band, and whether a replay is what was recorded."""
        if not part:
            same = figures.get(DIFFERENCE)
            return f"{who}: the replay parts from the recorded validation MAE by {same.value:.1g} %" if same else ""
        if HALF in figures:
            half = figures[HALF].text
            return f"{who}, {part}: half is learned after {half} of the steps; {figures[LEFT].text} of it is left"
        return f"{who}, {part}: {figures[LEFT].text} of the labels' power is left" if part.startswith(KERNEL) else ""


def _predictions(subject: Subject) -> Floats:
    """Return what trained weights predict of the train molecules, normalised, `[n]`."""
    return subject.predict(subject.molecules(subject.train_index)).double().cpu().numpy()


def _bands(subject: Subject) -> Iterator[tuple[str, Floats, slice]]:
    """Return modes with each of their bands, and its name."""
    untrained = Subject(subject.point, subject.seed, subject.targets, "init", subject.limit)
    smiles = [subject.point.dataset.smiles[place] for place in subject.train_index.tolist()]
    kinds = {
        KERNEL: kernel_modes(with_constant(untrained.kernel)),
        "graph modes": graph_modes(fingerprint_similarity(smiles)),
    }
    for kind, modes in kinds.items():
        for name, band in bands(len(smiles)).items():
            yield f"{kind} {name}", modes, band
