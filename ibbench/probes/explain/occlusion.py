"""Occlusion: how a prediction changes when a model is not told what an atom is."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.run.predict import Predictor


def predict_hidden(predictor: Predictor, molecules: Molecules, index: Tensor, hidden: Tensor) -> Tensor:
    """Predict molecules of which some atoms have the mean features of the train atoms in the place of their own.

    The mean is that over the atoms of the train molecules of each replica, which its weights hold: the inputs of
    models are standardised with it, so an atom that has it is zero in all features that a model is shown. It is no
    atom: where features are one-hot, as elements are, the mean is so many parts carbon and so many parts oxygen. The
    atom itself stays, and so do its bonds, its coordinates, and its part in the sum over atoms that extensive targets
    are predicted with. So this says what a model makes of knowing which atom stands there, and not what the molecule
    would be without it. What neighbours tell of the atom, as by their hybridisation, is not hidden either.

    Args:
        predictor: the models of a run, which read atoms.
        molecules: `[m, ...]`, which they can predict, see `Predictor.predict`.
        index: the molecule of each of V predictions, int64 `[V]`.
        hidden: the atoms without features in each, bool `[V, N]`.

    Returns:
        Predictions in the units of the targets, float64 `[R, V]` on the CPU.
    """
    models, padded = predictor.models, predictor.pad(molecules)
    models.eval()
    hidden = torch.nn.functional.pad(hidden, (0, padded.mask.shape[-1] - hidden.shape[-1]))
    mean = predictor.mean_features()[:, None, None]
    done = [torch.empty(len(models), 0)]
    for rows in torch.arange(len(index)).split(predictor.most_at_a_time(padded)):
        seen = predictor.prepare(padded, index[rows])
        atoms = torch.where(hidden[rows, :, None].to(mean.device), mean, seen.atoms.float())
        of_each = Molecules(*(part.expand(len(models), *part.shape) for part in seen))
        with torch.no_grad():
            done.append(models(of_each._replace(atoms=atoms)).cpu())
    return predictor.restore(torch.cat(done, 1), molecules.select(index))


def occlude(predictor: Predictor, molecules: Molecules) -> Tensor:
    """Return by how much predictions change when one atom after another has the mean features of the train atoms.

    Args:
        predictor: see `predict_hidden`.
        molecules: `[m, ...]`.

    Returns:
        Prediction with the atom hidden minus that of the whole molecule, in the units of the targets, float64
        `[R, m, N]`; NaN where there is no atom.
    """
    count, size = molecules.mask.shape
    molecule, atom = molecules.mask.nonzero(as_tuple=True)
    one_each = torch.nn.functional.one_hot(atom, size).bool()
    none = torch.zeros(count, size, dtype=torch.bool)
    index = torch.cat([torch.arange(count), molecule])
    predicted = predict_hidden(predictor, molecules, index, torch.cat([none, one_each]))
    whole, without = predicted[:, :count], predicted[:, count:]
    change = torch.full((len(predicted), count, size), torch.nan, dtype=torch.float64)
    change[:, molecule, atom] = without - whole[:, molecule]
    return change
