"""The time of a training step of 1-Lipschitz critics, ours and others', as ratios to an unconstrained one's.

    python scripts/bench_critics.py [--widths 1024] [--batches 1024 256] [--rounds 7] [--json FILE]

The critic is 784-w-w-1 with MaxMin; a step is the gradient of ``mean f(y) - mean f(x)`` on a batch of x and one of
y, and the update (Adam, except for ours). All critics take their steps in turn, in one process, for several rounds; a
cell is the median time. Needs the extra ``test``.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import deel.torchlip
import geotorch
import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal
from torch.optim import Adam, Optimizer

from wgan_lip.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.results import write_json
from scripts.shared.timing import in_turn
from wgan_lip.lipschitz import Bjorck, ConstrainedLinear, MaxMin, OrthogonalLinear
from wgan_lip.optim import StiefelAdam, StiefelMuon

INPUT = 784
BASELINE = "unconstrained, Adam"


@dataclass(frozen=True)
class Timing:
    """Seconds of a step, the median over the rounds, and its ratio to the unconstrained critic's."""

    critic: str
    width: int
    batch: int
    seconds: float
    ratio: float


def _geotorch(n: int, m: int) -> nn.Linear:
    linear = nn.Linear(n, m)
    geotorch.orthogonal(linear, "weight")
    return linear


def _torchlip(n: int, m: int) -> nn.Module:
    return deel.torchlip.SpectralLinear(n, m)


def _cayley(n: int, m: int) -> nn.Module:
    return orthogonal(nn.Linear(n, m), orthogonal_map="cayley", use_trivialization=False)


def _bjorck(n: int, m: int) -> nn.Module:
    return ConstrainedLinear(n, m, constraint=Bjorck(iterations=20))


LAYERS: dict[str, tuple[Callable[[int, int], nn.Module], Callable[..., Optimizer]]] = {
    BASELINE: (nn.Linear, Adam),
    "StiefelMuon (wgan_lip)": (OrthogonalLinear, StiefelMuon),
    "StiefelAdam (wgan_lip)": (OrthogonalLinear, StiefelAdam),
    "Cayley (torch)": (_cayley, Adam),
    "SpectralLinear (deel-torchlip)": (_torchlip, Adam),
    "orthogonal (geotorch)": (_geotorch, Adam),
    "Bjorck-20, differentiated (wgan_lip)": (_bjorck, Adam),
}


class Trainee:
    """A critic with its optimiser."""

    def __init__(self, name: str, width: int) -> None:
        layer, optimizer = LAYERS[name]
        torch.manual_seed(0)
        self.critic = nn.Sequential(
            layer(INPUT, width), MaxMin(), layer(width, width), MaxMin(), layer(width, 1)
        ).train()
        self.optimizer = optimizer(self.critic.parameters(), lr=1e-3)

    def step(self, x: Tensor, y: Tensor) -> None:
        """One ascent of ``mean f(x) - mean f(y)``."""
        self.optimizer.zero_grad()
        values = self.critic(torch.cat([x, y]))
        (values[len(x) :].mean() - values[: len(x)].mean()).backward()
        self.optimizer.step()


def measure(width: int, batch: int, names: list[str], rounds: int) -> list[Timing]:
    """A timing for each critic; the first round, which warms up, is not counted."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, batch, INPUT, generator=generator)
    medians = in_turn({name: partial(Trainee(name, width).step, x, y) for name in names}, rounds)
    return [Timing(name, width, batch, time_, time_ / medians[BASELINE]) for name, time_ in medians.items()]


def table(timings: list[Timing]) -> Table:
    """Critics down, widths and batches across: the ratios."""
    columns = sorted({(t.batch, t.width) for t in timings}, key=lambda column: (-column[0], column[1]))
    of = {(t.critic, t.batch, t.width): t for t in timings}
    result = Table("critic", *(f"2 x {batch}, width {width}" for batch, width in columns), title="step time, as ratio")
    for name in dict.fromkeys(t.critic for t in timings):
        result.add_row(name, *(_cell(of[name, batch, width]) for batch, width in columns))
    return result


def _cell(timing: Timing) -> str:
    return f"{timing.seconds * 1e3:.1f} ms" if timing.critic == BASELINE else f"{timing.ratio:.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1024, 256])
    parser.add_argument("--critics", nargs="+", default=list(LAYERS), choices=list(LAYERS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the timings here")
    args = parser.parse_args()
    names = [name for name in LAYERS if name in {BASELINE, *args.critics}]
    timings = [t for b in args.batches for w in args.widths for t in measure(w, b, names, args.rounds)]
    Console(width=max(80, 40 + 24 * len(args.batches) * len(args.widths))).print(table(timings))
    if args.json:
        write_json(args.json, [asdict(t) for t in timings])


if __name__ == "__main__":
    main()
