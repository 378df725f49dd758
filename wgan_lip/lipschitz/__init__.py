"""Activations and layers that are 1-Lipschitz by construction, alternatives to compare with, and the certificate."""

from wgan_lip.lipschitz.activations.alternatives import Abs, Householder, Maxout
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.bounds import gamma, product_upper_bound, spectral_norm_upper_bound
from wgan_lip.lipschitz.certificate.certify import LayerBound, LipschitzCertificate, certify, norm_of
from wgan_lip.lipschitz.certificate.rounding import Magnitudes, rounding_of_values, values_and_magnitudes
from wgan_lip.lipschitz.constraints.constraint import Constraint, Norm, Unconstrained, project_
from wgan_lip.lipschitz.constraints.norms import (
    LInfNormalization,
    LInfProjection,
    SpectralNorm,
    SpectralProjection,
    WeightClipping,
)
from wgan_lip.lipschitz.constraints.orthogonal import (
    Bjorck,
    Cayley,
    Parseval,
    StiefelRetraction,
    bjorck_orthonormalize,
)
from wgan_lip.lipschitz.constraints.penalties import GradientPenalty, Penalty, critic_gradients, gradient_norms
from wgan_lip.lipschitz.diagnostics.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.diagnostics.diagnose import (
    Diagnosis,
    JacobianSpectrum,
    WeightSpectrum,
    diagnose,
    jacobian_spectrum,
    weight_spectra,
)
from wgan_lip.lipschitz.diagnostics.gradient_profile import GradientProfile, LayerGradient, gradient_profile
from wgan_lip.lipschitz.export.plain import plain
from wgan_lip.lipschitz.inspection import evaluating, float64_copy, inherits_forward, leaves
from wgan_lip.lipschitz.layers.composition import ConvexResidual, NormPool2d, Scale, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.kernel_convolution import ConstrainedConv2d, LInfConv2d
from wgan_lip.lipschitz.layers.linear import ConstrainedLinear, ConstrainedMatrix, LInfLinear, OrthogonalLinear
from wgan_lip.lipschitz.layers.orthogonal_convolution import OrthogonalConv2d, block_kernel
from wgan_lip.stiefel import on_manifold, orthogonality_error, polar_factor

__all__ = [
    "Abs",
    "Bjorck",
    "Cayley",
    "ConstrainedConv2d",
    "ConstrainedLinear",
    "ConstrainedMatrix",
    "Constraint",
    "ConvexResidual",
    "Diagnosis",
    "FullSort",
    "GradientPenalty",
    "GradientProfile",
    "GroupSort",
    "Householder",
    "JacobianSpectrum",
    "LInfConv2d",
    "LInfLinear",
    "LInfNormalization",
    "LInfProjection",
    "LayerBound",
    "LayerGradient",
    "LayerUnits",
    "LipschitzCertificate",
    "Magnitudes",
    "MaxMin",
    "Maxout",
    "Norm",
    "NormPool2d",
    "OrthogonalConv2d",
    "OrthogonalLinear",
    "Parseval",
    "Penalty",
    "Scale",
    "ScaledAvgPool2d",
    "SpectralNorm",
    "SpectralProjection",
    "StiefelRetraction",
    "Unconstrained",
    "WeightClipping",
    "WeightSpectrum",
    "activation_patterns",
    "bjorck_orthonormalize",
    "block_kernel",
    "certify",
    "critic_gradients",
    "diagnose",
    "evaluating",
    "float64_copy",
    "gamma",
    "gradient_norms",
    "gradient_profile",
    "inherits_forward",
    "jacobian_spectrum",
    "leaves",
    "norm_of",
    "on_manifold",
    "orthogonality_error",
    "plain",
    "polar_factor",
    "product_upper_bound",
    "project_",
    "rounding_of_values",
    "spectral_norm_upper_bound",
    "values_and_magnitudes",
    "weight_spectra",
]
