"""All diagnostics of a network's gradients at once."""

from dataclasses import dataclass

from torch import Generator, Tensor, nn

from wgan_lip.lipschitz.diagnostics.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.diagnostics.gradient_profile import GradientProfile, gradient_profile
from wgan_lip.lipschitz.diagnostics.spectra import JacobianSpectrum, WeightSpectrum, jacobian_spectrum, weight_spectra


@dataclass(frozen=True)
class Diagnosis:
    """Estimates of the gradient norm that a network loses at given points, and of the causes.

    Attributes:
        gradients: the gradient's norm after every layer.
        jacobian: singular values of the Jacobian with respect to the input, at the first of the points.
        units: dead and never-switching units of each activation layer.
        weights: singular values of each weight.
    """

    gradients: GradientProfile
    jacobian: JacobianSpectrum
    units: tuple[LayerUnits, ...]
    weights: tuple[WeightSpectrum, ...]


def diagnose(
    network: nn.Module, x: Tensor, generator: Generator, *, output: int | None = None, jacobian_points: int = 64
) -> Diagnosis:
    """Diagnose at which layers a network loses gradient norm, and why.

    Between orthogonal layers only activations can lose it: ReLU loses the coordinates that it sets to 0, so a trained
    critic can be steep only if many of its units never switch. Layers with small singular values lose it too.

    Args:
        network: a (nested) ``nn.Sequential`` with any number of outputs, which is not changed; evaluated in float64,
            evaluation mode.
        x: points of shape (n, ...), n at least 2.
        generator: a CPU generator, for random combinations of several outputs.
        output: the output to differentiate; None is the only one, or a random unit combination of several.
        jacobian_points: number of points at which the singular values of the Jacobian are computed if there are several
            outputs; with a single output they are computed at all points.

    Raises:
        ValueError: ``jacobian_points`` below 2; as :func:`gradient_profile` and the others.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1.
    """
    if jacobian_points < 2:
        raise ValueError(f"jacobian_points must be at least 2; got jacobian_points={jacobian_points}")
    gradients = gradient_profile(network, x, output=output, generator=generator)
    some = x if gradients.of == "the output" else x[:jacobian_points]
    return Diagnosis(
        gradients=gradients,
        jacobian=jacobian_spectrum(network, some),
        units=activation_patterns(network, x),
        weights=weight_spectra(network, x),
    )
