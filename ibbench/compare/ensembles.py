"""Which runs of a study predict together as an ensemble, and a name for each ensemble that no other has."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ibbench.baselines import ignored_by
from ibbench.baselines.pairs import is_pair
from ibbench.compare.missing import find_missing
from ibbench.compare.order import model_order
from ibbench.compare.retrain import tell_training
from ibbench.compare.rows import in_full
from ibbench.compare.variants import describe, find_variants
from ibbench.errors import InputError, suggest
from ibbench.record.folder import RUNS, WEIGHTS, StudyFolder
from ibbench.record.schema import RECORD, Record


class Chosen(NamedTuple):
    """The runs that are to predict.

    Attributes:
        ensembles: folders of the runs of each ensemble, by its name. The runs differ in seeds and targets only. A
            single run has the empty name, which stands for the name of its model.
        left_out: one sentence for each run of the study that cannot predict, or for several such runs.
    """

    ensembles: dict[str, tuple[Path, ...]]
    left_out: list[str]


class _Key(NamedTuple):
    """What the runs of one ensemble share."""

    train_size: int
    model: str
    variant: str
    hydrogens: str
    source: str
    split: str


def choose_ensembles(folder: Path, models: Sequence[str] = ()) -> Chosen:
    """Find the runs that predict: those of a study, or a single run.

    Args:
        folder: the folder of a study, such as `results/quick`, or of a run in its `runs/`.
        models: names of the models (or runs) of the study that are to predict, and of pairs such as `morgan+ridge`;
            empty for all models.

    Raises:
        InputError: the folder is neither a study nor a run, no run has weights, or a model is not in the study.
    """
    if (folder / WEIGHTS).is_file():
        if models:
            raise InputError(f"`--model` chooses among the models of a study, and {folder} is one run: leave it out")
        return Chosen({"": (folder,)}, [])
    if (folder / RECORD).is_file():
        record = StudyFolder.at(folder.parents[1]).record(folder.name)
        raise InputError(f"{folder} has no {WEIGHTS}. {tell_training(folder.parents[1], [record] if record else [])}")
    study = StudyFolder.at(folder)
    if not study.has_records():
        return _choose_unrecorded(folder, models)
    records, broken = study.readable_records()
    done = [record for record in records if record.status == "done"]
    pairs = [name for name in models if is_pair(name)]
    trained = [name for name in models if not is_pair(name)]
    wanted = [] if pairs and not trained else _select(folder, done, trained)
    with_weights = {record.run for record in wanted if (study.runs / record.run / WEIGHTS).is_file()}
    without = [record for record in wanted if record.run not in with_weights]
    missing = find_missing(folder, records, broken)
    left_out = [one.tell() for one in missing if not models or {one.run, one.run.partition("-")[0]} & {*models}]
    if not with_weights and (wanted or not pairs):
        if wanted:
            raise InputError(f"{folder} has no weights to predict with. {tell_training(folder, wanted)}")
        raise InputError(f"{folder} has no finished run: `ibbench status {folder}` tells how far they are")
    if without:
        listed = ", ".join(record.run for record in without)
        left_out.append(f"Left out, having no {WEIGHTS}: {listed}. {tell_training(folder, without)}")
    names = _name(done)
    ensembles: dict[str, tuple[Path, ...]] = {}
    for record in sorted(done, key=lambda record: _order(names[record.run][0])):
        if record.run in with_weights:
            name = names[record.run][1]
            ensembles[name] = (*ensembles.get(name, ()), study.runs / record.run)
    for pair in pairs:
        ensembles |= _choose_pair(pair, folder, done)
    return Chosen(ensembles, left_out)


def _choose_pair(pair: str, folder: Path, done: list[Record]) -> dict[str, tuple[Path, ...]]:
    """Find the runs that have a pair such as `morgan+ridge`, whatever models they trained beside it.

    Raises:
        InputError: no run has it.
    """
    fitted = [record for record in done if pair in {entry.name for entry in record.baselines}]
    if not fitted:
        known = sorted({entry.name for record in done for entry in record.baselines if is_pair(entry.name)})
        told = suggest(pair, known) if known else "no run of it has one"
        raise InputError(
            f"`--model {pair}` is not in {folder}: {told}. `ibbench train` with 'baselines=[{pair}]' adds it"
        )
    ignored, keys = ignored_by(pair), {}
    for record, variant in zip(done, find_variants(done), strict=True):
        of_data = {
            option: text for option, text in variant.items() if option.startswith("data.") and option not in ignored
        }
        keys[record.run] = _key(record, pair, describe(of_data))
    several = _several([keys[record.run] for record in fitted])
    ensembles: dict[str, tuple[Path, ...]] = {}
    for record in sorted(fitted, key=lambda record: _order(keys[record.run])):
        name = _spell(keys[record.run], several)
        ensembles[name] = (*ensembles.get(name, ()), StudyFolder.at(folder).runs / record.run)
    return ensembles


def _choose_unrecorded(folder: Path, models: Sequence[str]) -> Chosen:
    """Find the runs of a folder that has weights but no records: each predicts under its own name."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: expected a study, such as results/quick, or a run of one")
    runs = [path.parent for path in sorted(folder.glob(f"{RUNS}/*/{WEIGHTS}"))]
    if not runs:
        raise InputError(
            f"{folder} is neither a study nor a run: expected a folder with {RUNS}/<model>-<hash>/{WEIGHTS}, such as "
            f"results/quick, or one with {WEIGHTS} itself"
        )
    known = {run.name for run in runs} | {run.name.partition("-")[0] for run in runs}
    _check_models(folder, models, known)
    return Chosen(
        {run.name: (run,) for run in runs if not models or {run.name, run.name.partition("-")[0]} & {*models}}, []
    )


def _select(folder: Path, done: list[Record], models: Sequence[str]) -> list[Record]:
    _check_models(folder, models, {record.config["model"]["name"] for record in done} | {one.run for one in done})
    return [one for one in done if not models or {one.run, one.config["model"]["name"]} & {*models}]


def _check_models(folder: Path, models: Sequence[str], known: set[str]) -> None:
    for name in models:
        if name not in known:
            shown = sorted(known, key=lambda one: (("-" in one), model_order(one)))
            names = [one for one in shown if "-" not in one] or shown
            raise InputError(f"`--model {name}` is not in {folder}: {suggest(name, names)}")


def _name(done: list[Record]) -> dict[str, tuple[_Key, str]]:
    """Return for each run the key of its ensemble, and the shortest name that tells this ensemble from the others."""
    variants = find_variants(done)
    keys = [
        _key(record, str(record.config["model"]["name"]), describe(variant))
        for record, variant in zip(done, variants, strict=True)
    ]
    several = _several(keys)
    return {record.run: (key, _spell(key, several)) for record, key in zip(done, keys, strict=True)}


def _key(record: Record, model: str, variant: str) -> _Key:
    hydrogens = str(record.config["data"]["hydrogens"])
    return _Key(record.train_size, model, variant, hydrogens, record.data_source, record.split_fingerprint)


def _several(keys: list[_Key]) -> set[str]:
    """Return the fields in which keys differ."""
    return {field for field in _Key._fields if len({getattr(key, field) for key in keys}) > 1}


def _spell(key: _Key, several: set[str]) -> str:
    name = in_full(key.model, key.variant)
    more = {
        "train_size": f"at {key.train_size}",
        "hydrogens": f"hydrogens={key.hydrogens}",
        "source": f"data={key.source}",
        "split": f"split={key.split}",
    }
    return " ".join([name, *(text for field, text in more.items() if field in several)])


def _order(key: _Key) -> tuple[object, ...]:
    return key.train_size, model_order(key.model), *key[2:]
