"""One run from its plan to its record: locked, trained pack by pack, measured, and written into its folder."""

import contextlib
import traceback

import pandas as pd
import torch

from ibbench.baselines import lacking
from ibbench.budget.cost import count_flops, count_parameters
from ibbench.data.domain import find_domain, write_domain
from ibbench.errors import DivergedError, InputError
from ibbench.files import write_atomically
from ibbench.record.folder import (
    CHECKPOINTS,
    DOMAIN,
    HISTORY,
    START_ERROR,
    WEIGHTS,
    adopt_names,
    record_age,
    study_folder,
)
from ibbench.record.intact import read_done
from ibbench.record.lease import Lease, LostError, TakenError, describe_owner, hold
from ibbench.record.made import find_revision
from ibbench.record.predictions import write_predictions
from ibbench.record.schema import CostEntry, ErrorEntry, Record, write_record
from ibbench.run.baselines import add_baselines, keep_baselines, measure_baselines
from ibbench.run.describe import describe_weights, make_record
from ibbench.run.interrupt import raise_if_asked
from ibbench.run.pack import ALONE, Place, advance_pack, train_pack
from ibbench.run.plan import Point
from ibbench.terminal import mention, say
from ibbench.track.content import card_of, outcome_of
from ibbench.track.follow import Follower
from ibbench.training.device import choose_device, one_thread, peak_memory_mb, reset_peak_memory, set_precision
from ibbench.training.labels import altered_labels
from ibbench.training.packs import choose_pack_size, list_replicas, split_into_packs
from ibbench.training.saved import saved_pack_size
from ibbench.training.weights import write_weights


def execute(point: Point, patience: float = 0.0, place: Place = ALONE) -> Record | None:
    """Train all replicas of a run and write its folder; a run that is finished already is only read.

    A finished run that lacks baselines which the config asks for gets them, without another training.

    A failure becomes a `failed` record with the reason, so that the other runs of a sweep go on. The next attempt
    resumes from the last checkpoint, unless the losses stopped being finite: then the checkpoints are removed.

    Args:
        point: the planned run.
        patience: seconds to wait for another process that trains the run; -1 for no limit.
        place: how its progress is shown and how many replicas train at once.

    Returns:
        The record of the run; None if another process trains it.

    Raises:
        Stopped: a signal has asked to stop; the state is saved.
    """
    try:
        record = _find_finished(point)
        if record is None or _lacks_baselines(point, record):
            age = record_age(point.folder)
            with hold(point.folder, patience) as lease, contextlib.ExitStack() as packs:
                redone = record_age(point.folder) != age  # by the process that held the lock before
                record = _find_finished(point, redone)
                if record is None:
                    record = _attempt_followed(point, lease, place, packs)
                elif _lacks_baselines(point, record):
                    record = add_baselines(point, record, lease)
            for emptied in point.folder.glob(_lock_of_pack("*")):
                with contextlib.suppress(OSError):
                    emptied.rmdir()
        return record
    except TakenError as error:
        mention(f"{point.run}: {error}")
        return None
    except Exception as error:  # not even the lock could be written
        raise_if_asked()
        return _fail(point, error)


def _find_finished(point: Point, redone: bool = False) -> Record | None:
    record = None if point.config.rerun and not redone else read_done(point.folder)
    if record:
        adopt_names(point.folder, point.config)
        if not _lacks_baselines(point, record):
            mention(f"{point.run}: done before")
    return record


def _lacks_baselines(point: Point, record: Record) -> bool:
    return bool(lacking(point.config.baselines, {entry.name for entry in record.baselines}))


def _attempt_followed(point: Point, lease: Lease, place: Place, packs: contextlib.ExitStack) -> Record:
    """Train a run whose lock this process holds, and tell its trackers how the training begins and ends."""
    study = study_folder(point.config)
    units = {target.name: target.unit for target in point.dataset.targets if target.name in point.config.targets}
    follower = Follower(study, point.run, point.config.log)
    # The status is not known yet, but a record must have one; the card does not show it.
    with follower.following(lambda: card_of(study, make_record(point, "failed"), units)) as outcome:
        record = _attempt(point, lease, place, packs)
        outcome.append(outcome_of(record))
    return record


def _attempt(point: Point, lease: Lease, place: Place, packs: contextlib.ExitStack) -> Record:
    """Train a run whose lock this process holds, and write its record whether it succeeds or fails."""
    find_revision()
    for leftover in (*point.folder.glob(".*.tmp"), point.folder / START_ERROR):  # of earlier attempts
        leftover.unlink(missing_ok=True)
    try:
        device = choose_device(point.resolved.device)
        with one_thread(device):
            record = _train(point, lease, place, packs, device)
        lease.check()
        write_record(point.folder, record)
    except Exception as error:  # the sweep must go on after any failure
        raise_if_asked()  # Ctrl-C ends a C++ compiler, too, and that its work is lost is no failure of the run
        record = _fail(point, error)
        try:
            lease.check()
            if not read_done(point.folder):  # with `rerun=true` a good old record stays until a new one is done
                write_record(point.folder, record)
        except (LostError, OSError, InputError):  # the record cannot be written either, such as on a full disk
            return record
        if not isinstance(error, DivergedError):
            return record
    for checkpoint in point.folder.glob(CHECKPOINTS):
        with contextlib.suppress(OSError):
            checkpoint.unlink()
    return record


def note_death(point: Point, message: str) -> None:
    """Write a `failed` record for a run whose process has died, unless another process trains the run already."""
    say(f"{point.run}: failed: {message}")
    try:
        with hold(point.folder):
            if not read_done(point.folder):
                write_record(
                    point.folder, make_record(point, "failed", error=ErrorEntry(message=message, traceback=""))
                )
    except (TakenError, OSError, InputError) as error:
        say(f"{point.run}: {error}")


def _fail(point: Point, error: Exception) -> Record:
    message = str(error) or type(error).__name__
    say(f"{point.run}: failed: {message}")
    return make_record(point, "failed", error=ErrorEntry(message=message, traceback=traceback.format_exc()))


def help_train(point: Point, age: int, owner: str, place: Place) -> None:
    """Help another process of this machine (the owner) to train the packs of a run, from the last pack backwards.

    Each pack has a lock in the run's folder. The owner trains packs from the first one on. When it comes to a pack that
    this process trains, it waits for the lock and goes on from the last saved state, or from the start without one.

    Args:
        point: the planned run.
        age: result of `record_age` for the run before the owner began.
        owner: result of `describe_owner` for the run.
        place: how progress is shown and how many replicas train at once.
    """
    device = choose_device(point.resolved.device)
    packs = split_into_packs(list_replicas(point.resolved), choose_size(point, device, place))
    for number in reversed(range(1, len(packs))):
        # An error, such as a loss that is not finite, will come up in the owner, too, which then reports it.
        with contextlib.suppress(TakenError, LostError, DivergedError, OSError), one_thread(device):
            if describe_owner(point.folder) != owner:
                return
            with hold(point.folder / _lock_of_pack(number)) as lease:
                if describe_owner(point.folder) != owner or record_age(point.folder) != age:
                    return  # the run has just ended
                advance_pack(point, lease, packs[number], number, len(packs), device, place.show)


def choose_size(point: Point, device: torch.device, place: Place = ALONE) -> int:
    """Return how many replicas of a run train at once.

    If a state of the run was saved, its packs keep their size, unless the config sets another one.

    Args:
        point: the planned run.
        device: the CPU or a GPU.
        place: where the run trains, which may set the size of its packs.
    """
    config = point.resolved
    saved = saved_pack_size(point.folder) if config.trainer.replicas_per_pack == "auto" else None
    size = saved or place.pack_size
    return size or choose_pack_size(config, point.dataset.molecules.padding, device)


def _trained_on(point: Point, seed: int) -> torch.Tensor:
    """Return the molecules that any replica of a seed trains on; all replicas share them unless labels are missing."""
    targets = [target for target in point.config.targets if target in point.split.unlabelled]
    subsets = [point.split.of_target(target).train_subset(seed) for target in targets or point.config.targets[:1]]
    if targets and len(targets) < len(point.config.targets):
        subsets.append(point.split.train_subset(seed))
    return subsets[0] if len(subsets) == 1 else torch.cat(subsets).unique()


def _lock_of_pack(number: object) -> str:
    return f"pack-{number}"


def _train(point: Point, lease: Lease, place: Place, held: contextlib.ExitStack, device: torch.device) -> Record:
    config, folder, padding = point.resolved, point.folder, point.dataset.molecules.padding
    set_precision(config.precision)
    replicas = list_replicas(config)
    packs = split_into_packs(replicas, choose_size(point, device, place))
    reset_peak_memory(device)
    trained = []
    for number, pack in enumerate(packs):
        if len(packs) > 1:  # helpers may train some of the packs: see `help_train`
            held.enter_context(hold(folder / _lock_of_pack(number), patience=-1))
        trained.append(train_pack(point, lease, pack, number, len(packs), device, place.show))
    given = altered_labels(point.dataset, point.split, replicas, config.data)
    baselines = measure_baselines(point.dataset, point.split, replicas, config.plugins, config.baselines, given=given)
    lease.check()
    if len(point.split.test):
        write_predictions(
            folder,
            index=point.split.test.numpy(),
            ids=point.dataset.ids[point.split.test].numpy(),
            replicas=replicas,
            truth=torch.cat([pack.truth for pack in trained]).numpy(),
            prediction=torch.cat([pack.prediction for pack in trained]).numpy(),
            is_class=torch.cat([pack.is_class for pack in trained]).numpy(),
            baselines={baseline.entry.name: baseline.prediction.numpy() for baseline in baselines},
        )
    history = pd.DataFrame([row for pack in trained for row in pack.history])
    write_atomically(folder / HISTORY, history.to_csv(index=False, lineterminator="\n"))
    weights = {name: torch.cat([pack.weights[name] for pack in trained]) for name in trained[0].weights}
    write_weights(folder / WEIGHTS, weights, describe_weights(point, replicas, trained[0].elements))
    of_baselines = tuple(baseline.entry for baseline in baselines)
    keep_baselines(folder, point.dataset, point.split, of_baselines)
    subsets = {seed: _trained_on(point, seed) for seed in dict.fromkeys(seed for _, seed in replicas)}
    with contextlib.suppress(ImportError):  # needs RDKit for canonical SMILES; training from a ready cache does not
        write_domain(folder / DOMAIN, find_domain(point.dataset, subsets))
    train_seconds = sum(pack.train_seconds for pack in trained)
    entries = tuple(entry for pack in trained for entry in pack.entries)
    cost = CostEntry(
        parameters=count_parameters(padding, config.model),
        flops_per_molecule=count_flops(padding, config.model),
        train_seconds=train_seconds,
        validation_seconds=sum(pack.validation_seconds for pack in trained),
        molecules_per_second=sum(entry.molecules or 0 for entry in entries) / train_seconds,
        peak_memory_mb=peak_memory_mb(device),
    )
    return make_record(point, "done", cost=cost, replicas=entries, baselines=of_baselines)
