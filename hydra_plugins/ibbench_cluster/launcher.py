"""The launchers of hydra-submitit-launcher and hydra-joblib-launcher, as a study needs them.

The stock ones of submitit submit all points, done or not, cannot leave without waiting, and give up waiting at the
first dead job. That of joblib kills its processes when the command is interrupted, before they can save their states.

Hydra imports this file in each command, so that everything heavy is imported in the functions.
"""

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn


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


with contextlib.suppress(ImportError):
    from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf
    from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher

    class StudyProcessLauncher(JoblibLauncher):
        """Processes on this machine, some at a time."""

        def setup(self, **given: Any) -> None:
            """Have the points run by workers that stop when they are told to."""
            from ibbench.sweep.workers import run_in_worker

            super().setup(**given | {"task_function": partial(run_in_worker, given["task_function"])})

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            """Run the points. When the command is to stop, wait for what is being saved.

            Raises:
                SystemExit: a worker was killed, which has ended the others; the study is tabulated.
            """
            from concurrent.futures import BrokenExecutor

            from ibbench.commands.train import FAILED, sweep_of
            from ibbench.sweep.workers import saved_before_they_end
            from ibbench.terminal import say

            try:
                with saved_before_they_end():
                    return super().launch(job_overrides, initial_job_idx)
            except BrokenExecutor:
                say("A process of +cluster=processes was killed, and the others ended with it.")
                sweep_of(self).finish(wait=False)
                raise SystemExit(FAILED) from None

    target = f"{__name__}.{StudyProcessLauncher.__name__}"
    ConfigStore.instance().store(group="hydra/launcher", name="ibbench_processes", node=JobLibLauncherConf(target))
