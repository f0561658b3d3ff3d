"""Work on many chunks in parallel processes; results come in order, and few chunks are in memory at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ibbench.errors import InputError

_AHEAD = 2  # chunks per process that are handed out before the result of the first one is awaited
T = TypeVar("T")
R = TypeVar("R")


def map_chunks(work: Callable[[T], R], chunks: Iterable[T], processes: int) -> Iterator[R]:
    """Yield the result of `work` for each chunk, in the order of the chunks.

    Args:
        work: function that other processes can import; chunks and results must be picklable.
        chunks: arguments of the function, taken one by one as they are needed.
        processes: number of processes that work at a time; 1 for this process alone.

    Raises:
        InputError: a process was killed, such as for lack of memory.
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
