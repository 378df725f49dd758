"""Ratios of a GAN's distances to those of real samples against real ones: how far it is, and how much it varies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wgan_lip.report.run_record import Row

Distance: TypeAlias = Literal["exact", "generated_floor"]


@dataclass(frozen=True)
class Ratio:
    """A ratio of two distances.

    Attributes:
        value: of the two.
        error: its standard error, ``value * sqrt((a's / a)^2 + (b's / b)^2)``, as of independent numbers; None where
            that of either is not known.
    """

    value: float
    error: float | None

    @property
    def spread(self) -> tuple[float, float] | None:
        """Two standard errors on either side; None without an error."""
        return None if self.error is None else (self.value - 2 * self.error, self.value + 2 * self.error)

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")


def ratio_to_floor(row: Row, group: str = "w1", of: Literal["exact", "generated_floor"] = "exact") -> Ratio | None:
    """The exact W1, or that of generated samples against others of them, as a multiple of the noise floor.

    Args:
        row: an evaluation.
        group: of the metrics: "w1" for the samples themselves, "w1_pca_32" for those behind a map.
        of: which distance.

    Returns:
        None where either distance is not known.
    """
    value, floor = row[f"{group}/{of}"], row[f"{group}/noise_floor"]
    if value is None or not floor:
        return None
    errors = row[f"{group}/{of}_standard_error"], row[f"{group}/noise_floor_standard_error"]
    if errors[0] is None or errors[1] is None or not value:
        return Ratio(value / floor, None)
    return Ratio(value / floor, value / floor * math.hypot(errors[0] / value, errors[1] / floor))


def map_groups(rows: Sequence[Row]) -> dict[str, str]:
    """The groups of metrics behind maps, such as ``w1_pca_32``, and the names of the maps in words.

    Args:
        rows: of a run.
    """
    names = dict.fromkeys(name for row in rows for name in row.values if name.endswith("/exact"))
    groups = [name.removesuffix("/exact") for name in names]
    return {
        group: group.removeprefix("w1_").replace("_", " ")
        for group in groups
        if group.startswith("w1_") and not group.startswith("w1_averaged")
    }


def diversity_sentence(row: Row) -> str:
    """Say that generated samples vary less than real ones, where that is beyond five standard errors.

    Args:
        row: an evaluation.

    Returns:
        "" where they do not, or where it is not known.
    """
    ratio = ratio_to_floor(row, of="generated_floor")
    if ratio is None or ratio.error is None or ratio.value + 5 * ratio.error >= 1:
        return ""
    return (
        f"The generator lacks diversity: its samples are {ratio} times as far from each other as real ones are, so "
        "they repeat each other or leave kinds of samples out, and an exact W1 near the noise floor does not mean that "
        "it is good."
    )
