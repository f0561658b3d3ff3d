"""Writing files so that a reader, a crash or a second process never sees half of one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` to a temporary name in the same folder, fsync it, and rename it to `path`.

    Raises:
        OSError: nothing was written (full disk, no permission); the temporary file is gone and what stood
            at `path` before still stands.
    """
    with open_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in the same folder; at the end of the `with` block it is fsynced and renamed to `path`.

    Raises:
        OSError: the file cannot be written. Then, and whenever the block ends by an error, `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        os.close(descriptor)
        with Path(temporary).open("wb") as file:  # by its name, which `file.name` then has
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp's 0600 would hide shared results from colleagues
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
