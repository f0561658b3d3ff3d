"""Occlusion: how a prediction changes when the features of an atom are hidden from the model."""

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.run.predict import Predictor


def predict_hidden(predictor: Predictor, molecules: Molecules, index: Tensor, hidden: Tensor) -> Tensor:
    """Predict molecules in which some atoms have mean features in place of their own.

    The mean is over the atoms of the train molecules of each replica, and is stored with its weights. Inputs of models
    are standardised with this mean, so an atom with mean features is zero in all features that the model sees. Such an
    atom does not exist: the mean of one-hot elements is a mixture of carbon, oxygen and so on.

    Only the features are hidden. The atom stays in the molecule, with its bonds, its coordinates, and its share of the
    composition that extensive targets are predicted from. So the change of a prediction says how the model uses the
    knowledge of what the atom is, not how the molecule would differ without the atom. Features of neighbours that
    depend on the atom, such as their hybridisation, are not hidden either.

    Args:
        predictor: the models of a run, which read atoms.
        molecules: molecules that these models can predict, `[m, ...]`; see `Predictor.predict`.
        index: index of the molecule of each of V predictions, int64 `[V]`.
        hidden: the atoms whose features are hidden in each prediction, bool `[V, N]`.

    Returns:
        Predictions in the units of the targets, float64 `[R, V]` on the CPU.
    """
    models, padded = predictor.models, predictor.pad(molecules)
    models.eval()
    hidden = torch.nn.functional.pad(hidden, (0, padded.mask.shape[-1] - hidden.shape[-1]))
    mean = predictor.mean_features()[:, None, None]
    done = [torch.empty(len(models), 0)]
    for rows in torch.arange(len(index)).split(predictor.most_at_a_time(padded.padding)):
        seen = predictor.prepare(padded, index[rows])
        atoms = torch.where(hidden[rows, :, None].to(mean.device), mean, seen.atoms.float())
        of_each = Molecules(*(part.expand(len(models), *part.shape) for part in seen))
        with torch.no_grad():
            done.append(models(of_each._replace(atoms=atoms)).cpu())
    return predictor.restore(torch.cat(done, 1), molecules.select(index))


def occlude(predictor: Predictor, molecules: Molecules) -> Tensor:
    """Return the change of predictions when the features of each single atom are hidden (see `predict_hidden`).

    Args:
        predictor: the models of a run, which read atoms.
        molecules: molecules that these models can predict, `[m, ...]`.

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
