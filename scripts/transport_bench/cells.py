"""All measurements of one peer on one problem."""

import signal
from dataclasses import dataclass, field
from itertools import product
from statistics import median

import numpy as np

# Values must agree up to this relative difference.
TOLERANCE = 1e-9


@dataclass
class Cell:
    """All measurements of one peer on one problem.

    Attributes:
        case, d, n, peer: what was measured.
        status: "ok", "late" (over the time limit), "not tried" (late on fewer points), "too large" or "failed".
        value, seconds, cpu_seconds, bytes, bytes_before: of each repeat: the distance, wall time, time of all cores
            (more reliable than wall time if the machine does other work), memory, and the memory in use before.
        difference: largest relative difference of the values from ours.
        needed: bytes that the peer would use, if they are too many.
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
        """Add a measurement."""
        if measured is None:
            self.status = "late" if exitcode == -signal.SIGALRM else "failed"
            return
        for name in ("value", "seconds", "cpu_seconds", "bytes", "bytes_before"):
            getattr(self, name).append(measured[name])

    def compare(self, reference: "Cell") -> None:
        """Compare the values with ours."""
        differences = [relative_difference(*pair) for pair in product(self.value, reference.value)]
        # Unlike max, NumPy returns NaN if there is one.
        self.difference = float(np.max(differences)) if differences else None

    def is_wrong(self) -> bool:
        """Return whether the peer failed, or its value differs from ours."""
        return self.status == "failed" or (self.difference is not None and not self.difference <= TOLERANCE)

    def describe(self, limit: float) -> str:
        """Describe the cell in a line."""
        if self.status == "ok":
            text = f"{short(self.seconds)} s, {short(self.cpu_seconds)} s of all cores, {short(self.bytes, 1e6)} MB, "
            text += f"W1 {self.value[0]!r}" + ("" if self.difference is None else f", difference {self.difference:.0e}")
        else:
            text = " ".join(self.instead(limit)).strip() or self.status
        return f"{self.case}-{self.d} n={self.n} {self.peer}: {text}"

    def instead(self, limit: float) -> list[str]:
        """Return the texts for time and memory where there is no ratio to another cell."""
        return {
            "ok": [f"{short(self.seconds)} s", f"{short(self.bytes, 1e6)} MB"],
            "late": [f"> {limit:g} s", ""],
            "not tried": ["", ""],
            "too large": ["", f"needs {(self.needed or 0) / 1e9:.0f} GB"],
            "failed": ["failed", ""],
        }[self.status]


def relative_difference(a: float, b: float) -> float:
    """Compute the relative difference of two numbers; 0 if both are 0."""
    return abs(a - b) / (max(abs(a), abs(b)) or 1.0)


def short(values: list[float], unit: float = 1) -> str:
    """Format the median with three digits and without an exponent; empty without values."""
    if not values:
        return ""
    number = median(values) / unit
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
