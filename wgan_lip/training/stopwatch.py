"""What a training step takes."""

import time


class Stopwatch:
    """Times steps, and gives their mean since it was last asked.

    On a GPU, where a step is over before its work is done, single steps say little; the mean of many is right.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._seconds = 0.0
        self._steps = 0

    def begin(self) -> None:
        """A step begins."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """It is over; nothing happens if none began."""
        if self._began is not None:
            self._seconds += time.perf_counter() - self._began
            self._steps += 1
            self._began = None

    def mean(self) -> float | None:
        """Seconds of a step, on average since the last call; None if none was timed since."""
        if not self._steps:
            return None
        mean = self._seconds / self._steps
        self._seconds, self._steps = 0.0, 0
        return mean
