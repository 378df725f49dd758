"""Exact Wasserstein-1 distance between two weighted sample sets."""

import math
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from scipy.sparse import coo_array

from wgan_lip.memory import require_memory
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.result import Budget, BudgetSpentError, Progress, ProgressCallback, UnprovenError, W1Result
from wgan_lip.transport.rounding import gradual_underflow, rounded_down, rounded_up, underflow_bound
from wgan_lip.transport.samples import FloatArray, Samples, Weights, as_potentials
from wgan_lip.transport.solvers.assignment import solve_assignment
from wgan_lip.transport.solvers.bracket import Bracket
from wgan_lip.transport.solvers.column_generation import solve_column_generation
from wgan_lip.transport.solvers.pricing import FEW_COORDINATES, Pricer, levels
from wgan_lip.transport.solvers.problem import Problem, ScaledProblem, prepare
from wgan_lip.transport.solvers.real_line import solve_sorted
from wgan_lip.transport.solvers.simplex import solve_network_simplex
from wgan_lip.transport.solvers.standard_error import standard_error_of

Method: TypeAlias = Literal["auto", "sort", "assignment", "network-simplex", "column-generation"]

# The proof must close to this gap, relative to the value; a value of zero is proven by bounds of zero.
_RELATIVE_GAP = 1e-9
# Problems of at most this many arcs are solved on all of them, in few coordinates and in more: measured by
# scripts/bench_transport.py.
_FEW_ARCS_FLAT, _FEW_ARCS = 2200 * 2200, 1200 * 1200
# Bytes that the dense solver uses for an arc, and column generation for a point and for each of its coordinates.
_BYTES_AN_ARC, _BYTES_A_POINT, _BYTES_A_COORDINATE = 45, 12_000, 24


@gradual_underflow()
def wasserstein1(
    x: Samples,
    y: Samples,
    *,
    x_weights: Weights | None = None,
    y_weights: Weights | None = None,
    norm: Norm = "l2",
    method: Method = "auto",
    initial_potentials: tuple[Weights, Weights] | None = None,
    progress: ProgressCallback | None = None,
    time_budget: float | None = None,
    memory_budget: float | None = None,
    device: torch.device | str = "cpu",
) -> W1Result:
    """Compute the exact W1 distance of two weighted sample sets, with a proof.

    ``W1 = min_plan sum_ij plan_ij |x_i - y_j| = max_(f_i + g_j <= |x_i - y_j|) sum_i a_i f_i + sum_j b_j g_j``

    Both sides are computed: the cost of the plan bounds the distance from above, potentials that were repaired to
    feasibility bound it from below, and the two bounds must agree to 1e-9, relatively (before results that are
    subnormal numbers are rounded outwards). A distance below 1e-280 of the largest coordinate is not proven.

    Args:
        x: floating-point tensor or array of shape (n, ...); axes after the first are flattened, and
            (n,) is n points on the real line. A tensor on an accelerator is copied to the CPU.
        y: likewise, shape (m, ...), of the same dimension.
        x_weights: non-negative, of sum 1, shape (n,); equal weights if None. Weights that differ are rounded to
            multiples of 2**-52, and the proof holds for the rounded ones.
        y_weights: likewise, shape (m,).
        norm: the ground norm: "l2", "l1" or "linf".
        method: "sort" (one dimension only), "assignment" (scipy; equally many, equally heavy points), "network-simplex"
            (POT, on all n m arcs), "column-generation" (POT on few arcs; memory grows with n + m), or "auto": the
            fastest for the size.
        initial_potentials: values near the optimal potentials, shapes (n,) and (m,), feasible or not: those of a
            similar problem, or f(x) and -f(y) of a critic f. They change the time, not the result.
        progress: called after each step of a column generation.
        time_budget: seconds after which a column generation ends with its current bracket (the clock is checked
            between blocks of prices, not within the simplex).
        memory_budget: bytes that the solver may use; by default what the machine has available. A column
            generation that would exceed it ends with its current bracket; the dense solver does not start.
        device: where a column generation prices arcs.

    Returns:
        The distance in the units of the samples, its bounds, potentials and plan. It is the distance
        between the *samples*; for the distance between their distributions see ``population_bracket``.
        Only if a budget ran out, ``exact`` is false and there is no value.

    Raises:
        ValueError: NaN, infinity, an empty set, dimensions that differ, numbers that are not floating
            point of at most 64 bits, weights that are negative or do not sum to 1, distances that overflow,
            an unknown norm or method or one that does not apply, more points than memory allows.
        TypeError: not a tensor or array.
        UnprovenError: no proof of optimality was reached; an unproven value is never returned.

    Source:
        Peyre, Cuturi, "Computational Optimal Transport", 2019, equations (2.11) and (2.20).

    Example:
        >>> x = np.array([[0.0, 0.0], [1.0, 0.0]])
        >>> y = np.array([[0.0, 2.0], [1.0, 4.0]])
        >>> result = wasserstein1(x, y)
        >>> result.value
        3.0
        >>> result.lower <= result.value <= result.upper  # the proof
        True
    """
    check_norm(norm)
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}; got method={method!r}")
    for name, limit in (("time_budget", time_budget), ("memory_budget", memory_budget)):
        if limit is not None and not limit >= 0:
            raise ValueError(f"{name} must be at least 0; got {name}={limit}")
    budget = Budget(time_budget, memory_budget)
    scaled = prepare(x, y, x_weights, y_weights, norm)
    problem = scaled.problem
    start = None
    if initial_potentials is not None:
        x_start, y_start = as_potentials(initial_potentials, len(scaled.x), len(scaled.y))
        start = (
            _scaled_start(x_start[scaled.x_kept], scaled.scale, problem),
            _scaled_start(y_start[scaled.y_kept], scaled.scale, problem),
        )
    if method == "auto":
        method = _fastest_method(problem)
    _check_method(method, problem, memory_budget)

    def report(state: Progress) -> None:
        if progress is not None:
            lower, upper = rounded_down(state.lower, scaled.scale), rounded_up(state.upper, scaled.scale)
            progress(replace(state, lower=lower, upper=upper))

    if method == "sort":
        bracket = solve_sorted(problem)
    elif method == "assignment":
        bracket = solve_assignment(problem)
    elif method == "network-simplex":
        bracket = solve_network_simplex(problem, start)
    else:
        bracket = solve_column_generation(problem, start=start, budget=budget, report=report, device=device)
    return _result(scaled, bracket, method, budget)


def _scaled_start(potential: FloatArray, scale: float, problem: Problem) -> FloatArray:
    """A potential to start from, in the problem's units, clipped: no optimal one varies by more than distances can."""
    with np.errstate(over="ignore"):
        centered = (potential - np.median(potential)) / scale
    # Coordinates are at most 1 in size, so distances at most 2 d.
    return np.clip(centered, -4.0 * problem.dimension, 4.0 * problem.dimension)


def _fastest_method(problem: Problem) -> Method:
    if problem.dimension == 1:
        return "sort"
    few = _FEW_ARCS_FLAT if problem.dimension < FEW_COORDINATES else _FEW_ARCS
    return "network-simplex" if len(problem.x) * len(problem.y) <= few else "column-generation"


def _check_method(method: Method, problem: Problem, memory_budget: float | None) -> None:
    n, m, d = len(problem.x), len(problem.y), problem.dimension
    if method == "sort":
        if d > 1:
            raise ValueError(f"method='sort' needs points on the real line; got dimension {d}: use method='auto'")
        return
    if method in ("assignment", "network-simplex"):
        instead = "use method='column-generation', whose memory grows with n + m, or fewer points"
        needed = float(_BYTES_AN_ARC) * n * m
    else:
        instead = "use fewer points (a random subset is a valid sample too), or more memory"
        needed = (n + m) * (float(_BYTES_A_POINT) + _BYTES_A_COORDINATE * d)
    require_memory(needed, memory_budget, f"method={method!r} on {n} and {m} points in dimension {d}", instead)


def _result(scaled: ScaledProblem, bracket: Bracket, method: Method, budget: Budget) -> W1Result:
    """The result in the units of the samples, for all points, those of weight zero included; its proof is checked.

    Raises:
        ValueError: distances that overflow.
        UnprovenError: the bracket is open, although no budget ran out.
    """
    problem, scale, plan = scaled.problem, scaled.scale, bracket.plan
    rows, columns = scaled.x_kept[plan.rows], scaled.y_kept[plan.columns]
    if bracket.upper == 0 and scaled.differ(rows, columns):
        bracket.upper = underflow_bound(problem.dimension)
    x_potential, y_potential = bracket.x_potential, bracket.y_potential
    if bracket.upper == 0:
        # The sets are equal; potentials may have been rounded down.
        x_potential, y_potential = np.zeros(len(problem.x)), np.zeros(len(problem.y))
    if len(scaled.x) > len(problem.x):
        x_potential = _extend(scaled.x, scaled.x_kept, x_potential, problem.y, y_potential, problem.norm)
    if len(scaled.y) > len(problem.y):
        y_potential = _extend(scaled.y, scaled.y_kept, y_potential, scaled.x, x_potential, problem.norm)
    x_potential, y_potential = rounded_down(x_potential, scale), rounded_down(y_potential, scale)
    cost = float(bracket.cost * scale)
    lower, upper = rounded_down(bracket.lower, scale), rounded_up(bracket.upper, scale)
    if not all(np.isfinite(part).all() for part in (upper, x_potential, y_potential)):
        raise ValueError("distances between x and y overflow float64: scale both down")
    closed = lower <= cost <= upper and bracket.is_closed(_RELATIVE_GAP)
    if not closed and not (bracket.cut_short and bracket.is_valid()):
        raise UnprovenError(
            f"the proof of optimality does not close: lower bound {lower!r}, upper bound {upper!r} "
            f"({method}, {len(problem.x)} and {len(problem.y)} points)"
        )
    try:
        error = scale * standard_error_of(problem, bracket, budget.check) if closed else math.nan
    except BudgetSpentError:
        error = math.nan
    return W1Result(
        cost=cost,
        lower=lower,
        upper=upper,
        x_potential=x_potential,
        y_potential=y_potential,
        plan=coo_array((plan.mass / problem.total, (rows, columns)), shape=(len(scaled.x), len(scaled.y))),
        exact=closed,
        norm=problem.norm,
        method=method,
        seconds=budget.elapsed(),
        standard_error=error,
    )


def _extend(
    points: FloatArray,
    kept: np.ndarray,
    potential: FloatArray,
    others: FloatArray,
    other_potential: FloatArray,
    norm: Norm,
) -> FloatArray:
    """A potential on all points, extended by the c-transform from those that were kept."""
    out = np.empty(len(points))
    missing = np.setdiff1d(np.arange(len(points)), kept)
    pricer = Pricer(points[missing], others, norm, levels(norm, points.shape[1])[-1], others[0])
    out[kept], out[missing] = potential, pricer.transform(other_potential, 1).potential
    return out
