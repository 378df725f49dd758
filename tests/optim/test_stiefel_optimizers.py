import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from wgan_lip.lipschitz import MaxMin, OrthogonalLinear, project_
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.optim.stiefel_optimizers import orthogonalized, orthogonalized_tangent, tangent
from wgan_lip.stiefel import StiefelParameter, polar_factor

SHAPES = [(40, 24), (24, 40), (32, 32), (1, 33), (33, 1), (1, 1), (300, 257)]
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"muon": StiefelMuon, "adam": StiefelAdam}
GRADIENTS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "random": lambda w, g: torch.randn(w.shape, generator=g),
    "huge": lambda w, g: 1e30 * torch.randn(w.shape, generator=g),
    "tiny": lambda w, g: 1e-30 * torch.randn(w.shape, generator=g),
    "zero": lambda w, g: torch.zeros_like(w),
    "rank one": lambda w, g: torch.outer(torch.randn(len(w), generator=g), torch.randn(w.shape[1], generator=g)),
    "constant": lambda w, g: torch.ones_like(w),
    "radial": lambda w, g: w.clone(),
    "antipodal": lambda w, g: -w.clone(),
    "one entry": lambda w, g: torch.zeros_like(w).index_put_((torch.tensor(0), torch.tensor(0)), torch.tensor(1e20)),
}


def orthogonal(shape: tuple[int, int], seed: int = 0, dtype: torch.dtype = torch.float32) -> StiefelParameter:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return StiefelParameter(polar_factor(drawn).to(dtype))


def worst_singular_value(weight: Tensor) -> float:
    return float((torch.linalg.svdvals(weight.detach().double()) - 1).abs().max())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("lr", [1e-4, 1e-2, 1.0, 100.0])
def test_weights_stay_orthogonal_at_any_step_size(optimizer: str, kind: str, lr: float) -> None:
    weights = [orthogonal(shape, seed) for seed, shape in enumerate([(40, 24), (24, 40), (32, 32), (32, 32), (1, 33)])]
    stepper = OPTIMIZERS[optimizer](weights, lr=lr)
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        for weight in weights:
            weight.grad = GRADIENTS[kind](weight.detach(), generator)
        stepper.step()
        assert max(worst_singular_value(weight) for weight in weights) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("lr", [1e-4, 1e-3, 1e-2, 1e-1, 1.0])
def test_a_thousand_steps_of_training(optimizer: str, lr: float) -> None:
    critic = mixed_network(width=128)
    stepper = OPTIMIZERS[optimizer](critic.parameters(), lr=lr)
    for step in range(1000):
        stepper.zero_grad()
        loss(critic, step).backward()
        stepper.step()
    for module in critic.modules():
        if isinstance(module, OrthogonalLinear):
            assert worst_singular_value(module.weight) < 1e-5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finds_the_nearest_orthogonal_matrix(optimizer: str, shape: tuple[int, int], dtype: torch.dtype) -> None:
    """max <A, W> over the manifold is the nuclear norm of A, attained at its polar factor."""
    target = polar_factor(torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=dtype))
    # In the same connected component: a square matrix cannot change the sign of its determinant.
    turn = torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=dtype)
    weight = StiefelParameter(polar_factor(target + 0.5 * tangent(target[None], turn[None])[0] / math.sqrt(max(shape))))
    stepper = OPTIMIZERS[optimizer]([weight], lr=0.05)
    for step in range(300):
        stepper.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        weight.grad = -target
        stepper.step()
    assert float((target * weight.detach()).sum()) > (1 - 1e-3) * min(shape)
    assert weight.dtype == dtype


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("project", [tangent, orthogonalized_tangent])
def test_steps_are_tangent(project: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, int]) -> None:
    """``W D^T`` is skew-symmetric for wide W: the derivative of ``W W^T = I`` along D vanishes."""
    weight = orthogonal(shape, dtype=torch.float64).detach()
    direction = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along = project(weight[None], direction[None])[0]
    product = weight @ along.mT if shape[0] <= shape[1] else weight.mT @ along
    tolerance = 10 * max(shape) * torch.finfo(torch.float64).eps
    torch.testing.assert_close(product, -product.mT, atol=tolerance, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_tangent_projection_is_orthogonal(shape: tuple[int, int]) -> None:
    weight = orthogonal(shape, dtype=torch.float64).detach()[None]
    direction = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)[None]
    projected = tangent(weight, direction)
    tolerance = 10 * max(shape) * torch.finfo(torch.float64).eps
    torch.testing.assert_close(tangent(weight, projected), projected, atol=tolerance, rtol=0)
    # What is taken away is normal to what is left.
    assert abs(float(((direction - projected) * projected).sum())) < tolerance * math.prod(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e18])
def test_orthogonalized_direction(shape: tuple[int, int], scale: float) -> None:
    """Singular values above a hundredth of the largest come to 1 within three tenths, all others to less than 1.3."""
    direction = torch.randn(2, *shape, generator=torch.Generator().manual_seed(2)) * scale
    result = orthogonalized(direction).double()
    u, s, vt = torch.linalg.svd(direction.double() / scale, full_matrices=False)
    values = (u.mT @ result @ vt.mT).diagonal(dim1=-2, dim2=-1)
    assert float(values.min()) >= 0
    assert float(values[s > s[:, :1] / 100].min()) > 0.7
    assert float(torch.linalg.svdvals(result).max()) < 1.3


def test_a_direction_of_zero_stays_zero() -> None:
    assert not orthogonalized(torch.zeros(2, 5, 3)).any()


def test_the_polynomials_bring_singular_values_to_one() -> None:
    """What the docstring of ``orthogonalized`` claims, on diagonal matrices over its interval."""
    values = torch.linspace(1e-5, 1, 2_001, dtype=torch.float64)
    # The second value decides the scale: alone the first is 1, beside a thousand equal ones its norm is much larger.
    for crowd in (1, 1000):
        matrices = [torch.diag(torch.cat([v[None], torch.ones(crowd, dtype=v.dtype)])) for v in values[:: 50 * crowd]]
        for matrix in matrices:
            result = orthogonalized(matrix[None])[0].diagonal()
            assert float(result.max()) < 1.3
            assert float(result[matrix.diagonal() > 0.01].min()) > 0.7
            assert float(result[0]) > 0


def mixed_network(width: int = 16, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    generator = torch.Generator().manual_seed(5)
    layers: list[nn.Module] = []
    for size in (8, width, width):
        layers += [OrthogonalLinear(size, width, generator=generator), MaxMin()]
    ordinary = nn.Linear(width, width)
    with torch.no_grad():
        ordinary.weight.copy_(torch.randn(width, width, generator=generator) / width)
        ordinary.bias.zero_()
    return nn.Sequential(*layers, ordinary, OrthogonalLinear(width, 1, generator=generator)).to(dtype)


def loss(network: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(100 + step)
    dtype = next(network.parameters()).dtype
    x, y = torch.randn(2, 32, 8, generator=generator, dtype=torch.float64).to(dtype)
    return network(1.5 * y).mean() - network(x).mean()


def run(network: nn.Module, stepper: Optimizer, steps: range) -> None:
    for step in steps:
        stepper.zero_grad()
        loss(network, step).backward()
        stepper.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_run_twice_is_equal_to_the_bit(optimizer: str) -> None:
    states = []
    for _ in range(2):
        network = mixed_network()
        run(network, OPTIMIZERS[optimizer](network.parameters()), range(20))
        states.append(network.state_dict())
    for name in states[0]:
        assert torch.equal(states[0][name], states[1][name])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_from_its_state_it_continues_to_the_bit(optimizer: str) -> None:
    whole = mixed_network()
    run(whole, OPTIMIZERS[optimizer](whole.parameters()), range(20))
    first = mixed_network()
    stepper = OPTIMIZERS[optimizer](first.parameters())
    run(first, stepper, range(9))
    network_state, state = copy.deepcopy(first.state_dict()), copy.deepcopy(stepper.state_dict())
    second = mixed_network()
    second.load_state_dict(network_state)
    resumed = OPTIMIZERS[optimizer](second.parameters(), lr=0.5)
    resumed.load_state_dict(state)
    run(second, resumed, range(9, 20))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, atol=0, rtol=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ordinary_parameters_take_the_step_of_adam(optimizer: str) -> None:
    ours, theirs = mixed_network(), mixed_network()
    stepper = OPTIMIZERS[optimizer](ours.parameters(), lr=0.0, adam_lr=0.01, adam_betas=(0.8, 0.95), adam_eps=1e-6)
    ordinary = [p for p in theirs.parameters() if not isinstance(p, StiefelParameter)]
    adam = torch.optim.Adam(ordinary, lr=0.01, betas=(0.8, 0.95), eps=1e-6)
    before = ours[0].weight.detach().clone()
    for step in range(10):
        for network, o in ((ours, stepper), (theirs, adam)):
            o.zero_grad()
            loss(network, step).backward()
            o.step()
    for ours_p, theirs_p in zip(ours.parameters(), theirs.parameters(), strict=True):
        # The orthogonal ones are retracted to rounding once more; that rounding reaches the others' gradients.
        torch.testing.assert_close(ours_p, theirs_p, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours[0].weight.detach(), before, atol=1e-6, rtol=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_stacked_and_single_updates_agree(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for stacked in (256, 0):
        monkeypatch.setattr("wgan_lip.optim.stiefel._STACKED", stacked)
        network = mixed_network(dtype=torch.float64)
        run(network, OPTIMIZERS[optimizer](network.parameters()), range(10))
        results.append([p.detach().clone() for p in network.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_scheduler_reaches_both_kinds(optimizer: str) -> None:
    network = mixed_network()
    stepper = OPTIMIZERS[optimizer](network.parameters(), lr=0.1, adam_lr=0.3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(stepper, lambda step: 0.5**step)
    run(network, stepper, range(1))
    scheduler.step()
    assert sorted(group["lr"] for group in stepper.param_groups) == [0.05, 0.15]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_groups_closures_and_missing_gradients(optimizer: str) -> None:
    a, b, c = orthogonal((8, 8), 0), orthogonal((8, 4), 1), nn.Parameter(torch.ones(3))
    groups: Iterable[Any] = [{"params": [a, c], "lr": 0.5}, {"params": [b]}]
    stepper = OPTIMIZERS[optimizer](groups, lr=0.1)
    before, kept = b.detach().clone(), c.detach().clone()

    def closure() -> Tensor:
        stepper.zero_grad()
        value = (a * torch.arange(64.0).view(8, 8)).sum()
        value.backward()
        return value.detach()

    first = float(stepper.step(closure))
    for _ in range(20):
        last = float(stepper.step(closure))
    assert last < first
    assert torch.equal(b, before)
    assert torch.equal(c, kept)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_weight_that_others_moved_is_brought_back_first(optimizer: str) -> None:
    weight = orthogonal((16, 16))
    stepper = OPTIMIZERS[optimizer]([weight], lr=1e-3)
    with torch.no_grad():
        weight.mul_(3.0).add_(0.1)
    weight.grad = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    stepper.step()
    assert worst_singular_value(weight) < 1e-5


def test_projection_does_nothing_after_our_step_and_all_after_another() -> None:
    network = mixed_network()
    run(network, StiefelMuon(network.parameters()), range(2))
    before = [p.detach().clone() for p in network.parameters()]
    project_(network)
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))
    run(network, torch.optim.SGD(network.parameters(), lr=0.1), range(1))
    assert worst_singular_value(network[0].weight) > 1e-3
    project_(network)
    assert worst_singular_value(network[0].weight) < 1e-5


def test_an_orthogonal_weight_survives_a_deep_copy() -> None:
    copied = copy.deepcopy(OrthogonalLinear(4, 6))
    assert isinstance(copied.weight, StiefelParameter)
    assert isinstance(OrthogonalLinear(4, 6).double().weight, StiefelParameter)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_named(optimizer: str, bad: float) -> None:
    weight = orthogonal((8, 8))
    weight.grad = torch.full((8, 8), bad)
    with pytest.raises(ValueError, match="NaN or infinity"):
        OPTIMIZERS[optimizer]([weight]).step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "lr must be finite"),
        ({"lr": float("nan")}, "lr must be finite"),
        ({"adam_lr": float("inf")}, "adam_lr must be finite"),
        ({"adam_betas": (0.9, 1.0)}, "adam_betas must lie in"),
    ],
)
def test_bad_options_are_named(optimizer: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS[optimizer]([orthogonal((4, 4))], **options)


def test_bad_options_of_muon_are_named() -> None:
    with pytest.raises(ValueError, match="momentum must lie in"):
        StiefelMuon([orthogonal((4, 4))], momentum=1.0)
    with pytest.raises(ValueError, match="must be a matrix; got shape \\(2, 2, 2\\)"):
        StiefelMuon([StiefelParameter(torch.zeros(2, 2, 2))])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiled_it_does_the_same(optimizer: str) -> None:
    results = []
    for compiled in (False, True):
        torch.compiler.reset()
        network = mixed_network(dtype=torch.float64)
        # The last bias has gradient 0 up to rounding, which Adam would divide by a small epsilon.
        stepper = OPTIMIZERS[optimizer](network.parameters(), adam_eps=1e-3)
        # The backend changes nothing; what is tested is that the step can be traced.
        step = torch.compile(stepper.step, backend="eager") if compiled else stepper.step
        for k in range(4):
            stepper.zero_grad()
            loss(network, k).backward()
            step()
        results.append([p.detach().clone() for p in network.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)
