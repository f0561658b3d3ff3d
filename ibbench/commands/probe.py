"""`ibbench probe`: properties of a bias itself, measured on the models of a study or of a config."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.errors import InputError, suggest
from ibbench.options.sources import OF_CONTENT
from ibbench.plugins.load import installed_faults
from ibbench.probes import Moment, PairProbe, Probe, get_probe, probe_names
from ibbench.record.folder import PROBES, StudyFolder, study_folder
from ibbench.record.tables import try_to_write, write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Heading, Picture, Remark
from ibbench.terminal import mention, warn

if TYPE_CHECKING:
    import pandas as pd

    from ibbench.options.config import Config
    from ibbench.probes.subject.candidate import Candidate
    from ibbench.probes.subject.code import CodeMap
    from ibbench.probes.subject.earlier import Merged
    from ibbench.probes.subject.foretell import Foretold
    from ibbench.probes.subject.measure import Measured

PROBES_TEXT, RANKING, SCORES = "probes.md", "foretold.csv", "foretold_scores.csv"
_ELSEWHERE = ("hydra", "+hydra", "+cluster", "cluster")  # options of launchers, which have no meaning here


def list_probes(console: Console) -> None:
    """Print the names of all probes, and what each of them measures."""
    from ibbench.report.probes import probe_list

    _warn_of_faults()
    screen.show(probe_list({name: get_probe(name)() for name in probe_names()}), console)


def _warn_of_faults() -> None:
    """Say which probes of installed packages are left out, since they cannot be loaded."""
    for fault in installed_faults("probe"):
        warn(fault)


def show_probes(
    arguments: Sequence[str],
    probes: Sequence[str] | None,
    moments: Sequence[str],
    limit: int,
    with_ranking: bool,
    console: Console,
    plugins: Sequence[str] = (),
) -> None:
    """Measure the models of a study or of a config, print sentences, and write tables and pictures into its folder.

    Args:
        arguments: either the folder of a study, or options of the config.
        probes: the names of the probes; None for those that are measured by default, or that the ranking needs.
        moments: the weights to look at: `init`, `trained` or `along`. If there are none, `init`, or `trained` where
            all the probes that are named look at trained weights alone.
        limit: the largest number of molecules to look at.
        with_ranking: whether to rank the models by the evidence of their untrained kernels.
        console: the terminal to print on.
        plugins: plugins as `load_plugins` returns them; a config may name its plugins among the options instead.

    Raises:
        InputError: a config, a probe or a moment is not possible, or trained weights are missing. Nothing is written.
    """
    from ibbench.compare.study import read_study
    from ibbench.probes.subject.above_floor import above_floor
    from ibbench.probes.subject.code import lay_out
    from ibbench.probes.subject.earlier import merge, read_earlier
    from ibbench.probes.subject.foretell import foretell
    from ibbench.probes.subject.measure import measure
    from ibbench.probes.subject.request import check_request, not_of_classes
    from ibbench.probes.subject.truth import read_truth

    arguments = _with_plugins(arguments, plugins)
    _warn_of_faults()
    wanted = _moments(moments or [_usual_moment(probes)])
    names = _probes(probes, wanted, with_ranking)
    check_request(names, wanted, limit)
    candidates = _candidates(arguments)
    if not probes and (left_out := not_of_classes(candidates, names, wanted)):
        mention(f"Not measured, since it takes targets that are numbers, and not classes: {', '.join(left_out)}")
        names = [name for name in names if name not in left_out]
    folder = study_folder(candidates[0].point.config)
    earlier = read_earlier(folder)
    measured = measure(candidates, names, wanted, limit, mention)
    merged = merge(earlier, measured)
    truth = read_truth(read_study(folder) if StudyFolder.at(folder).has_records() else None)
    foretold = foretell(merged.measured.table, candidates, truth, limit) if with_ranking else None
    gaps = above_floor(merged.measured.table, candidates, truth)
    maps = lay_out(candidates, limit) if "latent" in names and "trained" in wanted else []
    _tell(merged, measured, {name: get_probe(name)() for name in names}, foretold, gaps, maps, folder, console)


def _with_plugins(arguments: Sequence[str], plugins: Sequence[str]) -> list[str]:
    from ibbench.options.extension import name_list, with_plugins

    if plugins and any(word.startswith("plugins=") for word in arguments):
        raise InputError("there are `plugins=` and `--plugins`: expected one of them")
    return with_plugins([*arguments, *([f"plugins={name_list(plugins)}"] if plugins else [])])


def _tell(
    merged: "Merged",
    measured: "Measured",
    probes: dict[str, Probe],
    foretold: "Foretold | None",
    gaps: "pd.DataFrame",
    maps: "list[CodeMap]",
    folder: Path,
    console: Console,
) -> None:
    """Print what was measured now, and write tables and pictures of all figures of the study.

    It says so where the folder cannot be written to.
    """
    from ibbench.report.plot.code import draw_code_curves, draw_code_maps
    from ibbench.report.plot.foretold import draw_foretold
    from ibbench.report.plot.pairs import draw_pairs
    from ibbench.report.plot.probes import draw_probe
    from ibbench.report.plot.style import in_style, save
    from ibbench.report.probes import brief, page, tell_earlier

    whole = merged.measured
    of_all = {name: get_probe(name)() for name in probe_names() if name in set(whole.table["probe"]) | probes.keys()}
    with in_style():
        drawn = {
            f"probe_{name}": (draw_pairs if isinstance(probe, PairProbe) else draw_probe)(probe, name, whole)
            for name, probe in probes.items()
        }
        if "latent" in probes:
            drawn["code_curves"] = draw_code_curves(whole)
        drawn["code_maps"] = draw_code_maps(maps) if maps else None
        drawn["foretold"] = draw_foretold(foretold) if foretold is not None else None
    pictures = [Picture(name, figure) for name, figure in drawn.items() if figure is not None]
    shapes = [*page(folder.name, whole, of_all, foretold, gaps), Heading("Pictures"), *pictures]
    files = {PROBES: to_csv(whole.table), PROBES_TEXT: markdown.write(shapes)}
    if foretold is not None:
        files[RANKING] = to_csv(foretold.ranked)
        if len(foretold.scores):
            files[SCORES] = to_csv(foretold.scores)
    written = list(files)

    def write() -> None:
        write_tables(folder, files)
        written.extend(name for picture in pictures for name in save(picture, folder))

    reason = try_to_write(write)
    outcome = f"Not written to {folder}: {reason}" if reason else f"Written to {folder}: {', '.join(written)}"
    earlier = map(Remark, tell_earlier(merged.num_kept, merged.num_dropped))
    screen.show([*brief(measured, probes, foretold, gaps), *earlier, Remark(outcome)], console, fold=False)


def _usual_moment(probes: Sequence[str] | None) -> Moment:
    """Return the weights to look at where none are named: trained ones if the probes named look at no others."""
    names = [name.strip() for text in probes or () for name in text.split(",")]
    return "trained" if names and all(get_probe(name).moments == ("trained",) for name in names) else "init"


def _moments(given: Sequence[str]) -> list[Moment]:
    known = get_args(Moment)
    names = [name.strip() for text in given for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InputError(f"`--at {name}` is not possible: {suggest(name, known)}")
    return [moment for moment in known if moment in names]


def _probes(given: Sequence[str] | None, moments: Sequence[Moment], with_ranking: bool) -> list[str]:
    from ibbench.probes.subject.foretell import NEEDED

    names = [name.strip() for text in given or () for name in text.split(",")]
    for name in names:
        get_probe(name)
    if with_ranking and "init" not in moments:
        raise InputError("`--foretell` looks at untrained models: expected --at init")
    if with_ranking and names and "kernel" not in names:
        raise InputError("`--foretell` ranks by the kernel: expected --probe kernel among the others, or none")
    if not names:
        # To train again takes as long as the training: nobody gets that without naming a probe.
        quick = [moment for moment in moments if moment != "along"]
        names = list(NEEDED) if with_ranking else [name for name in probe_names() if _fits(name, quick)]
        if not any(get_probe(name).moments for name in names):
            raise InputError(f"no probe is measured by default at {', '.join(moments)}: expected --probe, see --list")
    return [name for name in probe_names() if name in names]


def _fits(name: str, moments: Sequence[Moment]) -> bool:
    probe = get_probe(name)
    return probe.by_default and (not probe.moments or bool(set(probe.moments) & set(moments)))


def _candidates(arguments: Sequence[str]) -> "list[Candidate]":
    from omegaconf import OmegaConf

    from ibbench.options.compose import compose_config, compose_sweep
    from ibbench.probes.subject.candidate import plan_candidates, read_configs

    wrong = next((word for word in arguments if word.startswith("-")), "")
    if wrong:
        raise InputError(f"`{wrong}` is not an option of `ibbench probe`: `ibbench probe --help` lists them")
    studies = [word for word in arguments if "=" not in word]
    if studies:
        named = [word for word in arguments if word.startswith("plugins=")]
        of_files = [word for word in arguments if word.partition("=")[0] in {f"data.{name}" for name in OF_CONTENT}]
        if len(arguments) > 1 + len(named) + len(of_files):
            raise InputError(
                f"`{studies[0]}` is a study: expected it alone (or with data.path=FILE, where its data lie), or "
                "options such as model=gnn"
            )
        reading: Any = OmegaConf.to_container(OmegaConf.from_dotlist(["data={}", *of_files]))
        configs, runs = read_configs(Path(studies[0]), compose_config(named), reading["data"])
        return plan_candidates(configs, runs)
    elsewhere = next((word for word in arguments if word.partition("=")[0].partition(".")[0] in _ELSEWHERE), "")
    if elsewhere:
        raise InputError(f"`{elsewhere}` has no meaning here: `ibbench probe` runs in this process alone")
    return plan_candidates(_readable(compose_sweep(arguments)))


def _readable(configs: "list[Config]") -> "list[Config]":
    """Leave out the models that read coordinates where the data have none, if there are others, and say so."""
    from ibbench.run.plan import lacks_coordinates

    readable = [config for config in configs if not lacks_coordinates(config)]
    if not readable or len(readable) == len(configs):
        return configs
    left = (config.rung.name if config.rung else config.model.name for config in configs if config not in readable)
    names = ", ".join(dict.fromkeys(left))
    mention(f"Left out, since they read coordinates and data.source={configs[0].data.source} has none: {names}")
    return readable
