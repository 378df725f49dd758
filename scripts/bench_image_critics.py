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
import json
import logging
import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import deel.torchlip
import orthogonium.layers
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from wgan_lip.cli.sample import load_gan
from wgan_lip.data import FashionMNIST
from wgan_lip.lipschitz import (
    Bjorck,
    ConstrainedConv2d,
    ConstrainedLinear,
    GradientPenalty,
    MaxMin,
    OrthogonalConv2d,
    OrthogonalLinear,
    Penalty,
    Unconstrained,
    WeightClipping,
    certify,
    project_,
)
from wgan_lip.networks import ConvCritic, DCGANGenerator
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.randomness import keyed_generator
from wgan_lip.training import WassersteinGAN, plain_fit
from wgan_lip.transport import population_lower, wasserstein1

SHAPE = (1, 28, 28)
BASELINE = "unconstrained"


@dataclass(frozen=True)
class Contender:
    """How to build one critic's layers, and what trains it.

    Attributes:
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer.
        activation: builds an activation.
        optimizer: builds the optimiser from the parameters.
        rates: learning rates to try; None for those of the command line.
        penalty: added to the loss.
        is_certified: whether what is held is proven to bound the critic.
    """

    conv: Callable[[int, int, int, int], nn.Module]
    linear: Callable[[int, int], nn.Module]
    activation: Callable[[], nn.Module] = MaxMin
    optimizer: Callable[..., Optimizer] = Adam
    rates: tuple[float, ...] | None = None
    penalty: Penalty | None = None
    is_certified: bool = True


def _plain_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    return ConstrainedConv2d(m, n, k, s, Unconstrained(), initial="uniform")


def _orthogonium_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    padding = (k - s) // 2
    return orthogonium.layers.AdaptiveOrthoConv2d(m, n, k, s, padding=padding, padding_mode="circular")


def _clipped_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    return ConstrainedConv2d(m, n, k, s, WeightClipping(0.03), initial="uniform")


CONTENDERS = {
    "orthogonal, Muon (wgan_lip)": Contender(OrthogonalConv2d, OrthogonalLinear, optimizer=StiefelMuon, rates=(0.03,)),
    "orthogonal, Adam (wgan_lip)": Contender(OrthogonalConv2d, OrthogonalLinear, optimizer=StiefelAdam, rates=(0.03,)),
    "AOC (orthogonium)": Contender(_orthogonium_conv, orthogonium.layers.OrthoLinear),
    "SpectralConv2d (deel-torchlip)": Contender(
        lambda m, n, k, s: deel.torchlip.SpectralConv2d(m, n, k, s, padding=(k - s) // 2),
        deel.torchlip.SpectralLinear,
    ),
    "reshaped kernel, Bjorck": Contender(
        lambda m, n, k, s: ConstrainedConv2d(m, n, k, s, Bjorck(iterations=20)),
        lambda m, n: ConstrainedLinear(m, n, Bjorck(iterations=20)),
    ),
    "gradient penalty": Contender(
        _plain_conv, nn.Linear, nn.LeakyReLU, penalty=GradientPenalty(10.0), is_certified=False
    ),
    "clipping": Contender(
        _clipped_conv, lambda m, n: ConstrainedLinear(m, n, WeightClipping(0.03)), nn.LeakyReLU, is_certified=False
    ),
}
UNCONSTRAINED = Contender(_plain_conv, nn.Linear, nn.ReLU, is_certified=False)


@dataclass(frozen=True)
class Sizes:
    """Of every critic, and of a batch of each kind of images."""

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    kernel_size: int
    batch: int

    def build(self, contender: Contender, seed: int) -> ConvCritic:
        """A critic with initial weights drawn from ``seed``."""
        torch.manual_seed(seed)
        return ConvCritic(
            SHAPE,
            self.channels,
            self.hidden,
            self.kernel_size,
            conv=contender.conv,
            linear=contender.linear,
            activation=contender.activation,
        ).train()


class Trainee:
    """A critic with its optimiser."""

    def __init__(self, contender: Contender, sizes: Sizes, rate: float, seed: int) -> None:
        self.critic = sizes.build(contender, seed)
        self.penalty = contender.penalty
        self.optimizer = contender.optimizer(self.critic.parameters(), lr=rate)
        self.rate = rate
        self.seed = seed

    def step(self, x: Tensor, y: Tensor, number: int, done: float) -> None:
        """One ascent of ``mean f(x) - mean f(y)``, at the cosine's rate when ``done`` of the time is over."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        values = self.critic(torch.cat((x, y)))
        loss = values[len(x) :].mean() - values[: len(x)].mean()
        if self.penalty is not None:
            loss = loss + self.penalty(self.critic, x, y, keyed_generator(self.seed, "penalty", number))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        project_(self.critic)


@torch.no_grad()
def plain_copy(critic: nn.Sequential) -> nn.Sequential:
    """The same function, of layers that ``certify`` knows, in float64.

    Raises:
        RuntimeError: its values differ.
    """
    critic.eval()
    layers: list[nn.Module] = []
    for layer in critic:
        if isinstance(layer, nn.Conv2d):
            layers.append(_copied_conv(layer))
        elif isinstance(layer, deel.torchlip.SpectralLinear):
            layers.append(layer.vanilla_export())
        elif isinstance(layer, nn.Linear) and not isinstance(layer, ConstrainedLinear):
            layers.append(nn.Linear(layer.in_features, layer.out_features))
            layers[-1].weight.copy_(layer.weight)
            layers[-1].bias.copy_(layer.bias)
        else:
            layers.append(layer)
    copied = nn.Sequential(*layers).double()
    x = torch.randn(64, *SHAPE, generator=torch.Generator().manual_seed(0))
    difference = float((copied(x.double()) - critic.float()(x)).abs().max())
    if difference > 1e-3:
        raise RuntimeError(f"the copy of plain layers differs from the critic by {difference}")
    return nn.Sequential(*layers).double().eval()


def _copied_conv(layer: nn.Conv2d) -> nn.Module:
    plain = layer.vanilla_export() if hasattr(layer, "vanilla_export") else layer
    copied = ConstrainedConv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size[0],
        layer.stride[0],
        Unconstrained(),
        padding_mode=layer.padding_mode,
    )
    copied.matrix.weight.copy_(plain.weight.flatten(1))
    copied.bias.copy_(plain.bias)
    return copied


@dataclass(frozen=True)
class Score:
    """What one critic proves of held-out images: nothing, if its training diverged.

    Attributes:
        steps: that it took in its time.
        rate: the best of those tried.
        certified: L.
        bound: ``(mean f(x) - mean f(y)) / L``.
        standard_error: of it.
        lower: 95 % confidence bound of the distributions' W1.
        uncertified: ``mean f(x) - mean f(y)``.
    """

    critic: str
    steps: int
    rate: float
    certified: float
    bound: float
    standard_error: float
    lower: float
    uncertified: float
    is_certified: bool


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
    seconds: dict[str, list[float]] = {name: [] for name in trainees}
    for number in range(1 + rounds):
        for name, trainee in trainees.items():
            # The second step finds the caches as training does; the first, as the critic before has left them.
            trainee.step(x, y, number, 0.0)
            before = time.perf_counter()
            trainee.step(x, y, number, 0.0)
            seconds[name].append(time.perf_counter() - before)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    table = Table(title=f"step time: channels {sizes.channels}, hidden {sizes.hidden}, batch 2 x {sizes.batch}")
    for heading in ("critic", "ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "critic" else "right")
    for name, median in medians.items():
        table.add_row(name, f"{median * 1e3:.1f}", f"{median / medians[BASELINE]:.2f}")
    return table


@dataclass(frozen=True)
class Contest:
    """All scores, and what the images themselves say.

    Attributes:
        seconds: of training for each critic and rate.
        n: held-out images, and generated ones, of which ``exact`` is.
        exact: their exact W1.
        noise_floor: exact W1 of the same held-out images and as many of the training split.
        scores: the best of each critic.
    """

    seconds: float
    n: int
    exact: float
    noise_floor: float
    scores: tuple[Score, ...]

    def rows(self) -> list[list[str]]:
        """A heading, and a row for each critic, in the order of what they prove."""
        rows = [["critic", "rate", "steps", "L ≤", "bound ± standard error", "95 % lower", "proves nothing"]]
        for s in sorted(self.scores, key=lambda score: -score.bound):
            bound = f"{s.bound:.3f} ± {s.standard_error:.3f}"
            loose = "" if s.is_certified else f"{s.uncertified:.3f}"
            rows.append([s.critic, f"{s.rate:g}", f"{s.steps}", f"{s.certified:.6g}", bound, f"{s.lower:.3f}", loose])
        return rows

    def caption(self) -> str:
        """What the bounds are to be set against."""
        return (
            f"Held-out lower bounds of W1 after {self.seconds:g} s of training each. Exact W1 of {self.n} held-out and "
            f"{self.n} generated images: {self.exact:.3f}; noise floor {self.noise_floor:.3f}."
        )


def markdown_table(contest: Contest) -> str:
    """The scores in Markdown."""
    heading, *rows = contest.rows()
    lines = [heading, ["---", *["--:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{contest.caption()}\n"


def read_contest(path: Path) -> Contest:
    """What ``--json`` wrote."""
    found = json.loads(path.read_text())
    return Contest(**{**found, "scores": tuple(Score(**score) for score in found["scores"])})


def _printed(contest: Contest) -> Table:
    heading, *rows = contest.rows()
    table = Table(caption=contest.caption())
    for i, name in enumerate(heading):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
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
    console.print(_printed(contest))
    if args.json:
        args.json.write_text(json.dumps(asdict(contest), indent=1) + "\n")


def _swapped(fakes: tuple[Tensor, Tensor], heldout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return fakes[0], heldout, fakes[1]


if __name__ == "__main__":
    main()
