"""Whether what a config asks for has a meaning for its data set and its model; all is checked before training."""

from ibbench.baselines import baseline_names, get_baseline
from ibbench.baselines.pairs import check_pair
from ibbench.baselines.pairs.pair import Pair
from ibbench.baselines.reconstruction import is_reconstruction
from ibbench.data.classes import check_classes as check_parts
from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.options.model import ModelOptions


def check_classes(config: Config, dataset: DataSet, split: Split) -> None:
    """Check that all that the config says of classes has a meaning.

    Raises:
        InputError: a part of the split has one class only, or an option changes nothing since all targets are classes.
    """
    check_parts(dataset, split, config.targets, config.seeds)
    targets = [dataset.targets[dataset.column(target)] for target in config.targets]
    unfit = [target.name for target in targets if target.is_class or target.logarithmic]
    if config.data.label_noise and unfit:
        raise InputError(
            f"`data.label_noise` adds to numbers, and {', '.join(unfit)} is trained as a class or as a logarithm: "
            "expected other targets"
        )
    if all(target.is_class for target in targets):
        for option, value, usual in (("loss", config.loss, "l1"), ("reference", config.reference, "auto")):
            if value not in {usual, "none"}:
                raise InputError(
                    f"`{option}={value}` changes nothing: all targets are classes, which are trained by cross-entropy "
                    "from the frequency of class 1. Leave it out"
                )


def check_baselines(config: Config, dataset: DataSet, split: Split) -> None:
    """Check that the pairs that a config asks for can be fitted to the train subsets of a split.

    Raises:
        InputError: a name is not that of a pair, the data set lacks what the pair needs (see `Pair.check`), or the
            labels are none that pairs are fitted to.
    """
    # Others are those of every run, and `complete_targets` checks those that restore molecules.
    pairs = [name for name in config.baselines if name not in baseline_names() and not is_reconstruction(name)]
    for name in pairs:
        check_pair(name)
        pair = get_baseline(name)
        assert issubclass(pair, Pair)
        pair.check(dataset, split.train_size)
        if classes := [target for target in config.targets if dataset.targets[dataset.column(target)].is_class]:
            raise InputError(
                f"'baselines=[{name}]' predicts numbers, and {', '.join(classes)} has classes: leave it out"
            )
        if config.data.labels != "true" or config.data.label_noise:
            raise InputError(f"'baselines=[{name}]' is fitted to true labels only: leave out what alters them")
        if len(config.targets) > 1 and (partly := [target for target in config.targets if target in split.unlabelled]):
            raise InputError(
                f"'baselines=[{name}]' is fitted to the same molecules for all targets of a run, and some have no "
                f"label of {', '.join(partly)}: expected a run for each, as in 'targets=[{'],['.join(config.targets)}]'"
            )


def check_model(config: Config, dataset: DataSet) -> None:
    """Check that the model can read the data, and that each option changes something that it reads.

    Raises:
        InputError: the data lack something that the model reads, or an option changes something that it does not read.
    """
    options = config.model
    reads = get_model(options.name).reads_with(options)
    if lacks_positions(options, dataset):
        raise InputError(f"`model={options.name}` reads coordinates, which data.source={config.data.source} has not")
    for option, part in _parts_altered(config).items():
        if part not in reads:
            raise InputError(f"`{option}` alters {part}, which `model={options.name}` does not read: leave one out")
    if options.pooling != "sum" and not get_model(options.name).pools:
        pooling = f"model.pooling={options.pooling}"
        raise InputError(f"`{pooling}` changes nothing for `model={options.name}`, which has nothing to pool")
    shown = {"data.augmentation=relabel": config.data.augmentation == "relabel"}
    shown[f"trainer.symmetry_penalty={config.trainer.symmetry_penalty:g}"] = config.trainer.symmetry_penalty > 0
    for option, given in shown.items():
        if given and "permutation" in get_model(options.name).symmetries:
            raise InputError(
                f"`{option}` changes nothing for `model={options.name}`, whose predictions do not depend on the order "
                "of atoms: leave one out"
            )


def lacks_positions(options: ModelOptions, dataset: DataSet) -> bool:
    """Return whether a model reads coordinates that a data set does not have."""
    reads = get_model(options.name).reads_with(options)
    return "positions" in reads and bool(dataset.molecules.positions.isnan().any())


def _parts_altered(config: Config) -> dict[str, str]:
    """Return the options that alter molecules, each with the part of a molecule that it alters."""
    altered, data = {}, config.data
    if config.trainer.symmetry_penalty:
        altered[f"trainer.symmetry_penalty={config.trainer.symmetry_penalty:g}"] = "atoms"
    if data.graph != "true":
        altered[f"data.graph={data.graph}"] = "atoms" if data.graph == "shuffled_features" else "bonds"
    if data.features == "element" or (data.source == "qm9pack" and data.features != "qm9"):
        altered[f"data.features={data.features}"] = "atoms"
    if data.augmentation != "none":
        altered[f"data.augmentation={data.augmentation}"] = "atoms" if data.augmentation == "relabel" else "positions"
    if data.hydrogens != "implicit":
        altered[f"data.hydrogens={data.hydrogens}"] = "atoms"
    return altered
