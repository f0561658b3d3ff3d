"""`ibbench explain`: which atoms the trained models of a study look at, and whether attention and occlusion agree."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
from rich.console import Console

from ibbench.baselines import is_baseline
from ibbench.compare.ensembles import choose_ensembles
from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.options.words import Geometry
from ibbench.probes.explain.agreement import Agreement, agree
from ibbench.probes.explain.look import Look, look
from ibbench.probes.explain.molecules import spell
from ibbench.probes.explain.one import Explained, choose_readers, explain_one, tell_left_out
from ibbench.report import screen
from ibbench.report.document import Points, Remark, Shape
from ibbench.report.explain import explain_words, tabulate, tell_agreement, to_pairs, to_rows
from ibbench.run.batch import Batch
from ibbench.run.ensemble import Ensemble
from ibbench.run.forecast import Crew, load_crew
from ibbench.training.device import choose_device, one_thread

ROWS, PAIRS, AGREEMENT, PICTURE = "explain.csv", "attention.csv", "agreement.csv", "explain_"
STYLES: tuple[Literal["svg", "png"], ...] = ("svg", "png")
_UNWRITTEN = "--output FOLDER draws this, and writes every figure of every seed"
AGREEMENT_COLUMNS = {
    "model": "name of the model, with what tells it from others of the study",
    "target": "short name of the target",
    "quantity": "which two orders of the atoms are compared",
    "correlation": "Spearman's rank correlation over the atoms of a molecule, the mean over molecules and seeds",
    "low": "lower end of its 95 % interval",
    "high": "upper end of that interval",
    "num_seeds": "number of seeds",
    "num_molecules": "number of molecules that it is the mean of",
    "num_without": "number of molecules that say nothing, since they have too few atoms or all of them are alike",
}


class Request(NamedTuple):
    """The arguments of the command, as the user has typed them.

    Attributes:
        folder: the folder of a study or of a run.
        smiles: the molecule to draw; empty for none.
        molecules: number of test molecules of the study on which attention and occlusion are compared.
        models: names of models, or of runs; several may be joined by commas. All models if there are none.
        targets: short names of targets; several may be joined by commas. All targets if there are none.
        output: the folder to write to; None to write nothing.
        overwrite: whether files in the output folder may be replaced.
        geometry: the method that computes coordinates; None for no coordinates.
        device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.
    """

    folder: Path
    smiles: str = ""
    molecules: int = 0
    models: Sequence[str] = ()
    targets: Sequence[str] = ()
    output: Path | None = None
    overwrite: bool = False
    geometry: Geometry | None = None
    device: str = "auto"


def show_explanation(asked: Request, console: Console) -> bool:
    """Print which atoms models look at, and write tables and pictures if an output folder is given.

    Args:
        asked: the arguments of the command.
        console: the terminal to print on.

    Returns:
        Whether all models that read atoms were looked into, and no run of the study is missing.

    Raises:
        InputError: an argument is not possible. Nothing is written.
    """
    _check(asked)
    models, targets = _split(asked.models), _split(asked.targets)
    for name in models:
        if is_baseline(name):
            raise InputError(f"`--model {name}` is a baseline, which has no weights to look into: expected a model")
    text = spell(asked.smiles) if asked.smiles else ""
    chosen = choose_ensembles(asked.folder, models)
    crew = Crew(tuple(chosen.ensembles.items()), asked.device, asked.geometry)
    readers = choose_readers(load_crew(crew), targets)
    columns = [column for one in readers for column in one.columns if not column.of_atoms]
    targets = targets or list(dict.fromkeys(column.target for column in columns))
    with one_thread(choose_device(asked.device)):
        explained, remark = explain_one(text, crew, readers, targets) if text else ([], "")
        tested = _look_at_tested(asked, crew, readers, targets) if asked.molecules else ([], [])
    said = [*chosen.left_out, *tell_left_out(crew)]
    if remark:
        said.append(f"Not to be trusted, or not possible: {remark}")
    agreements = [(found, list(agree(found))) for found in tested[1]]
    outcome = _write(asked, explained, tested, agreements, readers) if asked.output else _UNWRITTEN
    screen.show([*_tell(explained, agreements, said, outcome)], console, fold=False)
    looked_into = sum(len(one.looks) for one in explained)
    possible = sum(column.target in targets for one in readers for column in one.columns)
    return not chosen.left_out and (not text or looked_into == possible)


def _look_at_tested(
    asked: Request, crew: Crew, readers: Sequence[Ensemble], targets: Sequence[str]
) -> tuple[list[str], list[Look]]:
    """Return the SMILES of some test molecules of the study, and what each model looks at in them."""
    from ibbench.options.compose import compose_config
    from ibbench.probes.explain.molecules import take_test_molecules

    runs = [run for _, folders in crew.ensembles for run in folders]
    study = asked.folder.resolve().parents[1] if runs == [asked.folder] else asked.folder
    smiles = take_test_molecules(study, runs, asked.molecules, compose_config([]))
    batch = Batch(smiles, bool(asked.geometry))
    return smiles, [found for one in readers for found in look(one, batch, targets) if found.possible.any()]


def _split(given: Sequence[str]) -> list[str]:
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _check(asked: Request) -> None:
    """Refuse arguments that make no sense, or contradict each other, before anything is read."""
    if asked.molecules < 0:
        raise InputError(f"`--molecules {asked.molecules}` is not possible: expected a number of test molecules")
    if not asked.smiles and not asked.molecules:
        raise InputError("there is no molecule: expected a SMILES, such as CCO, or --molecules N for test molecules")
    if asked.overwrite and not asked.output:
        raise InputError("`--overwrite` has no meaning without --output FOLDER")
    if asked.output and asked.output.exists() and not asked.output.is_dir():
        raise InputError(f"`--output {asked.output}` is a file: expected a folder")
    if asked.output and not asked.overwrite:
        names = (ROWS, PAIRS, AGREEMENT, f"{PICTURE}*")
        there = sorted(path.name for pattern in names for path in asked.output.glob(pattern))
        if there:
            raise InputError(f"{asked.output} has {there[0]} already: --overwrite replaces what is there")


def _write(
    asked: Request,
    explained: Sequence[Explained],
    tested: tuple[list[str], list[Look]],
    agreements: Sequence[tuple[Look, list[Agreement]]],
    readers: Sequence[Ensemble],
) -> str:
    """Write tables and pictures, and return a sentence that says where they are."""
    from ibbench.report.plot.explain import draw_explained
    from ibbench.report.plot.style import file_stems

    assert asked.output
    looks = [found for one in explained for found in one.looks]
    text = explained[0].smiles if explained else ""
    files = {ROWS: to_csv(pd.concat([to_rows([text], looks), to_rows(*tested)])).encode()}
    pairs = to_pairs(text, looks)
    if len(pairs):
        files[PAIRS] = to_csv(pairs).encode()
    if agreements:
        files[AGREEMENT] = to_csv(_agreement_rows(agreements)).encode()
    hydrogens = {one.name: one.hydrogens for one in readers}
    stems = file_stems([one.looks[0].column.target for one in explained])
    for one, stem in zip(explained, stems, strict=True):
        files |= {f"{PICTURE}{stem}.{style}": draw_explained(one, hydrogens, style) for style in STYLES}
    asked.output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(asked.output / name, content)
    return f"Written to {asked.output}: {', '.join(files)}"


def _agreement_rows(agreements: Sequence[tuple[Look, list[Agreement]]]) -> pd.DataFrame:
    rows = []
    for found, measured in agreements:
        for one in measured:
            low, high = one.interval() or (None, None)
            who = (found.column.ensemble, found.column.target, one.quantity)
            counts = (len(found.seeds), one.num_molecules, one.num_without)
            rows.append((*who, one.estimate.value, low, high, *counts))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS), dtype=object)


def _tell(
    explained: Sequence[Explained],
    agreements: Sequence[tuple[Look, list[Agreement]]],
    said: Sequence[str],
    outcome: str,
) -> Iterator[Shape]:
    for one in explained:
        yield from tabulate(one)
    if explained:
        yield explain_words()
    of_one = [(found, list(agree(found))) for one in explained for found in one.looks]
    yield Points([text for found, measured in [*of_one, *agreements] for text in tell_agreement(found, measured)])
    yield Points(said)
    yield Remark(outcome)
