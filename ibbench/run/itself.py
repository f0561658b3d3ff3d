"""Runs of models that restore molecules: what their options must be, and the target that stands for the molecule."""

from ibbench.baselines import baseline_names, get_baseline
from ibbench.baselines.reconstruction import is_reconstruction
from ibbench.data.dataset import DataSet
from ibbench.data.itself import with_itself
from ibbench.data.targets import ITSELF
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.models.registry import get_model
from ibbench.options.config import Config


def complete_targets(config: Config, dataset: DataSet) -> DataSet:
    """Return the data set, with the molecule itself as a target if the model restores molecules.

    Raises:
        InputError: model and targets do not go together, or an option makes no sense where nothing is predicted.
    """
    wanted = get_model(config.model.name).reconstructs
    if not wanted:
        _refuse_without_reconstruction(config, dataset)
        return dataset
    if config.targets != (wanted,):
        raise InputError(
            f"`model={config.model.name}` restores molecules and predicts no label: expected 'targets=[{wanted}]'"
        )
    _check_options(config)
    _check_baselines(config, wanted)
    return with_itself(dataset, wanted)


def _refuse_without_reconstruction(config: Config, dataset: DataSet) -> None:
    own = [target.name for target in dataset.targets]
    for target in config.targets:
        if target in ITSELF and target not in own:
            able = [name for name in model_names() if get_model(name).reconstructs == target]
            raise InputError(
                f"'targets=[{target}]' is the molecule itself, which `model={config.model.name}` does not restore: "
                f"expected model={' or '.join(able)}"
            )
    if asked := [name for name in config.baselines if is_reconstruction(name)]:
        raise InputError(
            f"'baselines=[{asked[0]}]' restores molecules and predicts no label: expected it with 'targets=[molecule]'"
        )


def _check_options(config: Config) -> None:
    model = f"model={config.model.name}"
    usual = {
        "loss": (config.loss, "l1"),
        "data.label_noise": (config.data.label_noise, 0.0),
        "data.labels": (config.data.labels, "true"),
        "trainer.symmetry_penalty": (config.trainer.symmetry_penalty, 0.0),
    }
    for option, (value, only) in usual.items():
        if value != only:
            raise InputError(
                f"`{option}={value}` has no meaning for `{model}`, which has no labels and whose loss is the squared "
                f"distance of a molecule from its reconstruction: expected {option}={only}"
            )
    if config.trainer.compile == "graphs" and config.model.name == "set_autoencoder":
        raise InputError(f"`{model}` matches atoms on the CPU, which no CUDA graph holds: expected another compile")
    if config.reference == "composition":
        raise InputError(f"`reference=composition` changes nothing for `{model}`, which has no labels. Leave it out")


def _check_baselines(config: Config, wanted: str) -> None:
    data = config.data
    altered = {
        "data.graph": data.graph != "true",
        "data.features": data.features == "element",
        "data.standardise": not data.standardise,
    }
    for name in config.baselines:
        if name in baseline_names():  # which every run has that predicts labels
            continue
        if not is_reconstruction(name) or get_baseline(name).reconstructs != wanted:
            raise InputError(
                f"'baselines=[{name}]' does not restore what `model={config.model.name}` does: "
                + ("expected pca_ and a number, such as pca_8" if wanted == "molecule" else "leave it out")
            )
        if options := [option for option, is_other in altered.items() if is_other]:
            raise InputError(
                f"'baselines=[{name}]' restores molecules as they are: leave out {' and '.join(options)}, or {name}"
            )
