"""A cache of measured figures, by everything that they depend on, so that no figure is measured twice."""

import contextlib
import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import scipy
import torch
from torch import Tensor

import ibbench
from ibbench.data.cache import cache_folder, write_to_cache
from ibbench.errors import InputError
from ibbench.plugins.registry import plugin_of
from ibbench.probes import Finding, Probe
from ibbench.probes.subject.subject import Subject
from ibbench.record.folder import HISTORY, WEIGHTS
from ibbench.training.device import choose_device

_FOLDER = "probes"
_NAMES = {"seeds", "targets"}  # facts of a run that do not change the figures of one seed and target


class Kept:
    """Measures subjects, or reads the figures of an earlier measurement from the cache.

    Attributes:
        num_measured: number of measurements that were made.
        num_read: number of measurements that were read from the cache.
    """

    def __init__(self) -> None:
        self.num_measured = self.num_read = 0

    def findings(self, subject: Subject, name: str, probe: Probe) -> list[Finding]:
        """Return the figures of a probe on a subject, from the cache if they were measured before.

        Args:
            subject: the model that is measured.
            name: the name of the probe.
            probe: the probe.
        """
        path = _path_of(subject, name)
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = [Finding(*row) for row in json.loads(path.read_text())]
            self.num_read += 1
            return found
        found = list(probe.measure(subject))
        self.num_measured += 1
        _keep(path, [list(finding) for finding in found])
        return found

    def predictions(self, subject: Subject) -> Tensor:
        """Return the normalised predictions of the test molecules, float32 `[m]` on the CPU."""
        path = _path_of(subject, "predictions")
        with contextlib.suppress(OSError, ValueError, TypeError):
            return torch.tensor(json.loads(path.read_text()), dtype=torch.float32)
        found = subject.predictions.cpu()
        _keep(path, found.tolist())
        return found


def _keep(path: Path, content: object) -> None:
    with contextlib.suppress(InputError):  # a cache that cannot be written costs time, and no figure
        write_to_cache(path, json.dumps(content).encode())


def _path_of(subject: Subject, what: str) -> Path:
    """Return the cache file of a measurement, named by a digest of all that its figures depend on.

    These are the options, the data, the weights, the code of ibbench, versions of libraries, and the device.
    """
    facts = {name: value for name, value in subject.point.facts.items() if name not in _NAMES}
    left = [_digest_of(subject.run / name) for name in (WEIGHTS, HISTORY)] if subject.run else []
    versions = [torch.__version__, np.__version__, scipy.__version__, torch.get_num_threads()]
    device = choose_device(subject.point.config.device).type
    plugin = plugin_of("probe", what)
    key = [
        what, facts, subject.seed, subject.targets, subject.moment, subject.limit, left, _digest_of_code(), versions,
        device, *([plugin.digest] if plugin else []),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:32]
    return cache_folder() / _FOLDER / f"{digest}.json"


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@functools.cache
def _digest_of_code() -> str:
    """Return a digest of all code of ibbench: after any change of the code, everything is measured anew."""
    digest = hashlib.sha256()
    for path in sorted(Path(ibbench.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
