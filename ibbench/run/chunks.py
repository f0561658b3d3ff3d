"""Work on one chunk after another in the processes of all cores, in order, with a few chunks in memory at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ibbench.errors import InputError

_AHEAD = 2  # chunks per process that are handed out before the first of them is asked for
T = TypeVar("T")
R = TypeVar("R")


def map_chunks(work: Callable[[T], R], chunks: Iterable[T], processes: int) -> Iterator[R]:
    """Return what `work` makes of each chunk, in their order.

    Args:
        work: a function that other processes can import, with arguments that can be sent to them.
        chunks: what it works on; they are taken as they are needed.
        processes: how many work at a time; with 1 it is this process.

    Raises:
        InputError: a process was ended from outside.
    """
    if processes == 1:
        yield from map(work, chunks)
        return
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    executor = get_reusable_executor(processes)
    waiting: deque = deque()
    try:
        for chunk in chunks:
            waiting.append(executor.submit(work, chunk))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except TerminatedWorkerError:
        raise InputError(
            "a process that predicted was ended from outside, as where memory runs out: nothing was written"
        ) from None
    finally:
        executor.shutdown(kill_workers=True)  # they would keep their memory for minutes
