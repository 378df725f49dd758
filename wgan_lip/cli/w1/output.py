"""The output of ``wgan-lip w1``: text or JSON."""

import math
from typing import Any

from wgan_lip import __version__
from wgan_lip.cli.w1.comparison import Comparison, Side
from wgan_lip.rounded import at_least, at_most
from wgan_lip.transport import NoiseFloor

_INDENT = 14
_MIB = 2**20


def as_text(comparison: Comparison) -> str:
    """Return the lines for the terminal, each with a label.

    Args:
        comparison: of two sample sets.
    """
    parts = (_sets, _distance, _sliced, _floors, _features, _population, _cost)
    rows = [("", ""), *(row for part in parts for row in part(comparison))]
    return "\n".join(f"{label:<{_INDENT}}{text}".rstrip() for label, text in rows[1:])


def as_record(comparison: Comparison) -> dict[str, Any]:
    """Return the numbers in full precision, for JSON; None for missing ones.

    Args:
        comparison: of two sample sets.
    """
    c, result = comparison, comparison.result
    return {
        "version": __version__,
        "a": _side_record(c.a),
        "b": _side_record(c.b),
        "warning": c.warning,
        "norm": result.norm,
        "seed": c.options.seed,
        "exact": result.exact,
        "value": result.value if result.exact else None,
        "standard_error": result.standard_error if result.exact else None,
        "lower": result.lower,
        "upper": result.upper,
        "gap_relative": _gap(c),
        "method": result.method,
        "sliced": {
            "mean": c.sliced.mean,
            "standard_error": c.sliced.standard_error,
            "maximum": c.sliced.maximum,
            "directions": c.sliced.directions,
        },
        "population": {
            "confidence": c.options.confidence,
            "lower": c.lower and c.lower.value,
            "lower_estimate": c.lower and c.lower.estimate,
            "lower_margin": c.lower and c.lower.margin,
            "lower_interval": c.lower and c.lower.interval,
            "lower_guarantee": c.lower and c.lower.guarantee,
            "upper": c.upper.value,
            "upper_margin": c.upper.margin,
            "upper_guarantee": c.upper.guarantee,
            "sigma": c.options.sigma,
        },
        "features": [
            {
                "name": one.name,
                "value": one.result.value if one.result.exact else None,
                "standard_error": one.result.standard_error if one.result.exact else None,
                "lower": one.result.lower,
                "upper": one.result.upper,
                "noise_floor_a": one.floors[0] and one.floors[0].mean,
                "noise_floor_a_std": one.floors[0] and one.floors[0].std,
                "noise_floor_b": one.floors[1] and one.floors[1].mean,
                "noise_floor_b_std": one.floors[1] and one.floors[1].std,
            }
            for one in c.features
        ],
        "seconds": {"solve": result.seconds, "total": c.seconds},
        "peak_memory_mib": c.peak_memory and c.peak_memory / _MIB,
    }


def _side_record(side: Side) -> dict[str, Any]:
    values = side.samples.values
    return {
        "path": str(side.samples.path),
        "key": side.samples.key,
        "points": len(values),
        "compared": len(side.points),
        "shape": list(values.shape[1:]),
        "scaled_from_uint8": side.samples.scaled,
        "left_out": side.samples.left_out or None,
        "channels_last": side.samples.channels_last,
        "smallest": float(values.min()),
        "largest": float(values.max()),
        "diameter": side.diameter,
        "noise_floor": side.floor
        and {
            "mean": side.floor.mean,
            "std": side.floor.std,
            "values": list(side.floor.values),
            "points": side.floor.size,
        },
    }


_Rows = list[tuple[str, str]]


def _sets(c: Comparison) -> _Rows:
    rows = []
    for label, side in (("A", c.a), ("B", c.b)):
        values = side.samples.values
        shape = "x".join(map(str, values.shape[1:])) or "1"
        drawn = f" (of {len(values):,}, seed {c.options.seed})" if len(side.points) < len(values) else ""
        kind = "uint8 images scaled from 0..255 to [-1, 1]" if side.samples.scaled else f"{values.dtype}"
        if side.samples.channels_last:
            kind += ", channels moved from last to first"
        spread = f"{float(values.min()):.4g} to {float(values.max()):.4g}"
        rows.append(
            (label, f"{side.samples.name}: {len(side.points):,} points{drawn}, shape {shape}, {kind}, {spread}")
        )
        if side.samples.left_out:
            rows.append(("", side.samples.left_out))
    return rows


def _distance(c: Comparison) -> _Rows:
    result = c.result
    if result.exact:
        error = result.standard_error
        # An error of 0 only means that these samples show no variation.
        draw = "" if math.isnan(error) or error == 0 else f"; ± {error:.2g} from draw to draw of independent points"
        value = f"{result.value:.10g} ({result.norm}, exact for these points{draw})"
    else:
        value = (
            f"NOT EXACT: the budget ran out; {at_least(result.lower, 10)} ≤ W1 ≤ {at_most(result.upper, 10)} is proven"
        )
    return [
        ("W1", value),
        ("proof gap", f"{_gap(c):.1e}, relative (bounds {result.lower:.10g} and {result.upper:.10g})"),
    ]


def _sliced(c: Comparison) -> _Rows:
    s = c.sliced
    return [
        ("sliced W1", f"mean {s.mean:.4g}, largest {s.maximum:.4g} of {s.directions} directions: lower bounds of W1")
    ]


def _floors(c: Comparison) -> _Rows:
    sizes = len(c.a.points), len(c.b.points)
    rows = [(f"noise floor {label}", _floor(side, max(sizes), c)) for label, side in (("A", c.a), ("B", c.b))]
    floors = [side.floor.size for side in (c.a, c.b) if side.floor]
    halves = min(len(side.samples.values) // 2 for side in (c.a, c.b))
    if floors and min(floors) < min(sizes):
        remedy = f"--floor-points {min(sizes)}" if halves >= min(sizes) else f"--max-points {min(floors)}"
        rows.append(("", f"for floors at the size of the comparison: {remedy}"))
    return rows


def _floor(side: Side, compared: int, c: Comparison) -> str:
    floor = side.floor
    if floor is None:
        return "none: splits is 0" if c.options.splits == 0 else "unknown: one point cannot be split"
    text = f"{_mean(floor)} at {floor.size:,} against {floor.size:,} points, {_splits(floor)}"
    if floor.size < compared:
        return f"{text}; lower, in the mean, at the size of the comparison"
    return f"{text}; W1 is {c.result.value / floor.mean:.3g} times that" if c.result.exact and floor.mean > 0 else text


def _features(c: Comparison) -> _Rows:
    rows = []
    for one in c.features:
        result = one.result
        if result.exact:
            error = "" if math.isnan(result.standard_error) else f" ± {result.standard_error:.2g}"
            value = f"{result.value:.4g}{error}"
        else:
            value = f"NOT EXACT: {at_least(result.lower)} ≤ W1 ≤ {at_most(result.upper)}"
        floors = [f"{label} {_mean(floor)}" for label, floor in zip("AB", one.floors, strict=True) if floor]
        if one.floors[0] and result.exact and one.floors[0].mean > 0:
            floors.append(f"W1 is {result.value / one.floors[0].mean:.3g} times that of A")
        rows.append((one.name, f"W1 {value}" + (f"; noise floors {', '.join(floors)}" if floors else "")))
    return rows


def _mean(floor: NoiseFloor) -> str:
    return f"{floor.mean:.4g}" + (f" ± {floor.std:.2g}" if len(floor.values) > 1 else "")


def _splits(floor: NoiseFloor) -> str:
    return "1 split" if len(floor.values) == 1 else f"{len(floor.values)} splits"


def _population(c: Comparison) -> _Rows:
    lower, upper = c.lower, c.upper
    low = "unknown" if lower is None else at_least(lower.value)
    high = at_most(upper.value) if upper.guarantee else "unknown"
    rows = [
        ("population", f"{low} ≤ W1(P, Q) ≤ {high}, {c.options.confidence:.4g} confidence, if points are independent")
    ]
    if lower is None:
        rows.append(("", "lower: requires 8 points on either side"))
    else:
        rows.append(
            (
                "",
                f"lower: {lower.estimate:.4g} on held-out points, less {lower.margin:.4g} "
                f"({lower.interval}, {lower.guarantee})",
            )
        )
    if upper.guarantee:
        rows.append(("", f"upper: {upper.w1:.4g} plus {upper.margin:.4g} ({upper.guarantee}; {_assumed(c)})"))
    else:
        rows.append(("", "upper: requires --diameter or --sigma, a known bound of how far P and Q spread"))
    return rows


def _assumed(c: Comparison) -> str:
    known = [] if c.options.sigma is None else [f"sigma {c.options.sigma:.4g}"]
    for label, side in (("A", c.a), ("B", c.b)):
        if side.diameter is not None:
            given = side.diameter == c.options.diameter
            known.append(f"diameter of {label} {side.diameter:.4g}" + ("" if given else ", all images"))
    return ", ".join(known)


def _cost(c: Comparison) -> _Rows:
    rows = [("method", c.result.method), ("time", f"{c.result.seconds:.2f} s; {c.seconds:.2f} s with the statistics")]
    if c.peak_memory is not None:
        rows.append(("peak memory", f"{c.peak_memory / _MIB:.0f} MiB, libraries and samples included"))
    return rows


def _gap(c: Comparison) -> float:
    """``(upper - lower) / upper``; 0 for a distance of 0."""
    return (c.result.upper - c.result.lower) / c.result.upper if c.result.upper > 0 else 0.0
