"""Whether the code of an autoencoder is of use: a linear regression from it on few labels, beside others."""

from collections.abc import Iterator, Mapping

import numpy as np

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.code import Floats, asked_targets, codes, components, has_code, ridge
from ibbench.probes.subject.subject import Subject
from ibbench.worth.saving import first_reached

CODE, PCA, ALL = "MAE from the code", "MAE from principal components", "MAE from all inputs"
SAVED = "labels that all inputs need per label of the code"
_TOLD = "100 labels"
LABELS = (50, 100, 200, 400, 800, 1600, 3200)


@register("latent")
class Latent(Probe):
    """Errors of ridge regressions on few labels, from what unlabelled molecules have taught and from all inputs.

    The autoencoder has seen its train molecules without labels. Of these, the first 50, 100, 200 and so on get their
    labels of a property, and a ridge regression is fitted to them: from the code (d numbers), from as many principal
    components of the same molecules, and from the flat molecule itself, which needs no other molecules. All three
    predict the same test molecules, and choose their penalty by leaving labels out one at a time.

    If molecules without labels save labels, the first has lower errors than the last: it then needs fewer labels for
    the same error. How many times fewer is read off the curve of all inputs, by lines in the logarithms of labels and
    MAE, as `ibbench worth` reads multipliers. What lies beyond the label counts that were tried is told as the nearest
    of them, so that a factor at the least or largest possible value is a bound.

    A code of untrained weights (`--at init`) is the control: numbers that depend on the molecule, but have learned
    nothing.
    """

    summary = "whether the code of an autoencoder predicts properties from few labels, beside other linear regressions"
    needs = "forward"
    moments = ("init", "trained")
    headline = CODE
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure on each property, at the label counts that the train molecules allow."""
        train, test = subject.train_index, subject.test_index
        sizes = [size for size in LABELS if size <= len(train)]
        if not sizes or not has_code(subject):
            return
        dataset, found = subject.point.dataset, components(subject)
        of_train, of_test = (dataset.molecules.select(index) for index in (train, test))
        inputs = {
            CODE: _scaled(codes(subject, train), codes(subject, test)),
            PCA: _scaled(found.codes(of_train).numpy(), found.codes(of_test).numpy()),
            ALL: (found.vectors(of_train).numpy(), found.vectors(of_test).numpy()),
        }
        for target in asked_targets(dataset):
            column = dataset.column(target)
            labels, truth = dataset.values[train, column].numpy(), dataset.values[test, column].numpy()
            if np.isnan(labels).any() or np.isnan(truth).any():
                continue
            errors = {name: _errors(*pair, labels, truth, sizes) for name, pair in inputs.items()}
            saved = _saved(np.array(sizes, dtype=float), errors[CODE], errors[ALL])
            for place, size in enumerate(sizes):
                part = f"{size:,} labels"
                for name, of_name in errors.items():
                    yield Finding(name, part, float(of_name[place]), dataset.targets[column].unit, target)
                yield Finding(SAVED, part, float(saved[place]), "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the three errors at one label count; tables have the others."""
        if part != _TOLD or not {CODE, PCA, ALL, SAVED} <= figures.keys():
            return ""
        rest = f"{figures[PCA].text} from as many principal components and {figures[ALL].text} from all inputs"
        return (
            f"{who}, {part} of a property: {figures[CODE].text} from the code, {rest}, which needs "
            f"{figures[SAVED].text} times the labels to be as good as the code"
        )


def _scaled(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Divide columns by their standard deviation over the train molecules, which needs no labels."""
    scale = train.std(0)
    scale = np.where(scale > 1e-9 * max(float(scale.max()), 1e-300), scale, np.inf)
    return train / scale, test / scale


def _errors(train: Floats, test: Floats, labels: Floats, truth: Floats, sizes: list[int]) -> Floats:
    """Return the test MAE with each number of labels, `[K]`."""
    return np.array([np.abs(ridge(train[:size], labels[:size], test) - truth).mean() for size in sizes])


def _saved(sizes: Floats, code: Floats, inputs: Floats) -> Floats:
    """Return by how many times as many labels all inputs reach the errors of the code, `[K]`, within the sizes."""
    curves = np.tile(np.log(inputs), (len(sizes), 1))
    needed = first_reached(np.log(sizes), curves, np.log(code))
    return np.asarray(np.exp(needed.clip(np.log(sizes[0]), np.log(sizes[-1]))) / sizes)
