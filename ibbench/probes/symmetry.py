"""Symmetry error: how far predictions move when molecules are transformed in a way that should not matter."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ibbench.data.graphs import random_order
from ibbench.data.molecules import Molecules
from ibbench.data.rotations import random_rotations
from ibbench.data.tokens import tokenize
from ibbench.models.registry import Symmetry, get_model
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.subject import Subject

SHIFT = 5.0  # angstrom; standard deviation of each coordinate of a translation
MOST_TOKENS = 8  # tokens by which a string is moved at most
DRAWS = 8  # transformations of each molecule
ROUNDING = 1e-6  # share of the variance that float32 may leave of an exact symmetry
SPELLING = "another spelling of the SMILES"  # no model has this symmetry by construction
SHARE, DECLARED = "variance over the group / over molecules", "declared"
_READ_BY = {  # what a model has to read for a transformation to mean anything
    "permutation": "atoms", "rotation": "positions", "translation": "positions", "reflection": "positions",
    "translation along the string": "tokens", SPELLING: "tokens",
}  # fmt: skip


@register("symmetry")
class SymmetryProbe(Probe):
    """Variance of predictions over transformations of a molecule, as a share of their variance over molecules.

    The numerator is the unbiased variance over 8 random transformations of a test molecule, averaged over molecules;
    the denominator is the variance of the predictions of the untransformed molecules. The share is 0, up to rounding,
    for a symmetry that the architecture has, about 1 if a transformed molecule is predicted as if it were another one,
    and in between if trained weights have learned part of the symmetry from data. It does not say how useful a symmetry
    is.

    With trained weights there are two further figures: the MAE of predictions of transformed molecules, and the MAE of
    their mean over the transformations. The difference of the two is the part of the error that comes from not having
    learned the symmetry. RDKit writes other spellings of a SMILES, from a random atom and with branches in a random
    order, which is also another style of spelling than that of the source.
    """

    summary = "how far predictions move with transformations of a molecule that should not matter"
    needs = "forward"
    moments = ("init", "trained")
    headline = SHARE
    logarithmic = True

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure each symmetry that means something for what the model reads."""
        options = subject.point.resolved.model
        model, target = get_model(options.name), ""
        index = subject.test_index
        for name in (*get_args(Symmetry), SPELLING):
            if _READ_BY[name] not in model.reads_with(options):
                continue
            moved = torch.stack([subject.predict(self._draw(subject, name, seed)) for seed in range(DRAWS)])
            if subject.moment == "trained":
                (target,) = subject.targets
                units, truth = subject.units[0], subject.truth(index)[0]
                orbit = np.concatenate([subject.to_units(one[None], index) for one in moved])
                yield Finding("MAE, transformed", name, float(np.abs(orbit - truth).mean()), units, target)
                averaged = float(np.abs(orbit.mean(0) - truth).mean())
                yield Finding("MAE, mean over the group", name, averaged, units, target)
            yield Finding(DECLARED, name, float(name in model.symmetries), "", target)
            yield Finding(SHARE, name, share_of_variance(moved, subject.predictions), "", target)

    def _draw(self, subject: Subject, name: str, seed: int) -> Molecules:
        molecules = subject.molecules(subject.test_index)
        if name == SPELLING:
            smiles = [subject.point.dataset.smiles[place] for place in subject.test_index.tolist()]
            return molecules._replace(tokens=respell(smiles, seed).to(molecules.tokens.device))
        return transform(molecules, name, seed)  # type: ignore[arg-type]  # a `Symmetry`

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the share of one symmetry, and whether it contradicts what the model declares."""
        share, declared = figures[SHARE], figures[DECLARED].value == 1
        if share.value <= ROUNDING:
            return f"{who}: {part} changes nothing" + ("" if declared else ", which the model does not declare")
        broken = ", though the model declares that it changes nothing" if declared else ""
        return f"{who}: {part} moves predictions, by {share.text} times their variance over molecules{broken}"


def share_of_variance(moved: Tensor, predictions: Tensor) -> float:
    """Return the variance of predictions over transformations of a molecule, over their variance over molecules.

    Args:
        moved: predictions of transformed molecules, `[draws, m]`.
        predictions: predictions of the untransformed molecules, `[m]`.

    Returns:
        The share; 0 if transformations change nothing, also where all molecules have the same prediction, and infinite
        if they change something there.
    """
    within = float(moved.double().var(0, correction=1).mean())
    among = float(predictions.double().var(correction=1))
    return within / among if among else math.inf if within else 0.0


def respell(smiles: list[str], seed: int) -> Tensor:
    """Spell each molecule in another way, and return the tokens of the spellings, uint8 `[m, L]`.

    Args:
        smiles: SMILES that RDKit can parse.
        seed: the seed of the random spellings.
    """
    from rdkit import Chem

    spelled = [Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(text), 1, randomSeed=seed + 1)[0] for text in smiles]
    return torch.from_numpy(tokenize(spelled))


class SymmetryError(NamedTuple):
    """How much a transformation changes predictions, in the unit of the predictions.

    Attributes:
        largest: largest absolute change of a prediction.
        change: root mean square of the changes, over the molecules.
        spread: standard deviation of the untransformed predictions, over the molecules.
    """

    largest: float
    change: float
    spread: float

    @property
    def relative(self) -> float:
        """`change` over `spread`: 0 for an exact symmetry, sqrt(2) for predictions that are independent of before."""
        if not self.change:
            return 0.0  # also of a constant, whose predictions have no spread
        return self.change / self.spread if self.spread else math.inf


@torch.no_grad()
def symmetry_error(
    model: Callable[[Molecules], Tensor], molecules: Molecules, symmetry: Symmetry, seed: int
) -> SymmetryError:
    """Compare the predictions of molecules with those of the same molecules, transformed at random.

    Args:
        model: a function from molecules to predictions `[B]`, such as a model in evaluation mode.
        molecules: the molecules, `[B, ...]`, with the atoms, positions or tokens that the symmetry transforms.
        symmetry: the kind of transformation.
        seed: the seed of the transformations.
    """
    before, after = model(molecules), model(transform(molecules, symmetry, seed))
    change = (after - before).double()
    return SymmetryError(
        largest=change.abs().max().item(),
        change=change.square().mean().sqrt().item(),
        spread=before.double().std(correction=0).item(),
    )


def transform(molecules: Molecules, symmetry: Symmetry, seed: int) -> Molecules:
    """Transform molecules at random, each by a transformation of its own, except along the string.

    Args:
        molecules: the molecules, `[B, ...]`.
        symmetry: `permutation` lists the atoms in another order, with the padding behind them; `rotation` is about the
            origin, `reflection` in a plane through the origin, `translation` by some angstrom; `translation along the
            string` puts the same number of padding tokens before the tokens of all molecules.
        seed: the seed of the transformations.
    """
    generator = torch.Generator().manual_seed(seed)
    mask = molecules.mask
    if symmetry == "permutation":
        keys = torch.rand(mask.shape, generator=generator).to(mask.device)
        return molecules.relabel(random_order(mask, keys))
    if symmetry == "translation along the string":
        shift = int(torch.randint(1, MOST_TOKENS + 1, (), generator=generator))
        return molecules._replace(tokens=functional.pad(molecules.tokens, (shift, 0)))
    positions = molecules.positions
    if symmetry == "translation":
        moved = positions + SHIFT * torch.randn(len(mask), 1, 3, generator=generator).to(positions)
    else:
        draw = random_rotations if symmetry == "rotation" else _random_reflections
        moved = positions @ draw(len(mask), generator).to(positions)
    return molecules._replace(positions=moved * mask[..., None])


def _random_reflections(count: int, generator: torch.Generator) -> Tensor:
    """Draw mirrors through the origin, `[count, 3, 3]`: I - 2 n n^T with a random unit vector n."""
    n = functional.normalize(torch.randn(count, 3, 1, generator=generator, dtype=torch.float64), dim=1)
    return torch.eye(3, dtype=torch.float64) - 2 * n @ n.mT
