"""`ibbench train`: the command line, handed to Hydra."""

import os
import sys
from concurrent.futures import BrokenExecutor

import hydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ibbench.errors import InputError, leave
from ibbench.options.compose import ROOT_CONFIG, config_folder, explain, pack_sweeps
from ibbench.run.interrupt import listening
from ibbench.sweep.callback import FAILED, INTERRUPTED, StudyCallback, job
from ibbench.terminal import say


def run_sweep(arguments: list[str], dry_run: bool = False, detach: bool = False) -> None:
    """Hand the command line to Hydra.

    Args:
        arguments: of Hydra.
        dry_run: only show what would be run, and what it would cost.
        detach: do not wait for the jobs of a cluster.

    Raises:
        SystemExit: with exit code 1, 2 or 130 (see `StudyCallback`).
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us as exceptions, to be said in one line
    flags = [
        f"hydra.callbacks.study.{name}=true" for name, given in (("dry_run", dry_run), ("detach", detach)) if given
    ]
    packed = pack_sweeps(arguments)
    for argument, as_list in packed.items():  # not into what `--cfg` prints
        sys.stderr.write(f"{argument} trains as one pack, as {as_list} does; see --help for runs of their own\n")
    # Hydra finds `hydra.mode` out by composing, and runs a sweep as one point where a mistake keeps it from that.
    mode = [] if any(argument.startswith(("-", "hydra.mode=")) for argument in arguments) else ["--multirun"]
    given = [packed.get(argument, argument) for argument in arguments]
    # Hydra's parser wants all overrides in one place, between options of its own.
    place = next((at for at, word in enumerate(given) if "=" in word and not word.startswith("-")), len(given))
    sys.argv = ["ibbench train", *mode, *given[:place], *flags, *given[place:]]
    try:
        with listening():
            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(job)()
    except InputError as error:
        leave(error)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        leave(InputError(explain(error)))
    except BrokenExecutor:
        say("A process of +cluster=processes was killed, and the others ended with it.")
        StudyCallback.latest.on_broken_pool()
        raise SystemExit(FAILED) from None
    except KeyboardInterrupt:
        say("Interrupted. What is finished stays; the same command goes on from there.")
        raise SystemExit(INTERRUPTED) from None
