"""Exact Wasserstein-1 distance between two weighted sample sets."""

import math
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from scipy.sparse import coo_array

from wgan_lip.memory import require_memory
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.result import Budget, BudgetSpentError, Progress, Solution, UnprovenError, W1Result, Watcher
from wgan_lip.transport.rounding import gradual_underflow, lost, rounded_down, rounded_up
from wgan_lip.transport.samples import FloatArray, Samples, Weights, as_potentials
from wgan_lip.transport.solvers.bracket import Bracket
from wgan_lip.transport.solvers.column_generation import solve_column_generation
from wgan_lip.transport.solvers.pricing import FEW_COORDINATES, Pricer, levels
from wgan_lip.transport.solvers.problem import Prepared, Problem, prepare
from wgan_lip.transport.solvers.real_line import solve_sorted
from wgan_lip.transport.solvers.simplex import solve_network_simplex
from wgan_lip.transport.solvers.standard_error import standard_error_of

Method: TypeAlias = Literal["auto", "sort", "network-simplex", "column-generation"]

# The proof must close to this, relative to the value; a value of zero is proven by bounds of zero.
_RELATIVE_GAP = 1e-9
# Problems of at most this many arcs are solved on all of them, in few coordinates and in more: measured by
# scripts/bench_transport.py.
_FEW_ARCS_FLAT, _FEW_ARCS = 2200 * 2200, 1200 * 1200
# Bytes that the dense solvers use for an arc, and column generation for a point and for each of its coordinates.
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
    progress: Watcher | None = None,
    time_budget: float | None = None,
    memory_budget: float | None = None,
    device: torch.device | str = "cpu",
) -> W1Result:
    """The exact W1 distance of two weighted sample sets, with a proof.

    ``W1 = min_plan sum_ij plan_ij |x_i - y_j| = max_(f_i + g_j <= |x_i - y_j|) sum_i a_i f_i + sum_j b_j g_j``

    Both sides are computed: the plan's cost bounds the distance from above, potentials that were
    repaired to feasibility bound it from below, and they must agree to 1e-9, relatively, before results that are
    subnormal numbers are rounded outwards. A distance below 1e-280 of the largest coordinate is not proven.

    Args:
        x: floating-point tensor or array of shape (n, ...); axes after the first are flattened, and
            (n,) is n points on the real line. A tensor on an accelerator is copied to the CPU.
        y: likewise, shape (m, ...), of the same dimension.
        x_weights: non-negative, of sum 1, shape (n,); equal ones if None. Weights that differ are rounded to
            multiples of 2**-52, and the proof is for these.
        y_weights: likewise, shape (m,).
        norm: the ground norm: "l2", "l1" or "linf".
        method: "sort" (one dimension only), "network-simplex" (POT, on all n m arcs), "column-generation" (POT
            on few arcs; memory grows with n + m), or "auto": the fastest for the size.
        initial_potentials: values near the optimal potentials, shapes (n,) and (m,), feasible or not: those of a
            similar problem, or f(x) and -f(y) of a critic f. They change the time, not the result.
        progress: called after each step of a column generation.
        time_budget: seconds, after which a column generation ends with the bracket that it has (it looks at the
            clock between blocks of prices, not within the simplex).
        memory_budget: bytes that the solver may use; by default what the machine has available. A column
            generation that would exceed it ends with its bracket, the dense solvers refuse to begin.
        device: where a column generation prices arcs.

    Returns:
        The distance in the units of the samples, its bounds, potentials and plan. It is the distance
        between the *samples*; how far that is from the distance of their distributions is another matter
        (see ``population_bracket``). Only if a budget ran out, ``exact`` is false and there is no value.

    Raises:
        ValueError: NaN, infinity, an empty set, dimensions that differ, numbers that are not floating
            point of at most 64 bits, weights that are negative or do not sum to 1, distances that overflow,
            an unknown norm or method or one that does not apply, more points than memory allows.
        TypeError: not a tensor or array.
        UnprovenError: no proof of optimality was reached; there is never an unproven value.

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
    prepared = prepare(x, y, x_weights, y_weights, norm)
    problem, scale = prepared.problem, prepared.scale
    start = None
    if initial_potentials is not None:
        x_start, y_start = as_potentials(initial_potentials, len(prepared.x), len(prepared.y))
        start = (
            _sensible(x_start[prepared.x_kept], scale, problem),
            _sensible(y_start[prepared.y_kept], scale, problem),
        )
    if method == "auto":
        method = _fastest(problem)
    _check_method(method, problem, memory_budget)

    def watch(state: Progress) -> None:
        if progress is not None:
            lower, upper = rounded_down(state.lower, scale), rounded_up(state.upper, scale)
            progress(replace(state, lower=lower, upper=upper))

    if method == "sort":
        bracket = solve_sorted(problem)
    elif method == "network-simplex":
        bracket = solve_network_simplex(problem, start)
    else:
        bracket = solve_column_generation(problem, start=start, budget=budget, watch=watch, device=device)
    if bracket.upper == 0 and prepared.differ(
        prepared.x_kept[bracket.plan.rows], prepared.y_kept[bracket.plan.columns]
    ):
        bracket.upper = lost(problem.dimension)
    solution = _solution(prepared, bracket)
    if not all(np.isfinite(part).all() for part in (solution.upper, solution.x_potential, solution.y_potential)):
        raise ValueError("distances between x and y overflow float64: scale both down")
    closed = solution.lower <= solution.cost <= solution.upper and bracket.is_closed(_RELATIVE_GAP)
    if not closed and not (bracket.cut_short and bracket.is_valid()):
        raise UnprovenError(
            f"the proof of optimality does not close: lower bound {solution.lower!r}, upper bound {solution.upper!r} "
            f"({method}, {len(problem.x)} and {len(problem.y)} points)"
        )
    try:
        error = scale * standard_error_of(problem, bracket, budget.check) if closed else math.nan
    except BudgetSpentError:
        error = math.nan
    return W1Result(
        **vars(solution), exact=closed, norm=norm, method=method, seconds=budget.elapsed(), standard_error=error
    )


def _sensible(potential: FloatArray, scale: float, problem: Problem) -> FloatArray:
    """A potential to start from, in the problem's units; no optimal one varies by more than distances can."""
    with np.errstate(over="ignore"):
        centered = (potential - np.median(potential)) / scale
    # Coordinates are at most 1 in size, so distances at most 2 d.
    return np.clip(centered, -4.0 * problem.dimension, 4.0 * problem.dimension)


def _fastest(problem: Problem) -> Method:
    if problem.dimension == 1:
        return "sort"
    few = _FEW_ARCS_FLAT if problem.dimension < FEW_COORDINATES else _FEW_ARCS
    return "network-simplex" if len(problem.x) * len(problem.y) <= few else "column-generation"


def _check_method(method: Method, problem: Problem, memory_budget: float | None) -> None:
    n, m, d = len(problem.x), len(problem.y), problem.dimension
    if method == "sort" and d > 1:
        raise ValueError(f"method='sort' needs points on the real line; got dimension {d}: use method='auto'")
    if method == "network-simplex":
        instead = "use method='column-generation', whose memory grows with n + m, or fewer points"
        needed = float(_BYTES_AN_ARC) * n * m
    elif method == "column-generation":
        instead = "use fewer points (a random subset is an honest sample too), or more memory"
        needed = (n + m) * (float(_BYTES_A_POINT) + _BYTES_A_COORDINATE * d)
    else:
        return
    require_memory(needed, memory_budget, f"method={method!r} on {n} and {m} points in dimension {d}", instead)


def _solution(prepared: Prepared, bracket: Bracket) -> Solution:
    """The answer to what was asked: in its units, and for all points, those of weight zero included."""
    problem, scale, plan = prepared.problem, prepared.scale, bracket.plan
    x_potential, y_potential = bracket.x_potential, bracket.y_potential
    if bracket.upper == 0:
        # Of equal sets; others may have been rounded down.
        x_potential, y_potential = np.zeros(len(problem.x)), np.zeros(len(problem.y))
    if len(prepared.x) > len(problem.x):
        x_potential = _extend(prepared.x, prepared.x_kept, x_potential, problem.y, y_potential, problem.norm)
    if len(prepared.y) > len(problem.y):
        y_potential = _extend(prepared.y, prepared.y_kept, y_potential, prepared.x, x_potential, problem.norm)
    return Solution(
        cost=float(bracket.cost * scale),
        lower=rounded_down(bracket.lower, scale),
        upper=rounded_up(bracket.upper, scale),
        x_potential=rounded_down(x_potential, scale),
        y_potential=rounded_down(y_potential, scale),
        plan=coo_array(
            (plan.mass / problem.total, (prepared.x_kept[plan.rows], prepared.y_kept[plan.columns])),
            shape=(len(prepared.x), len(prepared.y)),
        ),
    )


def _extend(
    points: FloatArray,
    kept: np.ndarray,
    potential: FloatArray,
    others: FloatArray,
    other_potential: FloatArray,
    norm: Norm,
) -> FloatArray:
    """A potential on all points, by the c-transform where there was none."""
    out = np.empty(len(points))
    missing = np.setdiff1d(np.arange(len(points)), kept)
    pricer = Pricer(points[missing], others, norm, levels(norm, points.shape[1])[-1], others[0])
    out[kept], out[missing] = potential, pricer.transform(other_potential, 1).potential
    return out
