"""A network's gradients at several kinds of points, in plain values that are drawn, printed and stored as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from wgan_lip.lipschitz import (
    LayerGradient,
    LayerUnits,
    activation_patterns,
    gradient_profile,
    jacobian_spectrum,
    weight_spectra,
)

# Singular values of the Jacobian are kept as so many quantiles.
_QUANTILES = 51
_JACOBIAN_POINTS = 64


@dataclass(frozen=True)
class PointsSummary:
    """Gradients at one kind of points.

    Attributes:
        kind: what they are.
        n: how many.
        of: the differentiated output; see :class:`wgan_lip.lipschitz.GradientProfile`.
        layers: from the output to the input, less layers that only rearrange.
        jacobian: quantiles of the singular values of the input Jacobian over the points, ascending, from 0 to 100 %.
        jacobian_complete: True, in the JSON format of earlier versions: they are of all singular values.
    """

    kind: str
    n: int
    of: str
    layers: tuple[LayerGradient, ...]
    jacobian: tuple[float, ...]
    jacobian_complete: bool = True

    @property
    def input(self) -> LayerGradient:
        """The norm of the gradient with respect to the input."""
        return self.layers[-1]


@dataclass(frozen=True)
class WeightRange:
    """The singular values of one weight.

    Attributes:
        name: the layer's.
        kind: its class.
        smallest: of the singular values; None where they are not known.
        largest: likewise.
        reason: why they are not known.
    """

    name: str
    kind: str
    smallest: float | None
    largest: float | None
    reason: str | None


@dataclass(frozen=True)
class NetworkSummary:
    """One network.

    Attributes:
        label: its name in figures and tables.
        points: its gradients, for each kind of points.
        units: of each activation, over the points of all kinds.
        weights: in the order of their use.
    """

    label: str
    points: tuple[PointsSummary, ...]
    units: tuple[LayerUnits, ...]
    weights: tuple[WeightRange, ...]

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "NetworkSummary":
        """The inverse of ``record``.

        Args:
            record: as ``record`` gives it, or JSON of it.
        """
        return cls(
            label=record["label"],
            points=tuple(
                PointsSummary(
                    **{
                        **points,
                        "layers": tuple(LayerGradient(**layer) for layer in points["layers"]),
                        "jacobian": tuple(points["jacobian"]),
                    }
                )
                for points in record["points"]
            ),
            units=tuple(LayerUnits(**units) for units in record["units"]),
            weights=tuple(WeightRange(**weight) for weight in record["weights"]),
        )


def summarize_gradients(
    label: str, network: nn.Module, points: Mapping[str, Tensor], generator: Generator
) -> NetworkSummary:
    """Summarize the gradients of a network at several kinds of points.

    Args:
        label: its name in figures and tables.
        network: a (nested) ``nn.Sequential``; it is not changed.
        points: by kind, each of shape (n, ...), n at least 2.
        generator: a CPU generator, for networks of several outputs.

    Raises:
        ValueError: no points, or as the diagnostics of ``wgan_lip.lipschitz`` do.
    """
    if not points:
        raise ValueError("points must hold at least one kind; got none")
    together = torch.cat([x.detach().cpu() for x in points.values()])
    return NetworkSummary(
        label=label,
        points=tuple(_at(kind, network, x, generator) for kind, x in points.items()),
        units=activation_patterns(network, together),
        weights=tuple(
            WeightRange(
                one.name,
                one.kind,
                None if one.values is None else float(one.values[-1]),
                None if one.values is None else float(one.values[0]),
                one.reason,
            )
            for one in weight_spectra(network, together)
        ),
    )


def _at(kind: str, network: nn.Module, x: Tensor, generator: Generator) -> PointsSummary:
    profile = gradient_profile(network, x, generator=generator)
    # A network with one output has one singular value a point, the norm of its gradient, which is cheap.
    some = x if profile.of == "the output" else x[:_JACOBIAN_POINTS]
    spectrum = jacobian_spectrum(network, some)
    levels = torch.linspace(0, 1, _QUANTILES, dtype=torch.float64)
    # torch.quantile takes at most 2^24 values.
    values = spectrum.values.flatten().sort().values
    quantiles = values[(levels * (len(values) - 1)).round().long()]
    return PointsSummary(
        kind=kind,
        n=profile.n,
        of=profile.of,
        layers=profile.shown,
        jacobian=tuple(quantiles.tolist()),
    )


def place_labels(network: NetworkSummary, layers: Sequence[LayerGradient]) -> list[str]:
    """Short names of the layers, as "output", "W2", "ReLU", "W1", "input": weights are numbered from the input on.

    Args:
        network: says which layers are weights.
        layers: of a profile, from the output to the input.
    """
    weights = [weight.name for weight in network.weights]
    labels = []
    for layer in layers:
        if layer.name in weights:
            labels.append(f"W{weights.index(layer.name) + 1}")
        else:
            labels.append(layer.kind)
    return ["output", *labels[1:]]


def shared_labels(networks: Sequence[NetworkSummary]) -> list[str] | None:
    """Labels for the layers of several networks side by side; None where the layers do not correspond.

    Layers correspond if there are equally many, with weights at the same places; other layers may differ, and are then
    called "act." (activation).

    Args:
        networks: at least one.
    """
    labels = [place_labels(network, network.points[0].layers) for network in networks]
    if len({len(names) for names in labels}) > 1:
        return None
    shared = []
    for names in zip(*labels, strict=True):
        if len(set(names)) == 1:
            shared.append(names[0])
        elif any(_is_weight(name) or name in ("input", "output") for name in names):
            return None
        else:
            shared.append("act.")
    return shared


def _is_weight(label: str) -> bool:
    return label[:1] == "W" and label[1:].isdigit()
