"""A contest of 1-Lipschitz convolutional critics on images, at equal wall time, and the times of their steps.

    python scripts/bench_image_critics.py [--seconds 60] [--checkpoint CKPT] [--rates 3e-3 1e-2 3e-2] [--json FILE]
    python scripts/bench_image_critics.py --step-times [--channels 8 32] [--hidden 256 256] [--batch 256]

One frozen generator: that of CKPT (wgan-lip fit), or one that is trained first, for a minute. Every critic sees the
same images of Fashion-MNIST and the same generated ones, in networks of the same sizes, for the same wall time. Its
bound is (mean f(x) - mean f(y)) / L on held-out images x and freshly generated ones y: L is certified by wgan_lip for
all of them, on a copy made of plain layers that gives the same values. What that does not prove is marked so. All
certified critics have MaxMin, the same one. Peers are trained at each of --rates, and the best one's bound is shown;
ours at one rate. Needs the extra ``test``.
"""

import argparse
import logging
import math
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from wgan_lip.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.image_critics_bench.contenders import CONTENDERS, UNCONSTRAINED, Contender
from scripts.image_critics_bench.contest import Contest, Score, printed_table
from scripts.image_critics_bench.plain_copy import plain_copy
from scripts.image_critics_bench.trainee import SHAPE, Sizes, Trainee
from scripts.shared.results import write_json
from scripts.shared.timing import in_turn
from wgan_lip.cli.sample import load_gan
from wgan_lip.data import FashionMNIST
from wgan_lip.lipschitz import certify
from wgan_lip.networks import ConvCritic, DCGANGenerator
from wgan_lip.training import WassersteinGAN, plain_fit
from wgan_lip.transport import population_lower, wasserstein1

BASELINE = "unconstrained"


@dataclass(frozen=True)
class Images:
    """Real and generated ones, to train on and held out."""

    train: Tensor
    train_fake: Tensor
    heldout: Tensor
    heldout_fake: Tensor


def compete(name: str, contender: Contender, sizes: Sizes, images: Images, rate: float, seconds: float) -> Score:
    """Train one critic for so many seconds, and score it."""
    trainee = Trainee(contender, sizes, rate, seed=0)
    stream = torch.Generator().manual_seed(0)
    start, steps = time.perf_counter(), 0
    while (done := (time.perf_counter() - start) / seconds) < 1:
        i, j = torch.randint(len(images.train), (2, sizes.batch), generator=stream)
        trainee.step(images.train[i], images.train_fake[j], steps, done)
        steps += 1
    if not all(bool(torch.isfinite(p).all()) for p in trainee.critic.parameters()):
        return Score(name, steps, rate, math.inf, 0.0, 0.0, 0.0, 0.0, contender.is_certified)
    copied = plain_copy(trainee.critic)
    bound = certify(copied).bound
    with torch.no_grad():
        x, y = (torch.cat([copied(p.double()) for p in z.split(500)]) for z in (images.heldout, images.heldout_fake))
    x, y = x.flatten(), y.flatten()
    raw, error = float(x.mean() - y.mean()), math.sqrt(float(x.var() / len(x) + y.var() / len(y)))
    diameter = 2 * math.sqrt(math.prod(SHAPE))
    lower = population_lower(x / bound, y / bound, delta=0.05, diameter=(diameter, diameter)).value
    return Score(name, steps, rate, bound, raw / bound, error / bound, max(0.0, lower), raw, contender.is_certified)


def generated(checkpoint: Path | None, n: int, m: int, data: FashionMNIST) -> tuple[Tensor, Tensor]:
    """Images of the frozen generator, to train on and held out."""
    if checkpoint is not None:
        gan = load_gan(checkpoint)
    else:
        torch.manual_seed(0)
        gan = WassersteinGAN(
            ConvCritic(SHAPE, (8, 32), (256,)), DCGANGenerator(SHAPE, 64, 16), n_critic=2, generator_steps=600
        )
        plain_fit(gan, data)
    averaged = gan.averaged is not None
    return tuple(gan.sample(gan.noise(k, "contest", split), averaged) for k, split in ((n, "train"), (m, "heldout")))


def step_times(sizes: Sizes, rounds: int) -> Table:
    """Median seconds of a step of each critic, in turn, as ratios to the unconstrained one's."""
    contenders = {BASELINE: UNCONSTRAINED, **CONTENDERS}
    trainees = {name: Trainee(contender, sizes, 1e-3, 0) for name, contender in contenders.items()}
    x, y = torch.randn(2, sizes.batch, *SHAPE, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    steps = {name: partial(trainee.step, x, y, 0, 0.0) for name, trainee in trainees.items()}
    medians = in_turn(steps, rounds)
    table = Table(title=f"step time: channels {sizes.channels}, hidden {sizes.hidden}, batch 2 x {sizes.batch}")
    for heading in ("critic", "ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "critic" else "right")
    for name, median in medians.items():
        table.add_row(name, f"{median * 1e3:.1f}", f"{median / medians[BASELINE]:.2f}")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of training for each critic and rate")
    parser.add_argument("--checkpoint", type=Path, help="of the frozen generator")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[3e-3, 1e-2, 3e-2], help="learning rates for the peers"
    )
    parser.add_argument("--channels", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 256])
    parser.add_argument("--kernel-size", type=int, default=4)
    parser.add_argument("--batch", type=int, default=256, help="real images in a batch, and generated ones")
    parser.add_argument("--critics", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--heldout", type=int, default=10_000, help="held-out images, and generated ones")
    parser.add_argument("--exact-n", type=int, default=2048, help="of them for the exact W1")
    parser.add_argument("--data-dir", help="where the files of Fashion-MNIST lie")
    parser.add_argument("--step-times", action="store_true", help="time steps instead of training")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the scores here")
    args = parser.parse_args()
    # Peers and Lightning speak of what does not concern the contest.
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    sizes = Sizes(tuple(args.channels), tuple(args.hidden), args.kernel_size, args.batch)
    console = Console(width=140)
    if args.step_times:
        console.print(step_times(sizes, args.rounds))
        return
    data = FashionMNIST(data_dir=args.data_dir)
    stream = torch.Generator().manual_seed(0)
    train, heldout = data.draw("train", data.size("train"), stream), data.draw("heldout", args.heldout, stream)
    images = Images(train, *_swapped(generated(args.checkpoint, len(train), args.heldout, data), heldout))
    n = args.exact_n
    exact = wasserstein1(images.heldout[:n], images.heldout_fake[:n]).value
    floor = wasserstein1(images.heldout[:n], images.train[:n]).value
    console.print(f"exact W1 at n = {n}: {exact:.4f}, noise floor {floor:.4f}")
    scores = []
    for name in args.critics:
        contender = CONTENDERS[name]
        tried = [compete(name, contender, sizes, images, rate, args.seconds) for rate in contender.rates or args.rates]
        for score in tried:
            console.print(f"{name}, rate {score.rate:g}: {score.steps} steps, bound {score.bound:.4f}", highlight=False)
        scores.append(max(tried, key=lambda score: score.bound))
    contest = Contest(args.seconds, n, exact, floor, tuple(scores))
    console.print(printed_table(contest))
    if args.json:
        write_json(args.json, asdict(contest))


def _swapped(fakes: tuple[Tensor, Tensor], heldout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return fakes[0], heldout, fakes[1]


if __name__ == "__main__":
    main()
