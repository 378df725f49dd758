"""The gradient's norm at each layer, from a network's output back to its input."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from wgan_lip.lipschitz.inspection import diagnosed_copy, kind_of, leaves

# Points that are differentiated at once.
_CHUNK = 512
# Layers that only rearrange numbers, in evaluation mode.
_REARRANGE = ("Dropout", "Flatten", "Identity", "PixelShuffle", "PixelUnshuffle", "Unflatten")


@dataclass(frozen=True)
class LayerGradient:
    """Statistics of ``|d f / d h|_2`` over points, with h the output of a layer, or the input of the network.

    Attributes:
        name: the layer's dotted name in the network; "input" for the input.
        kind: its class; "input" likewise.
        mean: over the points.
        standard_error: of the mean: ``spread / sqrt(n)``.
        spread: standard deviation over the points.
        smallest: over the points.
        largest: over the points.
    """

    name: str
    kind: str
    mean: float
    standard_error: float
    spread: float
    smallest: float
    largest: float


@dataclass(frozen=True)
class GradientProfile:
    """The gradient's norm at every layer of a network, in the order of backpropagation.

    Attributes:
        layers: the output layer first, the input last: one more than there are layers.
        n: number of points.
        of: the scalar that was differentiated: "the output", "output 3", or "a random unit combination of 10 outputs".
    """

    layers: tuple[LayerGradient, ...]
    n: int
    of: str

    @property
    def shown(self) -> tuple[LayerGradient, ...]:
        """The layers without those that only rearrange numbers, which leave the norm unchanged."""
        return tuple(layer for layer in self.layers if layer.kind not in _REARRANGE)

    @property
    def input(self) -> LayerGradient:
        """The norm of the gradient with respect to the input."""
        return self.layers[-1]


def gradient_profile(
    network: nn.Module, x: Tensor, *, output: int | None = None, generator: Generator | None = None
) -> GradientProfile:
    """Compute the norm of the gradient with respect to the output of every layer, over points.

    For ``f = l_k o ... o l_1`` and ``h_i = l_i(h_(i-1))``, ``h_0 = x``: the norms of ``J_(i+1)^T ... J_k^T u`` for
    i = k down to 0, with u the unit vector of the output, or a random unit vector for each point. For 1-Lipschitz
    layers they can only fall; for layers that preserve gradient norm they stay equal. Computed in float64, evaluation
    mode, on a copy; the network is not changed.

    Args:
        network: maps (n, ...) to (n, ...), each output depending on its own sample only. Its layers are those of a
            (nested) ``nn.Sequential``; any other module is one layer.
        x: points of shape (n, ...), n at least 2.
        output: the index of the output to differentiate, in a flattened sample; None is the only one, or a random unit
            combination of several.
        generator: a CPU generator for random combinations.

    Raises:
        ValueError: fewer than 2 points, an ``output`` out of range, several outputs and neither ``output`` nor
            ``generator``, outputs whose first axis is not that of the samples, or points without a finite gradient.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1 and
        section 4.1.
    """
    check_points(x)
    twin = diagnosed_copy(network)
    chain = list(leaves(twin))
    norms, of = [], ""
    for part in x.detach().split(_CHUNK):
        found, of = _norms(chain, part.to("cpu", torch.float64), output, generator)
        norms.append(found)
    names = [("input", "input"), *((name, kind_of(layer)) for name, layer in chain)]
    columns = torch.cat(norms, 1)
    if not bool(torch.isfinite(columns).all()):
        bad = int((~columns.isfinite()).any(0).sum())
        raise ValueError(f"x must hold points with finite gradients; {bad} of {len(x)} points have none")
    layers = [_layer(*name, values) for name, values in zip(names, columns, strict=True)]
    return GradientProfile(tuple(reversed(layers)), len(x), of)


def check_points(x: Tensor) -> None:
    """Raise ValueError unless ``x`` holds at least two points."""
    if x.ndim < 2 or len(x) < 2:
        raise ValueError(f"x must hold at least 2 points, of shape (n, ...); got shape {tuple(x.shape)}")


def _norms(
    chain: list[tuple[str, nn.Module]], x: Tensor, output: int | None, generator: Generator | None
) -> tuple[Tensor, str]:
    """Return the norms, shape (layers + 1, n), from the input on, and a name of the differentiated scalar."""
    with torch.inference_mode(False), torch.enable_grad():
        activations = [x.clone().requires_grad_()]
        for _, layer in chain:
            activations.append(layer(activations[-1]))
        last = activations[-1]
        direction, of = _direction(last, len(x), output, generator)
        found = torch.autograd.grad(last, activations, direction, allow_unused=True)
    return torch.stack([x.new_zeros(len(x)) if part is None else part.flatten(1).norm(dim=1) for part in found]), of


def _direction(last: Tensor, n: int, output: int | None, generator: Generator | None) -> tuple[Tensor, str]:
    """Return the vectors that are backpropagated from the outputs of n points, and a name of them."""
    if last.shape[:1] != (n,):
        raise ValueError(f"network must give one output for each of {n} samples; got shape {tuple(last.shape)}")
    outputs = last[0].numel()
    if output is not None and not 0 <= output < outputs:
        raise ValueError(f"output must lie between 0 and {outputs - 1}; got output={output}")
    if output is None and outputs > 1:
        if generator is None:
            raise ValueError(f"network has {outputs} outputs: give output, or a generator for random combinations")
        drawn = torch.randn(n, outputs, generator=generator, dtype=torch.float64)
        drawn = drawn / drawn.norm(dim=1, keepdim=True)
        return drawn.view(last.shape), f"a random unit combination of {outputs} outputs"
    chosen = torch.zeros(n, outputs, dtype=torch.float64)
    chosen[:, output or 0] = 1
    return chosen.view(last.shape), "the output" if outputs == 1 else f"output {output}"


def _layer(name: str, kind: str, norms: Tensor) -> LayerGradient:
    spread = float(norms.std())
    return LayerGradient(
        name=name,
        kind=kind,
        mean=float(norms.mean()),
        standard_error=spread / len(norms) ** 0.5,
        spread=spread,
        smallest=float(norms.min()),
        largest=float(norms.max()),
    )
