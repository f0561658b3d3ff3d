"""When the state of a training is saved, and what happens if it cannot be."""

import time

from ibbench.record.lease import Lease
from ibbench.run.interrupt import asked
from ibbench.terminal import say
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.state import State


class Saving:
    """Decides when a state is saved, and lets the training go on if it cannot be saved.

    Args:
        checkpoints: files that states are saved in.
        lease: lock of the run's folder, which this process holds.
        seconds: shortest time between two saves; 0 to save after every validation.
        name: name of the training, for messages.
    """

    def __init__(self, checkpoints: Checkpoints, lease: Lease, seconds: float, name: str) -> None:
        self._checkpoints, self._lease, self._seconds, self._name = checkpoints, lease, seconds, name
        self._saved_at = time.monotonic()
        self._failed = False

    def is_due(self, validated: bool = False) -> bool:
        """Whether to save now: a signal has asked to stop, or enough time has passed since the last save.

        With `trainer.checkpoint_seconds=0` it is time after every validation.
        """
        if not self._seconds:
            return asked() or validated
        return asked() or time.monotonic() - self._saved_at >= self._seconds

    def save(self, state: State) -> None:
        """Save the state. If the disk is full, the training goes on: there may be room for its results later.

        Raises:
            LostError: this process no longer holds the lock of the run.
        """
        self._lease.check()
        try:
            self._checkpoints.save(state)
        except OSError as error:
            if not self._failed:
                say(f"{self._name}: its state cannot be saved: {error.strerror or error}. The training goes on")
            self._failed = True
        self._saved_at = time.monotonic()
