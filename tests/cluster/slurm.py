"""A real SLURM of one node, on loopback, for as long as a test needs it."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
_READY_WITHIN = 30.0
_GONE_WITHIN = 10.0

# The node has two CPUs on every machine (config_overrides), so that two jobs run side by side. Nothing limits memory.
# SLURM holds a requeued job back until the credentials of its first start expire: two minutes, unless `cred_expire` is
# set. A finished job stays known for an hour.
_CONFIGURATION = """\
ClusterName=ibbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={short}/munge,cred_expire=5
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1,sched_min_interval=0
ReturnToService=2
KillWait=5
MinJobAge=3600
StateSaveLocation={short}/state
SlurmdSpoolDir={short}/spool
SlurmctldPidFile={short}/slurmctld.pid
SlurmdPidFile={short}/slurmd.pid
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=16000
PartitionName=debug Nodes={host} Default=YES MaxTime=60 State=UP
"""


def why_no_slurm() -> str:
    """Say in a line why no SLURM can run here; empty if one can."""
    missing = [program for program in _PROGRAMS if shutil.which(program, path=_PATH) is None]
    if missing:
        return f"SLURM is not installed: no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "only root can run SLURM's daemons"


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Run a SLURM; whatever happens, none of its processes is left at the end.

    Args:
        folder: An empty folder, for the configuration and the logs.

    Yields:
        The environment of commands that use this SLURM.
    """
    daemons: list[subprocess.Popen[bytes]] = []
    # SLURM and munge open sockets, whose paths may have 107 characters: a test's own folder can be too deep.
    with TemporaryDirectory(prefix="slurm-", dir="/tmp") as short:
        environment = _configure(folder, short)
        try:
            for command in (_munged(short), ["slurmctld", "-D"], ["slurmd", "-D"]):
                with Path(folder, f"{command[0]}.out").open("wb") as output:
                    # In a session of its own: a Ctrl-C is for the tests, which then stop SLURM.
                    daemons.append(
                        subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
                    )
            _wait_until_ready(daemons, folder, environment)
            yield environment
        finally:
            _kill(folder)
            for daemon in daemons:
                daemon.wait()


def ask_slurm(environment: dict[str, str], *command: str) -> str:
    """Run one of SLURM's commands and return what it prints; a failure is an error with its message."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def task_process(environment: dict[str, str], job: str) -> int:
    """Find the process that `srun` started in a running job, such as 12 or 12_3, and not the job's own shell."""
    number = ask_slurm(environment, "squeue", "-h", "-o", "%A", "-j", job)
    rows = [row.split() for row in ask_slurm(environment, "scontrol", "listpids", f"{number}.0").splitlines()[1:]]
    return next(int(pid) for pid, _, _, task, _ in rows if task == "0")


def processes(folder: Path) -> list[int]:
    """Find the processes of the SLURM in a folder: its daemons, its jobs, and the commands that use it."""
    mark, log = f"SLURM_CONF={folder / 'slurm.conf'}\0".encode(), (folder / "slurmd.log").resolve()
    found, parents = set(), {}
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[pid] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            # slurmstepd writes its title over its environment, but logs where slurmd does.
            if mark in (process / "environ").read_bytes() or log in {file.resolve() for file in process.glob("fd/*")}:
                found.add(pid)
    found.discard(os.getpid())
    while children := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= children
    return sorted(found)


def _configure(folder: Path, short: str) -> dict[str, str]:
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, short=short, host=host, ports=_free_ports()))
    key = Path(short, "key")
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    return {**inherited, "PATH": _PATH, "SLURM_CONF": str(configuration)}


def _munged(short: str) -> list[str]:
    files = [f"--{name}-file={short}/{name}" for name in ("key", "pid", "seed")]
    return ["munged", "--foreground", "--force", f"--socket={short}/munge", *files]


def _free_ports() -> list[int]:
    """Choose below the ports that the system gives to connections, or one could take ours before a daemon does."""
    with contextlib.ExitStack() as bound:
        ports: list[int] = []
        while len(ports) < 2:
            port = random.SystemRandom().randrange(20_000, 32_000)
            with contextlib.suppress(OSError):
                bound.enter_context(socket.create_server(("", port)))
                ports.append(port)
        return ports


def _wait_until_ready(daemons: list[subprocess.Popen[bytes]], folder: Path, environment: dict[str, str]) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and all(daemon.poll() is None for daemon in daemons):
        asked = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.1)
    tails = [f"{log.name}:\n{log.read_text(errors='replace')[-2000:]}" for log in sorted(folder.glob("*.out"))]
    raise RuntimeError("\n".join(["SLURM does not start", *tails]))


def _kill(folder: Path) -> None:
    """Kill the jobs with the daemons: a job that is cancelled may take as long as SLURM's KillWait."""
    deadline = time.monotonic() + _GONE_WITHIN
    while pids := processes(folder):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{pids} outlive their SLURM")
        time.sleep(0.05)
