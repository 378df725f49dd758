"""How steep a network is at given points: norms of its gradients and Jacobians. Estimates, which prove nothing."""

import torch
from torch import Generator, Tensor, nn

from wgan_lip.dtypes import drawing_dtype, widened


def critic_gradients(critic: nn.Module, x: Tensor, differentiable: bool = False) -> Tensor:
    """``grad f(x)`` at each point. Works inside ``torch.no_grad`` and ``torch.inference_mode`` too.

    Args:
        critic: f, with one value per sample, which depends on that sample only.
        x: points of shape (n, ...).
        differentiable: keep the graph, so that the result can be differentiated with respect to f's parameters.

    Returns:
        A tensor of the shape of x.

    Raises:
        ValueError: the critic gives more or fewer than one value per sample.
    """
    with torch.inference_mode(False), torch.enable_grad():
        points = x.clone().detach().requires_grad_()
        # A copy: the first layer may work in place, which a leaf of the graph forbids.
        values = critic(points.clone())
        if values.numel() != len(points):
            raise ValueError(
                f"critic must give one value per sample; got shape {tuple(values.shape)} for {len(x)} samples"
            )
        (result,) = torch.autograd.grad(values.sum(), points, create_graph=differentiable)
        return result


def gradient_norms(critic: nn.Module, x: Tensor, differentiable: bool = False) -> Tensor:
    """``|grad f(x)|_2`` at each point, shape (n,): :func:`critic_gradients`, which see for the arguments.

    A critic that attains W1 has norm 1 almost everywhere between the two distributions; one that loses gradient norm
    has less.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1.
    """
    return _norms(critic_gradients(critic, x, differentiable))


def jacobian_norms(network: nn.Module, x: Tensor, generator: Generator, iterations: int = 5) -> Tensor:
    """``|J(x)|_2``, the spectral norm of the network's Jacobian at each point, by power iteration.

    ``v <- J^T u / |J^T u|``, ``u <- J v / |J v|``, from a random u; the result ``|J^T u|`` is never above
    the truth, and equal to it for networks with one output. It can be differentiated with respect to the parameters.

    Args:
        network: maps (n, ...) to (n, ...), each output depending on its own sample only.
        x: points of shape (n, ...).
        generator: source of the initial u.
        iterations: power iterations; none are needed, nor done, for one output.

    Returns:
        Shape (n,), with a graph.

    Raises:
        ValueError: outputs that do not count the samples on their first axis, or ``iterations < 1``.
    """
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1; got iterations={iterations}")
    with torch.inference_mode(False), torch.enable_grad():
        points = x.clone().detach().requires_grad_()
        outputs = network(points.clone())
        if outputs.shape[:1] != points.shape[:1]:
            raise ValueError(
                f"network must keep the {len(x)} samples apart; got outputs of shape {tuple(outputs.shape)}"
            )
        start = torch.randn(outputs.shape, generator=generator, device=generator.device, dtype=drawing_dtype())
        u = _normalized(start.to(outputs))
        if outputs.numel() > len(points):
            # J^T w as a function of w, whose derivative in direction v is J v.
            w = torch.zeros_like(outputs, requires_grad=True)
            (pulled,) = torch.autograd.grad(outputs, points, w, create_graph=True)
            for _ in range(iterations):
                (back,) = torch.autograd.grad(outputs, points, u, retain_graph=True)
                (forth,) = torch.autograd.grad(pulled, w, _normalized(back), retain_graph=True)
                u = _normalized(forth)
        (pulled,) = torch.autograd.grad(outputs, points, u, create_graph=True)
        return _norms(pulled)


def _norms(batch: Tensor) -> Tensor:
    return torch.linalg.vector_norm(batch.flatten(1), dim=1, dtype=widened(batch.dtype))


def _normalized(batch: Tensor) -> Tensor:
    """Each sample divided by its norm; zero stays zero."""
    norms = _norms(batch).clamp_min(torch.finfo(batch.dtype).tiny)
    return (batch / norms.view(-1, *(1,) * (batch.ndim - 1))).to(batch)
