"""What the models of a run predict: one number per molecule, or one per atom; and what that rules out."""

from ibbench.baselines import get_baseline
from ibbench.data.dataset import DataSet
from ibbench.data.targets import Output
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.plugins.load import names_of


def find_output(config: Config, dataset: DataSet) -> Output:
    """Return what all targets of a run have a value for, `molecule` or `atoms`, and check that the run is possible.

    Raises:
        InputError: the targets differ in it, or the run has a model or an option that is for molecules only.
    """
    outputs = {target: dataset.targets[dataset.column(target)].output for target in config.targets}
    found = set(outputs.values())
    if len(found) > 1:
        of_atoms = [target for target, output in outputs.items() if output == "atoms"]
        others = [target for target in outputs if target not in of_atoms]
        raise InputError(
            f"`targets=[{','.join(config.targets)}]` is not possible in one run: {', '.join(of_atoms)} has a value per "
            f"atom and {', '.join(others)} one per molecule, so that their models differ. Expected a run for each, as "
            f"in 'targets=[{','.join(others)}],[{','.join(of_atoms)}]'"
        )
    output = found.pop()
    if output == "atoms":
        _check_atoms(config)
    return output


def _check_atoms(config: Config) -> None:
    """Refuse what has no meaning for targets of atoms."""
    what = f"{', '.join(config.targets)} has a value per atom"
    if "tokens" in get_model(config.model.name).reads_with(config.model):
        raise InputError(
            f"{what}, and `model={config.model.name}` reads the tokens of a SMILES and has no states of atoms: "
            "expected another model"
        )
    given = {
        f"data.labels={config.data.labels}": config.data.labels != "true",
        f"data.label_noise={config.data.label_noise:g}": config.data.label_noise > 0,
        f"trainer.symmetry_penalty={config.trainer.symmetry_penalty:g}": config.trainer.symmetry_penalty > 0,
        f"data.graph={config.data.graph}": config.data.graph == "shuffled_features",
        f"baselines=[{','.join(config.baselines)}]": any("+" in name for name in config.baselines),
    }
    for name in names_of("baseline", config.plugins):
        if not get_baseline(name).of_atoms:
            raise InputError(f"{what}, which the baseline `{name}` does not predict: leave its plugin out")
    for option, is_given in given.items():
        if is_given:
            raise InputError(f"{what}, and `{option}` is for values of molecules only: leave it out")
