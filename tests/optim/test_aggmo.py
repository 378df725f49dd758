import pytest
import torch
from torch import nn

from wgan_lip.optim import AggMo


def test_one_velocity_is_gradient_descent_with_momentum() -> None:
    parameters = [nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64)) for _ in range(2)]
    ours = AggMo(parameters[:1], lr=0.1, betas=(0.9,))
    theirs = torch.optim.SGD(parameters[1:], lr=0.1, momentum=0.9)
    for _ in range(20):
        for parameter, optimizer in zip(parameters, (ours, theirs), strict=True):
            optimizer.zero_grad()
            (parameter**2).sum().backward()
            optimizer.step()
    torch.testing.assert_close(parameters[0], parameters[1], atol=1e-12, rtol=0)


def test_two_steps_by_hand() -> None:
    parameter = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = AggMo([parameter], lr=0.5, betas=(0.0, 0.5))
    for gradient in (2.0, 4.0):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
    # Velocities -2, -2 and then -4, -5: 1 - 0.25 (2 + 2) - 0.25 (4 + 5).
    assert parameter.item() == 1 - 0.25 * 4 - 0.25 * 9


def test_resumed_from_its_state_it_continues() -> None:
    whole, part = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer, first = AggMo([whole]), AggMo([part])
    for k in range(6):
        if k == 3:
            second = AggMo([part])
            second.load_state_dict(first.state_dict())
            first = second
        for parameter, o in ((whole, optimizer), (part, first)):
            parameter.grad = torch.full((3,), float(k))
            o.step()
    assert torch.equal(whole, part)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": -1.0}, "lr must be finite"), ({"betas": ()}, "at least one"), ({"betas": (0.5, 1.0)}, "at least one")],
)
def test_bad_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AggMo([nn.Parameter(torch.ones(1))], **options)  # type: ignore[arg-type]
