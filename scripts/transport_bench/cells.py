"""All measurements of one peer on one problem."""

import signal
from dataclasses import dataclass, field
from itertools import product
from statistics import median

import numpy as np

# The values must agree to this, relatively.
TOLERANCE = 1e-9


@dataclass
class Cell:
    """All measurements of one peer on one problem.

    Attributes:
        case, d, n, peer: what was measured.
        status: "ok", "late" (over the time limit), "not tried" (late on fewer points), "too large" or "failed".
        value, seconds, cpu_seconds, bytes, bytes_before: of each repeat: the distance, the time by the clock and on all
            cores (beside other work on the machine the more reliable one), memory, and the memory in use before.
        difference: of the values from ours, relatively; the largest one.
        needed: bytes that it would use, if it is too large.
    """

    case: str
    d: int
    n: int
    peer: str
    status: str = "ok"
    value: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    bytes_before: list[int] = field(default_factory=list)
    difference: float | None = None
    needed: int | None = None

    def add(self, measured: dict[str, float] | None, exitcode: int) -> None:
        """Take in one more measurement."""
        if measured is None:
            self.status = "late" if exitcode == -signal.SIGALRM else "failed"
            return
        for name in ("value", "seconds", "cpu_seconds", "bytes", "bytes_before"):
            getattr(self, name).append(measured[name])

    def compare(self, reference: "Cell") -> None:
        """Set the value beside ours."""
        differences = [relative_difference(*pair) for pair in product(self.value, reference.value)]
        # Unlike max, it does not lose a NaN.
        self.difference = float(np.max(differences)) if differences else None

    def is_wrong(self) -> bool:
        """Whether it failed, or found another value than we did."""
        return self.status == "failed" or (self.difference is not None and not self.difference <= TOLERANCE)

    def describe(self, limit: float) -> str:
        """The cell in a line."""
        if self.status == "ok":
            told = f"{short(self.seconds)} s, {short(self.cpu_seconds)} s of all cores, {short(self.bytes, 1e6)} MB, "
            told += f"W1 {self.value[0]!r}" + ("" if self.difference is None else f", difference {self.difference:.0e}")
        else:
            told = " ".join(self.instead(limit)).strip() or self.status
        return f"{self.case}-{self.d} n={self.n} {self.peer}: {told}"

    def instead(self, limit: float) -> list[str]:
        """Two words for time and memory, where there is no ratio to another cell."""
        return {
            "ok": [f"{short(self.seconds)} s", f"{short(self.bytes, 1e6)} MB"],
            "late": [f"> {limit:g} s", ""],
            "not tried": ["", ""],
            "too large": ["", f"needs {(self.needed or 0) / 1e9:.0f} GB"],
            "failed": ["failed", ""],
        }[self.status]


def relative_difference(a: float, b: float) -> float:
    """Zero if both are zero."""
    return abs(a - b) / (max(abs(a), abs(b)) or 1.0)


def short(values: list[float], unit: float = 1) -> str:
    """The median in three digits, without an exponent; empty without values."""
    if not values:
        return ""
    number = median(values) / unit
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
