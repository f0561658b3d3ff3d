"""One molecule: what every model of a study looks at to predict it."""

from collections.abc import Sequence
from typing import NamedTuple

from ibbench.errors import InputError, suggest
from ibbench.probes.explain.look import Look, look
from ibbench.run.batch import Batch
from ibbench.run.ensemble import Ensemble
from ibbench.run.forecast import Crew, forecast, list_columns, load_crew


class Explained(NamedTuple):
    """What models look at in one molecule to predict one target.

    Attributes:
        smiles: canonical SMILES, which sets the order of atoms.
        looks: occlusion and attention on this molecule, one `Look` per model that can predict it.
        predicted: mean and standard deviation over seeds of each of these models' predictions, in the target's unit.
    """

    smiles: str
    looks: list[Look]
    predicted: list[tuple[float, float]]


def choose_readers(loaded: Sequence[Ensemble], targets: Sequence[str]) -> list[Ensemble]:
    """Return the models that read atoms and predict any of these targets.

    Args:
        loaded: the models of a study.
        targets: short names of targets; none for all targets.

    Raises:
        InputError: no model predicts one of the targets, no model reads atoms, or there are only targets of atoms.
    """
    known = list(dict.fromkeys(column.target for one in loaded for column in one.columns))
    for target in targets:
        if target not in known:
            raise InputError(f"`--target {target}` is not predicted here: {suggest(target, known)}")
    readers = [one for one in loaded if not one.reads_tokens]
    if not readers:
        verb = "reads" if len(loaded) == 1 else "read"
        names = " and ".join(one.name for one in loaded)
        raise InputError(f"{names} {verb} the letters of a SMILES, and no atoms that could be hidden one by one")
    of_atoms = {column.target for one in loaded for column in one.columns if column.of_atoms}
    refused = [target for target in targets or known if target in of_atoms]
    if refused and (targets or len(refused) == len(known)):
        raise InputError(
            f"{', '.join(refused)} has a value per atom: what a model looks at is told of targets with one value per "
            "molecule"
        )
    wanted = {*(targets or known)} - of_atoms
    return [one for one in readers if {column.target for column in one.columns} & wanted]


def explain_one(
    smiles: str, crew: Crew, readers: Sequence[Ensemble], targets: Sequence[str]
) -> tuple[list[Explained], str]:
    """Measure what models look at to predict one molecule.

    Args:
        smiles: the molecule, as `ibbench.probes.explain.molecules.spell` spells it.
        crew: the models of the study.
        readers: the models among these that read atoms.
        targets: short names of the targets to look at.

    Returns:
        The figures of each target, and a remark that says why models cannot predict the molecule, or should not be
        trusted on it; the remark is empty if there is no doubt.

    Raises:
        InputError: none of the models can predict the molecule.
    """
    (told,) = forecast(crew, [smiles], 1)
    predicted = dict(zip(list_columns(crew), zip(told.mean[:, 0], told.deviation[:, 0], strict=True), strict=True))
    batch = Batch([smiles], bool(crew.geometry))
    looks = [found for one in readers for found in look(one, batch, targets, with_pairs=True) if found.possible.all()]
    if not looks:
        names = ", ".join(one.name for one in readers)
        raise InputError(f"{names} cannot predict {smiles}: {told.remarks[0]}")
    explained = []
    for target in targets:
        of_target = [found for found in looks if found.column.target == target]
        if of_target:
            figures = [(float(mean), float(std)) for mean, std in (predicted[one.column] for one in of_target)]
            explained.append(Explained(smiles, of_target, figures))
    return explained, told.remarks[0]


def tell_left_out(crew: Crew) -> list[str]:
    """Return a sentence that names the models of a study without atoms to hide; no sentence if there are none."""
    strings = [one.name for one in load_crew(crew) if one.reads_tokens]
    if not strings:
        return []
    return [
        (
            f"Left out: {', '.join(strings)}. What reads the letters of a SMILES has no mean of them that could stand "
            "for an atom's, and with some of its letters left out a SMILES is that of another molecule, or of none"
        )
    ]
