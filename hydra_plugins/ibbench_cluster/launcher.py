"""The launcher for the cores of this machine, and those of hydra-submitit-launcher, as a study needs them.

The stock ones of submitit submit all points, done or not, cannot leave without waiting, and give up waiting at the
first dead job.

Hydra imports this file in each command, so that everything heavy is imported in the functions.
"""

import contextlib
import os
from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class CoresLauncher(Launcher):
    """The cores of this machine, each of which trains a run at a time."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:  # noqa: ARG002
        """Note what `launch` needs; the task, one point in whatever process, is not called."""
        self.hydra_context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the points; return nothing, for all that is to be known is in their records."""
        from ibbench.commands.train import sweep_of
        from ibbench.sweep.cores import train_here

        os.environ.update({name: str(value) for name, value in self._config.hydra.job.env_set.items()})
        train_here(sweep_of(self), range(initial_job_idx, initial_job_idx + len(job_overrides)))
        return []


ConfigStore.instance().store(
    group="hydra/launcher", name="ibbench_cores", node={"_target_": f"{__name__}.{CoresLauncher.__name__}"}
)


class _MissingOnly:
    detaches = True  # jobs go on when the command has ended

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the points that are missing; return nothing, for all that is to be known is in their records."""
        from ibbench.commands.train import sweep_of
        from ibbench.sweep.jobs import launch

        state = Singleton.get_state()
        calls = {
            number: (list(overrides), "hydra.sweep.dir", number, f"point_{number}", state)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        }
        launch(sweep_of(self), self, calls)
        return []


with contextlib.suppress(ImportError):  # an extra; `explain` of ibbench.options.compose names it where it is missing
    from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf, SlurmQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import LocalLauncher, SlurmLauncher

    class StudySlurmLauncher(_MissingOnly, SlurmLauncher):
        """Jobs of SLURM, in arrays."""

    class StudyLocalLauncher(_MissingOnly, LocalLauncher):
        """Processes on this machine, started the way that jobs of SLURM are."""

    for name, options, launcher in (
        ("ibbench_slurm", SlurmQueueConf, StudySlurmLauncher),
        ("ibbench_slurm_local", LocalQueueConf, StudyLocalLauncher),
    ):
        target = f"{__name__}.{launcher.__name__}"
        ConfigStore.instance().store(group="hydra/launcher", name=name, node=options(_target_=target))
