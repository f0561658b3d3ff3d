"""The device that a run trains on, and the memory that it takes there."""

import contextlib
import platform
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import joblib
import psutil
import torch

from ibbench.errors import InputError


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda` or `cuda:N`; for `cuda:all` it is the first GPU.

    Raises:
        InputError: it is no such name, or a GPU was asked for and there is none, or not that many.
    """
    count = count_gpus()
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if not re.fullmatch(r"auto|cuda(:(\d+|all))?", name):
        raise InputError(f"`device={name}` is not possible: expected auto, cpu, cuda or cuda:N")
    number = int(name.removeprefix("cuda:")) if name[-1].isdigit() else 0
    if number >= count:
        found = f"{count} CUDA devices" if count else "no CUDA device"
        raise InputError(f"`device={name}` is not possible: torch sees {found}; expected auto or cpu")
    return _take_gpu(number, named=name[-1].isdigit())


def count_gpus() -> int:
    """Return how many GPUs torch sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _take_gpu(number: int, named: bool) -> torch.device:
    """Return a GPU, which is torch's current one unless it is named by its number, and prepare it for use."""
    torch.cuda.init()  # memory statistics cannot be reset before this
    return torch.device("cuda", number) if named else torch.device("cuda")


def count_cores() -> int:
    """Return how many cores this process may use: those that it is bound to, within the quota of its cgroup."""
    return joblib.cpu_count()


@contextlib.contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Let torch compute with one thread inside a `with` block, if the device is the CPU.

    Sums over several threads are rounded differently, so that the numbers of a run would depend on the number of
    cores. Packs that train side by side use the other cores.
    """
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def set_precision(precision: str) -> None:
    """Set the precision of matrix products of float32 on GPUs in this process: of TensorFloat-32 only with `tf32`.

    Layers of cuDNN, such as recurrent ones, would by themselves use TensorFloat-32
    (https://docs.pytorch.org/docs/stable/notes/cuda.html).
    """
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def describe_device(device: torch.device) -> str:
    """Name the device for a record: the GPU's name, or the processor's and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({_processor()}, {torch.get_num_threads()} threads)"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def free_memory(device: torch.device) -> int:
    """Return how many bytes can still be allocated on the device: on a CPU, within the limits of its cgroups."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([int(psutil.virtual_memory().available), *cgroup_memory()])


def cgroup_memory(mount: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Return how many bytes each control group of this process leaves it; nothing for those without a limit.

    A container or a SLURM job is such a group: its processes are killed when they take more than its limit, however
    much memory the machine has. Inactive pages of a group's page cache count as free, since the kernel gives them back.
    Control groups of version 2 and of version 1 are read (https://docs.kernel.org/admin-guide/cgroup-v2.html,
    cgroup-v1/memory.html).

    Args:
        mount: the folder where the file system of control groups is mounted.
        membership: the file that names the groups of this process, one per line as `number:controllers:path`.
    """
    left = []
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                base, names = mount, ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                base = mount / "memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            group = base / path.lstrip("/")
            # The limit of a group also holds for the groups inside it. In a container, the path may be one of the host,
            # which does not exist there: the mount is then the container's own group.
            for folder in (group, *group.parents):
                left += _left_in_group(folder, *names)
                if folder == base:
                    break
    return left


def _left_in_group(folder: Path, limit: str, usage: str, reclaimable: str) -> list[int]:
    with contextlib.suppress(OSError, ValueError, KeyError):  # no such group, or the limit is `max`
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return [max(0, most - used + int(statistics[reclaimable]))]
    return []


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement of the peak memory, where the platform allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # Linux: sets the process's peak to its present size


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory since the last reset, in 10^6 bytes: of the GPU's allocator, or of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
