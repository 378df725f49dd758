"""Attacks: against optima that are known, and the order that holds by construction."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from tests.robustness.classifiers import digits, orthogonal_classifier, plain_classifier
from wgan_lip.lipschitz import certify
from wgan_lip.robustness import FGSM, PGD, attacked, margins

ATTACKS = [FGSM, PGD]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def plain() -> nn.Sequential:
    return plain_classifier(seeded())


@pytest.fixture(scope="module")
def orthogonal() -> nn.Sequential:
    return orthogonal_classifier(seeded())


def linear(dim: int, seed: int) -> tuple[nn.Linear, torch.Tensor]:
    """Two classes, and the gradient of the margin of class 0."""
    network = nn.Linear(dim, 2, dtype=torch.float64)
    nn.init.normal_(network.weight, generator=seeded(seed))
    # Far from misclassified, so that no attack stops early.
    nn.init.constant_(network.bias, 0.0)
    network.bias.data[0] = 1e3
    return network, (network.weight[1] - network.weight[0]).detach()


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_linear_classifiers_are_attacked_optimally(attack, norm, dual):
    """Inside the box the margin grows by ``eps |w_1 - w_0|_q``, with q dual to the norm (Hoelder)."""
    network, w = linear(12, seed=1)
    x, y = 0.4 + 0.2 * torch.rand(5, 12, dtype=torch.float64, generator=seeded(2)), torch.zeros(5, dtype=torch.int64)
    found = attack(0.3, norm).search(network, x, y, seeded())
    gained = found.margins - found.clean_margins
    assert torch.allclose(gained, 0.3 * w.norm(dual).expand(5), rtol=1e-9)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_optimum_in_the_corner_of_ball_and_box_linf(attack):
    network, w = linear(12, seed=3)
    x, y = torch.rand(5, 12, dtype=torch.float64, generator=seeded(4)), torch.zeros(5, dtype=torch.int64)
    best = torch.where(w > 0, (x + 0.3).clamp_max(1), (x - 0.3).clamp_min(0))
    assert torch.allclose(attack(0.3, "linf")(network, x, y, seeded()), best, atol=1e-12)


def test_the_optimum_in_the_corner_of_ball_and_box_l2():
    """By Lagrange it is ``clamp(x + t w)``, with t such that it is ``eps`` away."""
    network, w = linear(30, seed=5)
    x, y = torch.rand(4, 30, dtype=torch.float64, generator=seeded(6)).round(), torch.zeros(4, dtype=torch.int64)
    x[:, :10] = 0.5
    low, high = torch.zeros(4, 1, dtype=torch.float64), torch.full((4, 1), 1e3, dtype=torch.float64)
    for _ in range(100):
        t = (low + high) / 2
        within = ((x + t * w).clamp(0, 1) - x).norm(dim=1, keepdim=True) <= 1.0
        low, high = torch.where(within, t, low), torch.where(within, high, t)
    gain = ((x + low * w).clamp(0, 1) - x) @ w
    found = PGD(1.0, "l2").search(network, x, y, seeded())
    assert bool((found.margins - found.clean_margins <= gain * (1 + 1e-9)).all())
    assert bool((found.margins - found.clean_margins >= 0.99 * gain).all())


class Bumps(nn.Module):
    """Logits (0, f(x)) of numbers: f has a low hill at 0.5, a high and narrow one at 0.7."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = 0.2 * torch.exp(-(((x - 0.5) / 0.1) ** 2)) + 0.9 * torch.exp(-(((x - 0.7) / 0.02) ** 2)) - 0.5
        return torch.cat((torch.zeros_like(x), f), 1)


def test_restarts_find_what_one_start_does_not():
    x, y = torch.full((1, 1), 0.45, dtype=torch.float64), torch.zeros(1, dtype=torch.int64)
    grid = torch.linspace(0.1, 0.8, 7001, dtype=torch.float64)[:, None]
    best = float(margins(Bumps()(grid), torch.zeros(7001, dtype=torch.int64)).max())
    pgd = PGD(0.35, "linf", step_size=0.004, steps=50, early_stop=False)
    alone = dataclasses.replace(pgd, restarts=1).search(Bumps(), x, y, seeded())
    many = dataclasses.replace(pgd, restarts=20).search(Bumps(), x, y, seeded())
    assert float(alone.margins) == pytest.approx(-0.3, abs=2e-3)
    assert float(many.margins) == pytest.approx(best, abs=0.01)
    assert best > 0.35


@pytest.mark.parametrize("loss", ["margin", "cross_entropy", "both"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.15), ("l2", 1.0)])
def test_a_plain_network_is_broken(plain, norm, eps, loss):
    _, _, x, y = digits()
    outcome = attacked(plain, x, y, PGD(eps, norm, restarts=2, loss=loss), seeded())
    assert float(outcome.correct.double().mean()) > 0.9
    assert float(outcome.withstood.double().mean()) < 0.15


@pytest.mark.parametrize("which", ["plain", "orthogonal"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.05), ("l2", 0.3)])
def test_certified_pgd_fgsm_clean_in_this_order(request, which, norm, eps):
    network = request.getfixturevalue(which)
    _, _, x, y = digits()
    outcomes = {attack: attacked(network, x, y, attack(eps, norm), seeded()) for attack in ATTACKS}
    pgd, fgsm = outcomes[PGD], outcomes[FGSM]
    assert torch.equal(pgd.correct, fgsm.correct)
    assert torch.equal(pgd.correct, network(x).argmax(1) == y)
    assert bool((pgd.withstood <= fgsm.withstood).all())
    assert bool((fgsm.withstood <= fgsm.correct).all())
    assert int(pgd.withstood.sum()) < int(fgsm.withstood.sum()) < int(fgsm.correct.sum())
    # The difference of two logits is sqrt(2) L-Lipschitz in l2; an l_inf ball lies in the l2 ball of sqrt(d) eps.
    reach = certify(network).bound * math.sqrt(2) * eps * (math.sqrt(64) if norm == "linf" else 1)
    certified = margins(network(x), y) < -reach
    assert bool((certified <= pgd.withstood).all())
    if which == "orthogonal" and norm == "l2":
        assert float(certified.double().mean()) > 0.3


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.5)])
def test_images_stay_near_in_the_box_and_are_as_bad_as_said(plain, attack, norm, eps):
    _, _, x, y = digits()
    found = attack(eps, norm).search(plain, x, y, seeded())
    distance = torch.linalg.vector_norm(found.images.double() - x.double(), math.inf if norm == "linf" else 2, dim=1)
    assert float(distance.max()) <= eps
    assert float(found.images.min()) >= 0
    assert float(found.images.max()) <= 1
    torch.testing.assert_close(margins(plain(found.images), y), found.margins, atol=1e-5, rtol=1e-5)
    assert bool((found.margins >= found.clean_margins).all())
    # What is misclassified to begin with is left alone.
    wrong = found.clean_margins >= 0
    assert torch.equal(found.images[wrong], x[wrong])
    assert 0 < int(wrong.sum()) < len(x) / 4


def test_the_generator_determines_the_result(plain):
    _, _, x, y = digits()
    x, y = x[:100], y[:100]
    pgd = PGD(0.05, "linf", steps=5, early_stop=False)
    first, again, other = (pgd(plain, x, y, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # Nor does it need, or touch, the global generator.
    state = torch.get_rng_state()
    pgd(plain, x, y, seeded(1))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("attack", [FGSM(0.1), FGSM(0.4, "l2"), PGD(0.1, steps=5), PGD(0.4, "l2", steps=5)])
def test_sure_networks_are_attacked_all_the_same(plain, attack):
    """The softmax of logits times 2^10 is 1 at the right class, in float32, so that cross-entropy has no gradient."""
    _, _, x, y = digits()
    sure = nn.Sequential(*plain[:2], nn.Linear(64, 10))
    sure[2].weight.data, sure[2].bias.data = 2.0**10 * plain[2].weight, 2.0**10 * plain[2].bias
    assert float((sure(x).softmax(1).gather(1, y[:, None]) == 1).double().mean()) > 0.9
    usual, scaled = (attacked(network, x, y, attack, seeded()) for network in (plain, sure))
    assert int(usual.withstood.sum()) < 0.8 * int(usual.correct.sum())
    share = float((usual.withstood != scaled.withstood).double().mean())
    # The margin's steps are the same; the softmax over the other classes becomes the strongest of them.
    assert share < (0.08 if isinstance(attack, FGSM) else 0.03)


def test_the_margin_breaks_what_cross_entropy_does_not(orthogonal):
    """Logits of a 1-Lipschitz network lie so close together that cross-entropy pulls at all classes alike."""
    _, _, x, y = digits()
    kept = {
        loss: int(attacked(orthogonal, x, y, PGD(0.05, steps=10, restarts=2, loss=loss), seeded()).withstood.sum())
        for loss in ("margin", "cross_entropy", "both")
    }
    assert max(kept["margin"], kept["both"]) < kept["cross_entropy"] - 5


def test_adversarial_training_gets_the_worst_point(plain):
    _, _, x, y = digits()
    stopped, worst = (
        PGD(0.1, "linf", steps=10, early_stop=early_stop).search(plain, x, y, seeded()) for early_stop in (True, False)
    )
    broken = stopped.margins >= 0
    assert float(worst.margins[broken].mean()) > float(stopped.margins[broken].mean()) + 0.5
    assert torch.equal(worst.margins >= 0, broken) or int(((worst.margins >= 0) != broken).sum()) < 5


@pytest.mark.parametrize("attack", ATTACKS)
def test_neither_gradients_nor_modes_change(plain, attack):
    _, _, x, y = digits()
    network = nn.Sequential(plain, nn.Dropout(0.5)).train().requires_grad_(True)
    plain[0].eval()
    with torch.inference_mode():
        images = x[:50].clone()
        outcome = attacked(network, images, y[:50], attack(0.1), seeded(), chunk=7)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert (network.training, plain[0].training) == (True, False)
    network.eval().requires_grad_(False)
    # In evaluation mode there was no dropout; chunks change nothing but the rounding, and the random starts.
    assert torch.equal(outcome.correct, network(x[:50]).argmax(1) == y[:50])
    if attack is FGSM:
        torch.testing.assert_close(outcome.margins, attack(0.1).search(network, x[:50], y[:50], seeded()).margins)


def test_nan_is_no_right_answer():
    class Nan(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack((torch.ones(len(x)), torch.where(x[:, 0] > 0.55, torch.nan, x[:, 0])), 1)

    x, y = torch.full((3, 2), 0.5), torch.zeros(3, dtype=torch.int64)
    outcome = attacked(Nan(), x, y, PGD(0.1, steps=5), seeded())
    assert outcome.correct.all()
    assert not outcome.withstood.any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FGSM(0.0), r"eps must be positive and finite; got eps=0.0"),
        (lambda: PGD(math.inf), "eps must be positive and finite; got eps=inf"),
        (lambda: FGSM(0.1, "l1"), "norm must be 'linf' or 'l2'; got norm='l1'"),
        (lambda: PGD(0.1, bounds=(1.0, 0.0)), r"bounds must be finite, the first below the second; got bounds=\(1.0"),
        (lambda: PGD(0.1, steps=0), "steps must be at least 1; got steps=0"),
        (lambda: PGD(0.1, restarts=0), "restarts must be at least 1; got restarts=0"),
        (lambda: PGD(0.1, step_size=0.0), "step_size must be positive and finite; got step_size=0.0"),
        (lambda: PGD(0.1, loss="hinge"), "loss must be 'margin', 'cross_entropy' or 'both'; got loss='hinge'"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("y", "out", "message"),
    [
        (torch.tensor([0, 3, 1]), 3, "y must hold classes from 0 to 2 as int64; got torch.int64 from 0 to 3"),
        (torch.tensor([0, -1, 1]), 3, "from -1 to 1"),
        (torch.tensor([0.0, 1.0, 1.0]), 3, "got torch.float32"),
        (torch.tensor([0, 1]), 3, r"logits of shape \(3, 3\) and y of shape \(2,\)"),
        (torch.tensor([0, 0, 0]), 1, r"K >= 2, and y must be of shape \(N,\); got logits of shape \(3, 1\)"),
    ],
)
def test_bad_classes_are_named(y, out, message):
    with pytest.raises(ValueError, match=message):
        FGSM(0.1)(nn.Linear(2, out), torch.zeros(3, 2), y, seeded())
