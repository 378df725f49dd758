"""Random networks of every class that ``certify`` accepts are attacked in extended precision."""

import copy
import math
import random
from collections import Counter

import mpmath
import numpy as np
import pytest
import torch
from torch import nn

from tests.lipschitz.extended import BITS, evaluate, wide
from tests.lipschitz.random_networks import random_network
from wgan_lip.evaluation import ScoredCritic
from wgan_lip.lipschitz import certify
from wgan_lip.lipschitz.certificate.certify import _RULES
from wgan_lip.lipschitz.certificate.rounding import rounding_of_values, values_and_magnitudes
from wgan_lip.lipschitz.inspection import float64_copy, not_in_place
from wgan_lip.robustness import certify_classifier
from wgan_lip.transport import wasserstein1

# Of the reference itself: the cancellation in these networks is far from using up its bits.
SLACK = 1 + mpmath.mpf(2) ** (40 - BITS // 2)
SLOW = 5000
PARTS = 20
# Of a convolution that is padded to "same" with an even kernel.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def length(v: np.ndarray, norm: str) -> mpmath.mpf:
    flat = v.reshape(-1)
    if norm == "linf":
        return max((abs(entry) for entry in flat), default=mpmath.mpf(0))
    return mpmath.sqrt(mpmath.fsum(entry * entry for entry in flat))


def steepest(network: nn.Module, x: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """The Jacobian's leading right singular vector at one point, or the direction where there is no Jacobian."""
    # Autograd refuses some layers that work in place.
    twin = not_in_place(copy.deepcopy(network))
    jacobian = torch.autograd.functional.jacobian(twin, x[None]).reshape(-1, x.numel())
    if not len(jacobian) or not bool(torch.isfinite(jacobian).all()) or not bool(jacobian.any()):
        return direction
    scaled = jacobian / jacobian.abs().max()
    return torch.linalg.svd(scaled, full_matrices=False).Vh[0].view_as(x)


def runs(network: nn.Module, x: torch.Tensor) -> bool:
    """Whether a network takes such samples at all; after a replacement some do not."""
    try:
        with torch.no_grad():
            network(x.clone())
    except (RuntimeError, ValueError, IndexError):
        return False
    return True


def attack(seed: int) -> str:
    """Attack one network; says what became of it, and raises AssertionError where something is broken."""
    network, shape = random_network(seed)
    rng, stream = random.Random(seed + 1), torch.Generator().manual_seed(seed)  # noqa: S311
    norm = rng.choice(["l2", "l2", "linf"])
    twin = float64_copy(network).requires_grad_(False)
    x = rng.choice([1e-6, 1.0, 1.0, 30.0]) * torch.randn(4, *shape, generator=stream, dtype=torch.float64)
    if not runs(twin, x):
        return "does not run"
    try:
        certificate = certify(twin, norm)
    except ValueError:
        return "refused"
    if not math.isfinite(certificate.bound):
        return "unbounded"
    direction = torch.randn(shape, generator=stream, dtype=torch.float64)
    length_of_step = rng.choice([1e-9, 1e-3, 1.0])
    x[1] = x[0] + length_of_step * steepest(twin, x[0], direction)
    exact_x = wide(x)
    exact = evaluate(twin, exact_x)
    bound = mpmath.mpf(certificate.bound) * SLACK
    for i, j in ((0, 1), (0, 2), (2, 3)):
        apart = length(exact[i] - exact[j], norm)
        assert apart <= bound * length(exact_x[i] - exact_x[j], norm), f"seed {seed}: the bound is broken\n{network}"
    values, magnitudes = values_and_magnitudes(twin, x, 3)
    off = rounding_of_values(certificate, magnitudes)
    if not bool(torch.isfinite(values).all()):
        return "overflows"
    worst = max((abs(v) for v in (wide(values) - exact).reshape(-1)), default=mpmath.mpf(0))
    assert worst <= mpmath.mpf(off), f"seed {seed}: off by {float(worst)}, allowed {off}\n{network}"
    if values.ndim == 2 and values.shape[1] > 1:
        attack_radii(seed, twin, x, values, exact, off, norm)
        return "classifier"
    if values.shape[1:] == (1,):
        attack_estimate(seed, twin, x, norm)
        return "critic"
    return "map"


def attack_radii(seed, network, x, values, exact, off, norm) -> None:
    """No image within its certified radius has another class than it, in exact arithmetic."""
    certificate = certify_classifier(network, values.shape[1], norm, x[0].numel())
    radii = certificate.radii(
        values, 2 * rounding_of_values(certificate.lipschitz, values_and_magnitudes(network, x, 9)[1])
    )
    for i in range(len(x)):
        radius = float(radii[i])
        if radius == 0:
            continue
        first, second = values[i].topk(2).indices.tolist()
        ordered = sorted(range(values.shape[1]), key=lambda k: exact[i][k], reverse=True)
        assert ordered[0] == first, f"seed {seed}: another class than the exact one has a radius\n{network}"
        pull = steepest(nn.Sequential(network, _Difference(second, first)), x[i], torch.ones_like(x[i]))
        unit = pull.sign() if norm == "linf" else pull / pull.norm().clamp_min(1e-300)
        for sign in (-1, 1):
            z = x[i] + sign * min(radius, 1e6) * 0.999 * unit
            moved, top = wide(z[None]), values.shape[1]
            if length(moved[0] - wide(x[i]), norm) >= mpmath.mpf(radius):
                continue
            after = evaluate(network, moved)[0]
            assert all(after[k] < after[first] for k in range(top) if k != first), f"seed {seed}: radius\n{network}"


class _Difference(nn.Module):
    def __init__(self, i: int, j: int) -> None:
        super().__init__()
        self.i, self.j = i, j

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, self.i] - logits[:, self.j]


def attack_estimate(seed: int, critic: nn.Module, x: torch.Tensor, norm: str) -> None:
    """A critic's estimate is that of exact arithmetic to rounding, and a lower bound of the exact W1."""
    real, fake = x[:2], x[2:]
    certificate = certify(critic, norm)
    values, magnitudes = values_and_magnitudes(critic, x, len(x))
    real_values, fake_values = values.flatten().split(2)
    scored = ScoredCritic(critic, certificate, real_values, fake_values, magnitudes)
    estimate, tolerance = scored.estimate(), scored.rounding
    assert estimate is not None
    if not math.isfinite(estimate) or not math.isfinite(tolerance) or certificate.bound == 0:
        return
    reference = evaluate(critic, wide(x)).reshape(-1) / mpmath.mpf(certificate.bound)
    exact = (reference[0] + reference[1] - reference[2] - reference[3]) / 2
    assert abs(mpmath.mpf(estimate) - exact) <= mpmath.mpf(tolerance), f"seed {seed}: the estimate is off\n{critic}"
    upper = wasserstein1(real, fake, norm=certificate.norm).upper
    assert exact <= mpmath.mpf(upper) * SLACK, f"seed {seed}: above W1\n{critic}"
    assert estimate - tolerance <= upper, f"seed {seed}: above W1\n{critic}"


def attack_many(seeds: range) -> Counter[str]:
    return Counter(attack(seed) for seed in seeds)


def test_every_class_with_a_rule_is_drawn():
    drawn = {base for seed in range(400) for part in random_network(seed)[0].modules() for base in type(part).__mro__}
    assert set(_RULES["l2"]) <= drawn


def test_none_of_many_random_networks_breaks_its_certificate():
    became = attack_many(range(1_000_000, 1_000_060))
    assert became["classifier"] >= 5
    assert became["critic"] >= 5
    assert sum(became[kind] for kind in ("classifier", "critic", "map")) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_none_of_five_thousand_random_networks_breaks_its_certificate(part):
    # More are drawn: not all that have replaced weights run, and what cannot be proven is refused.
    drawn = 8 * SLOW // PARTS // 5
    became = attack_many(range(part * drawn, (part + 1) * drawn))
    assert sum(became[kind] for kind in ("classifier", "critic", "map")) >= SLOW // PARTS
