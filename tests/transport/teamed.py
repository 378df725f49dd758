"""Processes that price together, for the tests of ``Team``."""

import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from wgan_lip.transport import ServerError, Team, W1Result, wasserstein1
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.pricing import Level, Pricer, Transform
from wgan_lip.transport.progress import Budget
from wgan_lip.transport.team import _Problem

# By name: points, dimension, and what else ``wasserstein1`` is told. Not a multiple of the blocks; a few rows only.
CASES = {
    "l2": (1300, 1100, 16, {}),
    "l1": (700, 900, 4, {"norm": "l1"}),
    "linf": (900, 700, 4, {"norm": "linf"}),
    "plane": (1000, 1000, 2, {}),
    "weights": (600, 800, 9, {"weighted": True}),
    "warm": (1300, 1100, 16, {"warm": True}),
    "few": (20, 1500, 8, {}),
}


LEVELS: dict[str, tuple[Norm, Level, int]] = {
    "product32": ("l2", "product32", 20),
    "product64": ("l2", "product64", 20),
    "difference64": ("l2", "difference64", 3),
    "l1": ("l1", "difference32", 5),
    "linf": ("linf", "difference32", 5),
}


def price(name: str, swapped: bool, team: Team | None = None) -> Transform:
    """One pass, both ways; with blocks of all sizes, one row included."""
    norm, level, d = LEVELS[name]
    rng = np.random.default_rng(d)
    x, y = rng.normal(size=(1537, d)), rng.normal(size=(700, d))
    center, cap = x.mean(axis=0), 2.0 * d
    points, others = (y, x) if swapped else (x, y)
    potential = rng.normal(size=len(others))
    if team is None:
        return Pricer(points, others, norm, level, center, cap=cap).transform(potential, 16)
    team.begin(x, y, norm, center)
    return team.pricer(swapped, points, others, norm, level, center, cap, Budget()).transform(potential, 16)


def solve(case: str, team: Team | None = None) -> W1Result:
    """A case, by column generation."""
    n, m, d, options = CASES[case]
    options = dict(options)
    rng = np.random.default_rng(len(case))
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3
    if options.pop("weighted", False):
        options |= {"x_weights": rng.dirichlet(np.ones(n)), "y_weights": rng.dirichlet(np.ones(m))}
    if options.pop("warm", False):
        options["initial_potentials"] = (-x[:, 0], y[:, 0])
    return wasserstein1(x, y, method="column-generation", team=team, **options)


def run(processes: int, folder: Path) -> None:
    """Solve all cases on so many processes, which write what they found."""
    mp.start_processes(_work, (processes, str(folder)), nprocs=processes, start_method="spawn")


def _work(rank: int, size: int, path: str) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    folder = Path(path)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=size)
    team = Team(smallest_pass=0)
    (_lead if rank == 0 else _serve)(team, folder)
    dist.destroy_process_group()


def _lead(team: Team, folder: Path) -> None:
    with team.leading():
        for case in CASES:
            result = solve(case, team)
            np.savez(
                folder / f"{case}.npz",
                bounds=[result.value, result.lower, result.upper],
                x_potential=result.x_potential,
                y_potential=result.y_potential,
                plan=np.vstack((result.plan.row, result.plan.col, result.plan.data)),
            )
        for name in LEVELS:
            for swapped in (False, True):
                np.savez(folder / f"{name}-{swapped}.npz", **vars(price(name, swapped, team)))
    x, y = np.random.default_rng(0).normal(size=(2, 1500, 16))
    with team.leading():
        budget = wasserstein1(x, y, method="column-generation", team=team, time_budget=1e-6)
        lines = [f"bracket {budget.exact} {0 <= budget.lower <= budget.upper}"]
        # The leader has time, the servers are told that there is none.
        with patch.object(Budget, "left", lambda _: 0.0):
            budget = solve("l2", team)
        lines.append(f"bracket {budget.exact} {0 <= budget.lower <= budget.upper}")
    with team.leading():
        # An error of the leader's in the middle of a pass, whose answers must not be taken for those of the next one.
        try:
            with patch.object(Pricer, "_smallest", lambda *_: 1 / 0):
                price("l1", False, team)
        except ZeroDivisionError:
            again = price("linf", False, team)
            lines.append(f"again {np.array_equal(again.potential, price('linf', False).potential)}")
    try:
        with team.leading():
            raise ZeroDivisionError
    except ZeroDivisionError:
        lines.append("released")
    try:
        with team.leading():
            solve("l2", team)
    except ServerError as error:
        lines.append(str(error))
    for misuse in (team.serve, lambda: solve("l2", team), lambda: _twice(team)):
        try:
            misuse()
        except ValueError as error:
            lines.append(str(error))
    alone = Team()
    lines.append(f"worth {alone.is_worth(x, y)} {alone.is_worth(np.ones((9000, 64)), np.ones((9000, 64)))}")
    (folder / "said").write_text("\n".join(lines))


def _twice(team: Team) -> None:
    with team.leading(), team.leading():
        pass


def _serve(team: Team, folder: Path) -> None:
    try:
        with team.leading():
            raise AssertionError
    except ValueError as error:
        (folder / f"said-{team.rank}").write_text(str(error))
    for _ in range(4):
        team.serve()
    kept = _Problem.transform
    if team.rank == 1:
        _Problem.transform = _broken  # type: ignore[method-assign]
    team.serve()
    _Problem.transform = kept  # type: ignore[method-assign]
    team.serve()


def _broken(*_: object) -> None:
    raise MemoryError("kein Platz für 3 Zeilen")
