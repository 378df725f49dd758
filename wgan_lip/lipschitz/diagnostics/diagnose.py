"""Why a network is less steep than it might be: all diagnostics of its gradients at once."""

from dataclasses import dataclass

from torch import Generator, Tensor, nn

from wgan_lip.lipschitz.diagnostics.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.diagnostics.gradient_profile import GradientProfile, gradient_profile
from wgan_lip.lipschitz.diagnostics.jacobian_spectrum import JacobianSpectrum, jacobian_spectrum
from wgan_lip.lipschitz.diagnostics.weight_spectrum import WeightSpectrum, weight_spectra


@dataclass(frozen=True)
class Diagnosis:
    """What one network does to gradients at given points. Estimates over these points, which prove nothing.

    Attributes:
        gradients: the gradient's norm after every layer.
        jacobian: singular values of the Jacobian with respect to the input, at the first of the points.
        units: dead and never-switching units of each activation.
        weights: singular values of each weight.
    """

    gradients: GradientProfile
    jacobian: JacobianSpectrum
    units: tuple[LayerUnits, ...]
    weights: tuple[WeightSpectrum, ...]


def diagnose(
    network: nn.Module, x: Tensor, generator: Generator, *, output: int | None = None, jacobian_points: int = 64
) -> Diagnosis:
    """Diagnose lost gradient norm: where it is lost, and to what.

    Between orthogonal layers only the activations can lose it: ReLU by what it sets to 0, so that a trained critic must
    keep many units from ever switching to stay steep. Layers with small singular values lose it themselves.

    Args:
        network: a (nested) ``nn.Sequential``, of any number of outputs; it is not changed. In float64, in evaluation
            mode.
        x: points of shape (n, ...), n at least 2.
        generator: a CPU generator: for random combinations of several outputs, and for Lanczos.
        output: which output to differentiate; None is the only one, or a random unit combination of several.
        jacobian_points: at how many of the points singular values of the Jacobian are found where there are several
            outputs; those of a single one are cheap, and found at all.

    Raises:
        ValueError: ``jacobian_points`` below 2, and as the parts do.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1.
    """
    if jacobian_points < 2:
        raise ValueError(f"jacobian_points must be at least 2; got jacobian_points={jacobian_points}")
    gradients = gradient_profile(network, x, output=output, generator=generator)
    some = x if gradients.of == "the output" else x[:jacobian_points]
    return Diagnosis(
        gradients=gradients,
        jacobian=jacobian_spectrum(network, some, generator=generator),
        units=activation_patterns(network, x),
        weights=weight_spectra(network, x),
    )
