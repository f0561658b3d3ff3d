"""A process that takes measurements one after another, and is replaced when one takes too long or breaks it."""

import contextlib
import gc
import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from typing import Self

from ibbench.speed.survey.folder import Status, Taken
from ibbench.speed.survey.measurement import Measurement

_PATIENCE_SECONDS = 10.0  # for a process to end by itself


class Surveyor:
    """The process that measures: on a GPU an error can leave it unusable, so that it must not be the command's own.

    Args:
        device: the device and the version of torch, for the files.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._channel: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def take(self, measurement: Measurement) -> Taken:
        """Take a measurement within its limit."""
        started = time.perf_counter()
        status, rows, message = self._ask(measurement)
        if status != "done":
            self._end()
        seconds = time.perf_counter() - started
        name, kind, overrides, *_ = measurement
        return Taken(name, kind, status, rows, seconds, message, self._device, overrides)

    def _ask(self, measurement: Measurement) -> tuple[Status, list[dict[str, object]], str]:
        if self._channel is None:
            self._begin()
        assert self._channel
        try:
            self._channel.send(measurement)
            if not self._channel.poll(measurement.limit_seconds):
                return "too slow", [], f"it took longer than {measurement.limit_seconds:.0f} s"
            rows, message = self._channel.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE_SECONDS)
            return "failed", [], f"its process ended with exit code {self._process.exitcode}"
        return ("failed" if message else "done"), rows, message

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA cannot be used in a fork
        self._channel, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end,), daemon=True)
        self._process.start()
        far_end.close()

    def _end(self) -> None:
        if self._channel is None:
            return
        self._channel.close()
        self._channel = None
        self._process.join(0.1)
        self._process.kill()
        self._process.join()


def _serve(channel: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this process
    import torch

    from ibbench.speed.survey.take import take

    with contextlib.suppress(EOFError, OSError):
        while True:
            measurement: Measurement = channel.recv()
            try:
                channel.send((take(measurement), ""))
            except Exception as error:  # whatever fails, the others go on
                channel.send(([], f"{type(error).__name__}: {error}".splitlines()[0]))
            # What was compiled for one measurement would take the memory of the next.
            torch.compiler.reset()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
