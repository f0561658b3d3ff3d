"""The launchers of hydra-submitit-launcher and hydra-joblib-launcher, as a study needs them.

The stock ones of submitit submit all points, done or not, cannot leave without waiting, and give up waiting at the
first dead job. That of joblib kills its processes when the command is interrupted, before they can save their states.
"""

import contextlib
from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn


class _MissingOnly:
    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the points that are missing; return nothing, for all that is to be known is in their records."""
        from ibbench.sweep.jobs import launch

        launch(self, job_overrides, initial_job_idx)
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

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            """Run the points; when the command is to stop, wait for what is being saved."""
            from ibbench.sweep.workers import saved_before_they_end

            with saved_before_they_end():
                return super().launch(job_overrides, initial_job_idx)

    target = f"{__name__}.{StudyProcessLauncher.__name__}"
    ConfigStore.instance().store(group="hydra/launcher", name="ibbench_processes", node=JobLibLauncherConf(target))
