"""Processes that price together, for the tests of ``Team``."""

from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from wgan_lip.transport import ServerError, Team, W1Result, wasserstein1
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
    x, y = np.random.default_rng(0).normal(size=(2, 1500, 16))
    with team.leading():
        budget = wasserstein1(x, y, method="column-generation", team=team, time_budget=1e-6)
    lines = [f"bracket {budget.exact} {0 <= budget.lower <= budget.upper}"]
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
    # They hear what comes after their error.
    with team.leading():
        pass
    alone = Team()
    lines.append(f"worth {alone.is_worth(x, y)} {alone.is_worth(np.ones((9000, 64)), np.ones((9000, 64)))}")
    (folder / "said").write_text("\n".join(lines))


def _serve(team: Team, folder: Path) -> None:
    for _ in range(3):
        team.serve()
    kept = _Problem.transform
    if team.rank == 1:
        _Problem.transform = _broken  # type: ignore[method-assign]
    team.serve()
    _Problem.transform = kept  # type: ignore[method-assign]
    team.serve()


def _broken(*_: object) -> None:
    raise MemoryError("kein Platz für 3 Zeilen")
