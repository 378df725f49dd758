"""Exact W1 of two sample sets beside its noise floors, its population bracket and its cost; and its progress."""

import math
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wgan_lip.cli.w1.arguments import Options
from wgan_lip.cli.w1.progress import Display
from wgan_lip.files import FileSamples, different_scales
from wgan_lip.randomness import keyed_generator
from wgan_lip.transport import (
    FEWEST_SAMPLES,
    LowerBound,
    NoiseFloor,
    SlicedW1,
    UpperBound,
    W1Result,
    box_diameter,
    noise_floor,
    population_upper,
    sliced_wasserstein1,
    split_lower,
    spreads,
    wasserstein1,
)

# Points of either side that fit a critic for the population's lower bound; the others are its scores. Of 20,000 in
# R^64, 2,000 certified no less than 4,000, in less than half the time.
_MOST_FITTED = 2000
# Points of A that give principal axes, at most.
_MOST_AXES_FROM = 10_000
_MIB = 2**20


@dataclass(frozen=True)
class Side:
    """One of the two sample sets.

    Attributes:
        samples: all of them.
        points: those compared, shape (n, d).
        diameter: of the support, as given or as known of images; None if unknown.
        floor: its noise floor; None if there are too few points, or ``--splits 0``.
    """

    samples: FileSamples
    points: NDArray[np.floating]
    diameter: float | None
    floor: NoiseFloor | None


@dataclass(frozen=True)
class Behind:
    """The two sets on principal axes of A.

    Attributes:
        name: "pca-K".
        result: of the exact solve; a lower bound of the distance between the sets.
        floors: noise floors of A and of B there.
    """

    name: str
    result: W1Result
    floors: tuple[NoiseFloor | None, NoiseFloor | None]


@dataclass(frozen=True)
class Comparison:
    """The result of the command.

    Attributes:
        options: of the command.
        warning: that the sets evidently have different scales; None if they do not.
        a, b: the two sets.
        result: of the exact solve.
        sliced: lower bounds by projection.
        lower: lower confidence bound of the population's W1; None if there are too few points.
        upper: upper confidence bound; infinite if nothing is known of the supports.
        features: the two sets on principal axes.
        seconds: wall time without reading the files.
        peak_memory: of the process in bytes, with libraries and samples; None on systems that do not report it.
    """

    options: Options
    warning: str | None
    a: Side
    b: Side
    result: W1Result
    sliced: SlicedW1
    lower: LowerBound | None
    upper: UpperBound
    features: tuple[Behind, ...]
    seconds: float
    peak_memory: int | None


def compare(a: FileSamples, b: FileSamples, options: Options, display: Display) -> Comparison:
    """Compare two sample sets.

    Args:
        a: the one.
        b: the other, of samples of the same shape.
        options: what was asked for.
        display: told of each stage, and of the solver's progress.

    Raises:
        ValueError: samples of different shapes, a diameter that the samples contradict, or as ``wasserstein1``.
        UnprovenError: as ``wasserstein1``.
    """
    start = time.perf_counter()
    _check_shapes(a, b)
    scales = different_scales(a.values, b.values, (a.name, b.name), a.scaled or b.scaled)
    diameters = _diameter(a, options), _diameter(b, options)
    sigmas = options.sigma, options.sigma
    x, y = _drawn(a, "a", options), _drawn(b, "b", options)
    for spread, points, samples in zip(spreads(diameters, sigmas), (x, y), (a, b), strict=True):
        spread.check_points(points.astype(np.float64), samples.name, options.norm)

    display.stage("A against B")
    memory = None if options.memory_budget is None else options.memory_budget * _MIB
    result = wasserstein1(
        x,
        y,
        norm=options.norm,
        method=options.method,
        progress=display.solver,
        time_budget=options.time_budget,
        memory_budget=memory,
    )
    display.stage("sliced W1")
    sliced = sliced_wasserstein1(x, y, norm=options.norm, generator=_stream(options, "directions"))
    display.stage("population bracket")
    delta = (1 - options.confidence) / 2
    lower = None
    if min(len(x), len(y)) >= FEWEST_SAMPLES:
        lower = split_lower(
            x,
            y,
            delta=delta,
            diameter=diameters,
            sigma=sigmas,
            norm=options.norm,
            most_fitted=_MOST_FITTED,
            generator=_stream(options, "held out"),
        )
    upper = population_upper(result.upper, len(x), len(y), delta=delta, diameter=diameters, sigma=sigmas)
    floors = []
    for samples, name in ((a, "a"), (b, "b")):
        display.stage(f"noise floor of {name.upper()}")
        floors.append(_floor(samples.values, name, min(len(x), len(y)), options))
    features = []
    for count in options.features:
        display.stage(f"pca-{count}")
        features.append(_behind(count, a, b, x, y, options))
    return Comparison(
        options=options,
        warning=scales,
        a=Side(a, x, diameters[0], floors[0]),
        b=Side(b, y, diameters[1], floors[1]),
        result=result,
        sliced=sliced,
        lower=lower,
        upper=upper,
        features=tuple(features),
        seconds=time.perf_counter() - start,
        peak_memory=_peak_memory(),
    )


def _check_shapes(a: FileSamples, b: FileSamples) -> None:
    """Refuse images of different shapes, whose pixels flattening would reorder; a flat set must only have as many."""
    first, second = ([size for size in samples.values.shape[1:] if size != 1] for samples in (a, b))
    if math.prod(first) != math.prod(second) or (first != second and min(len(first), len(second)) > 1):
        raise ValueError(
            f"samples must have the same shape; got {a.values.shape[1:]} in {a.name} and "
            f"{b.values.shape[1:]} in {b.name}"
        )


def _diameter(samples: FileSamples, options: Options) -> float | None:
    """Return the diameter of the support: of the option, or of the box that contains all images."""
    if not samples.scaled:
        return options.diameter
    box = box_diameter(2, math.prod(samples.values.shape[1:]), options.norm)
    return box if options.diameter is None else min(box, options.diameter)


def _drawn(samples: FileSamples, name: str, options: Options) -> NDArray[np.floating]:
    """Return the points to compare, shape (n, d): all, or a random subset."""
    points = samples.values.reshape(len(samples.values), -1)
    if options.max_points is None or len(points) <= options.max_points:
        return points
    order = torch.randperm(len(points), generator=_stream(options, "points", name)).numpy()
    return points[order[: options.max_points]]


def _behind(
    count: int, a: FileSamples, b: FileSamples, x: NDArray[np.floating], y: NDArray[np.floating], options: Options
) -> Behind:
    """Compare the sets on the first principal axes of A; each floor is drawn from all points, as without axes."""
    # Imported where it is used, because it takes seconds.
    from wgan_lip.evaluation import principal_axes

    drawn = torch.from_numpy(a.values[: min(len(a.values), _MOST_AXES_FROM)])
    phi = principal_axes(drawn, count, options.norm)

    def mapped(points: NDArray[np.floating]) -> NDArray[np.floating]:
        return phi(torch.from_numpy(points.reshape(len(points), -1))).values.numpy()

    result = wasserstein1(mapped(x), mapped(y), norm=phi.norm, time_budget=options.time_budget)
    compared = min(len(x), len(y))
    floors = _floor(mapped(a.values), "a", compared, options), _floor(mapped(b.values), "b", compared, options)
    return Behind(f"pca-{count}", result, floors)


def _floor(values: NDArray[np.floating], name: str, compared: int, options: Options) -> NoiseFloor | None:
    half = len(values) // 2
    if half < 1 or options.splits < 1:
        return None
    return noise_floor(
        values,
        size=min(compared, half, options.floor_points),
        splits=options.splits,
        norm=options.norm,
        generator=_stream(options, "noise floor", name),
    )


def _stream(options: Options, *key: str) -> torch.Generator:
    return keyed_generator(options.seed, "w1", *key)


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:
        # Windows has none.
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
