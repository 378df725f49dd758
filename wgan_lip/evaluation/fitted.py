"""Copies of a critic that go on training on the evaluation's own samples: how much of their exact W1 they reach."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wgan_lip.evaluation.pair_groups import PairGroup, pair_groups
from wgan_lip.evaluation.scored_critic import BrokenBoundError, ScoredCritic, score
from wgan_lip.lipschitz import float64_copy, norm_of, project_
from wgan_lip.optim import StiefelMuon
from wgan_lip.stiefel import fast_dtype
from wgan_lip.transport import W1Result

# Samples that are evaluated at once.
_CHUNK = 4096
# The first steps of a copy are slower; after them the number of steps is adapted to a time budget.
_WARM_UP = 3
# Weights of the excess at other fake samples, and of the squared distance to the optimal critic's values over W1, which
# keeps the constant of a copy: of several tried on images and on Gaussians, the best.
_EXCESS, _ANCHOR = 2.5, 5.0
# Every so many steps the other samples with the largest excess are found: this multiple of the pairs in a batch.
_REFRESH, _POOL = 10, 6


@dataclass(frozen=True)
class FittedCritic:
    """A critic that has been fitted to samples, and what it certifies of them: ``critic <= fitted <= W1``.

    ``W1 - critic = (fitted - critic) + (W1 - fitted)``: what the critic has not seen of these samples, and what critics
    of its kind, so fitted, do not express.

    Attributes:
        members: the fitted copies f_k in float64 with their certificates L_k; the fitted critic is
            ``f(x) = max_k (f_k(x) / L_k + c_k)``. Only the critic itself if fitting did not improve it.
        offsets: the constants c_k.
        critic: the critic's estimate before: a proven lower bound of the W1 of the samples.
        fitted: the estimate of f: likewise, and never below ``critic``.
        steps: number of steps that were taken, of all copies together.
        seconds: wall time.
    """

    members: tuple[ScoredCritic, ...]
    offsets: tuple[float, ...]
    critic: float
    fitted: float
    steps: int
    seconds: float = field(compare=False)


def fit_critic(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    exact: W1Result,
    *,
    copies: int = 32,
    steps: int = 125,
    batch_size: int = 64,
    lr: float = 0.05,
    time_budget: float | None = None,
    generator: torch.Generator | None = None,
) -> FittedCritic:
    """Train copies of a critic further on samples whose exact W1 is known, and certify and score their maximum.

    The pairs (i, j) of the optimal plan are divided by place into ``copies`` groups of equal size. One copy f of the
    critic is trained for each group: over its pairs the mean of ``f(x_i) - f(y_j)`` ascends and the mean of
    ``(f(x_i) - v_i)^2`` descends, and at other y that of the excess ``max(0, f(y_j) - v_j)``, with v the values of an
    optimal critic. The maximum of the copies is 1-Lipschitz, since each is, and an optimal critic is such a maximum:
    of ``max_(i in group) (v_i - |x - x_i|)``. A single copy only ascends ``mean f(x) - mean f(y)``.

    Orthogonal weights stay so (``optim.StiefelMuon``, whose rates decay linearly to zero). Copies are trained in
    float32 in evaluation mode, on the critic's device, and certified and scored in float64. The same generator state
    gives the same result, unless the time budget is hit. See the note on what fitting can reach.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``, with a certificate, of layers that constraints keep
            Lipschitz; it is not changed.
        real: shape ``(n, *shape)``.
        fake: shape ``(m, *shape)``.
        exact: of the same samples, by ``wasserstein1(real, fake)``, in a norm in which the critic bounds W1: an l2
            critic bounds W1 in l2 and l1, an l_inf critic in all.
        copies: number of groups and copies; fewer if there are fewer pairs.
        steps: number of steps of each copy; 0 only scores the critic.
        batch_size: pairs of the group in a step; twice as many other y are drawn, of those with the largest excess.
        lr: initial angle of a step in radians, and learning rate of parameters without a manifold.
        time_budget: seconds of wall time for all steps. If the first ones show that they would take longer, there are
            fewer of them, so that the rates still decay to zero.
        generator: of the batches, on the CPU; one with seed 0 if None.

    Raises:
        ValueError: a critic without certificate or without constraints, a norm in which it bounds no W1, a plan of
            other samples, an argument out of its range, or training that diverges.
        BrokenBoundError: an estimate exceeds the exact W1 by more than rounding.

    Source:
        Villani, "Optimal Transport: Old and New", 2009, theorem 5.10 (ii); McShane, "Extension of range of functions",
        1934, theorem 1.

    Example:
        >>> from wgan_lip.networks import MLPCritic
        >>> from wgan_lip.transport import wasserstein1
        >>> x, y = torch.randn(2, 64, 3, generator=torch.Generator().manual_seed(0))
        >>> exact = wasserstein1(x, y)
        >>> found = fit_critic(MLPCritic([3], width=32), x, y, exact, copies=2, steps=20)
        >>> found.critic <= found.fitted <= exact.upper
        True
    """
    # Note [what fitting can reach]
    # Fashion-MNIST, the critic of configs/gan/fashion_mnist.yaml (784-256-256-256-1, MaxMin) after 1,500 generator
    # steps, n = 2,048. One copy goes from 0.53 of the exact W1 to 0.70 in 200 steps and to 0.73 in 1,200: its size is
    # the limit, for of 128, 256, 512 and 1,024 of the same pairs it reaches 0.96, 0.88, 0.79 and 0.74. A 1-Lipschitz
    # function that fits n points of dimension d needs about n d parameters (Bubeck, Sellke, "A universal law of
    # robustness via isoperimetry", 2021). One new network 1,024 wide reaches 0.77 in 240 steps, each of which takes ten
    # times as long. The potentials as targets (squared or absolute error), squared slacks, other rates, batches and
    # group sizes gave the same or less for one copy. The maximum of 32 copies reaches 0.899 in 100 steps each (71
    # seconds of one core) and 0.907 in 125 (87 seconds); 16 copies, of other weights of the loss, 0.86 in 42 seconds.
    start = time.perf_counter()
    _check(real, fake, exact, copies, steps, batch_size, lr, time_budget)
    before = score(critic, real, fake, exact.norm)
    estimate = before.estimate()
    if estimate is None or norm_of(critic) is None:
        raise ValueError(
            "critic must have a certificate and layers that constraints keep Lipschitz while it trains on; got a "
            f"{type(critic).__name__} without {'a certificate' if estimate is None else 'such constraints'}"
        )
    before.check_below(exact.upper)
    members: tuple[ScoredCritic, ...] = (before,)
    offsets: tuple[float, ...] = (0.0,)
    fitted, taken = estimate, 0
    # Evaluations may run in inference mode, whose tensors cannot be trained.
    with torch.inference_mode(False), torch.enable_grad():
        networks: list[nn.Module] = []
        shifts: list[float] = []
        device, constant = next(critic.parameters()).device, before.constant or 1.0
        stream = generator or torch.Generator().manual_seed(0)
        groups = pair_groups(real, fake, exact, copies) if steps else []
        for i, group in enumerate(groups):
            left = None if time_budget is None else time_budget - (time.perf_counter() - start)
            budget = None if left is None else left / (len(groups) - i)
            network = float64_copy(critic, "critic").to(device, torch.float32).requires_grad_(True)
            scaled = group.to(device).mapped(constant, 0.0)
            shift = _shift(network, scaled)
            anchor = _ANCHOR / (constant * exact.upper) if exact.upper > 0 else 0.0
            count = _train(network, scaled.mapped(1.0, shift), anchor, steps, batch_size, lr, budget, stream)
            # In float32 weights are orthogonal to 1e-7 only.
            networks.append(float64_copy(network))
            project_(networks[-1])
            shifts.append(-shift / constant)
            taken += count
    if networks:
        scored = tuple(score(network, real, fake, exact.norm) for network in networks)
        value = _maximum(scored, shifts)
        if value - exact.upper > max(one.rounding for one in scored) + 1e-12 * max(map(abs, shifts)):
            raise BrokenBoundError(f"the estimate {value!r} of a fitted critic exceeds the exact W1 {exact.upper!r}")
        if value > fitted:
            members, offsets, fitted = scored, tuple(shifts), value
    return FittedCritic(members, offsets, estimate, fitted, taken, time.perf_counter() - start)


def _check(
    real: Tensor,
    fake: Tensor,
    exact: W1Result,
    copies: int,
    steps: int,
    batch_size: int,
    lr: float,
    time_budget: float | None,
) -> None:
    if exact.plan.shape != (len(real), len(fake)):
        raise ValueError(
            f"exact must be the W1 of the samples, {len(real)} real and {len(fake)} fake; its plan has shape "
            f"{exact.plan.shape}"
        )
    if copies < 1 or steps < 0 or batch_size < 1:
        raise ValueError(
            f"copies and batch_size must be at least 1 and steps at least 0; "
            f"got copies={copies}, batch_size={batch_size}, steps={steps}"
        )
    if not 0 < lr < float("inf"):
        raise ValueError(f"lr must be positive and finite; got lr={lr}")
    if time_budget is not None and not time_budget > 0:
        raise ValueError(f"time_budget must be positive; got time_budget={time_budget}")


def _maximum(scored: tuple[ScoredCritic, ...], offsets: Sequence[float]) -> float:
    """Return ``mean f(x) - mean f(y)`` of ``f = max_k (f_k / L_k + c_k)``."""
    pairs = [one.normalized for one in scored if one.normalized is not None]
    added = torch.tensor(offsets, dtype=torch.float64)[:, None]
    real, fake = ((torch.stack(side) + added).amax(0) for side in zip(*pairs, strict=True))
    return float(real.mean() - fake.mean())


@torch.no_grad()
def _shift(network: nn.Module, group: PairGroup) -> float:
    """Return the mean difference between a network's values and those of an optimal critic on the group's pairs."""
    real, fake = network(group.x).flatten() - group.x_value, network(group.y).flatten() - group.y_value
    return float((group.weight * (real + fake)).sum() / 2)


def _train(
    network: nn.Module,
    group: PairGroup,
    anchor: float,
    steps: int,
    batch_size: int,
    lr: float,
    time_budget: float | None,
    generator: torch.Generator,
) -> int:
    """Train a network for a group of pairs, and return the number of steps."""
    fast = fast_dtype(group.x.flatten(1)) == torch.bfloat16
    optimizer = StiefelMuon(network.parameters(), lr=lr, adam_lr=lr)
    began, taken = time.perf_counter(), 0
    while taken < steps:
        for parameters in optimizer.param_groups:
            parameters["lr"] = lr * (1 - taken / steps)
        if taken % _REFRESH == 0:
            pool = _excess(network, group, fast).argsort(descending=True, stable=True)[: _POOL * batch_size]
        batch = group.draw(batch_size, pool, generator)
        sizes = len(batch.x), len(batch.y), len(batch.other_y)
        # Only a step's direction depends on these values.
        with torch.autocast(group.x.device.type, torch.bfloat16, enabled=fast):
            values = network(torch.cat((batch.x, batch.y, batch.other_y)))
        real, fake, other = values.float().flatten().split(sizes)
        loss = (batch.weight * (fake - real)).sum()
        if len(other):
            excess = (other - batch.other_value).clamp_min(0).mean()
            loss = loss + _EXCESS * excess + anchor * (batch.weight * (real - batch.x_value) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        project_(network)
        taken += 1
        if time_budget is not None:
            elapsed = time.perf_counter() - began
            if taken == _WARM_UP:
                steps = max(taken, min(steps, int(time_budget / elapsed * taken)))
            if elapsed > time_budget:
                break
    return taken


@torch.no_grad()
def _excess(network: nn.Module, group: PairGroup, fast: bool) -> Tensor:
    """Return by how much the values of the other samples exceed those of an optimal critic, shape (l,)."""
    if len(group.other_y) == 0:
        return group.other_value
    with torch.autocast(group.other_y.device.type, torch.bfloat16, enabled=fast):
        values = torch.cat([network(part) for part in group.other_y.split(_CHUNK)])
    return values.float().flatten() - group.other_value
