"""Activations and layers that are 1-Lipschitz by construction, their rivals, and the certificate that bounds them."""

from wgan_lip.lipschitz.activations.absolute import Abs
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.activations.householder import Householder
from wgan_lip.lipschitz.activations.maxout import Maxout
from wgan_lip.lipschitz.bounds import spectral_norm_upper_bound
from wgan_lip.lipschitz.certificate.certify import LayerBound, LipschitzCertificate, certify, norm_of
from wgan_lip.lipschitz.constraints.bjorck import bjorck_orthonormalize
from wgan_lip.lipschitz.constraints.clipping import WeightClipping
from wgan_lip.lipschitz.constraints.constraint import Constraint, Norm, Unconstrained, project_
from wgan_lip.lipschitz.constraints.l_infinity import LInfNormalization, LInfProjection
from wgan_lip.lipschitz.constraints.orthogonal import Bjorck, Cayley, StiefelRetraction
from wgan_lip.lipschitz.constraints.parseval import Parseval
from wgan_lip.lipschitz.constraints.spectral import SpectralNorm, SpectralProjection
from wgan_lip.lipschitz.diagnostics.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.diagnostics.diagnose import Diagnosis, diagnose
from wgan_lip.lipschitz.diagnostics.gradient_profile import GradientProfile, LayerGradient, gradient_profile
from wgan_lip.lipschitz.diagnostics.jacobian_spectrum import JacobianSpectrum, jacobian_spectrum
from wgan_lip.lipschitz.diagnostics.lanczos import RitzValues, largest_singular_values
from wgan_lip.lipschitz.diagnostics.weight_spectrum import WeightSpectrum, weight_spectra
from wgan_lip.lipschitz.export.plain import plain
from wgan_lip.lipschitz.gradients import critic_gradients, gradient_norms, jacobian_norms
from wgan_lip.lipschitz.layers.block_kernel import block_kernel
from wgan_lip.lipschitz.layers.linear import ConstrainedLinear, LInfLinear, OrthogonalLinear
from wgan_lip.lipschitz.layers.matrix import ConstrainedMatrix
from wgan_lip.lipschitz.layers.orthogonal_convolution import OrthogonalConv2d, OrthogonalConvTranspose2d
from wgan_lip.lipschitz.layers.pooling import NormPool2d, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.reshaped_convolution import ConstrainedConv2d, LInfConv2d
from wgan_lip.lipschitz.layers.residual import ConvexResidual
from wgan_lip.lipschitz.layers.scale import Scale
from wgan_lip.lipschitz.penalties import GradientPenalty, Penalty, SpectralJacobianPenalty
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
    "MaxMin",
    "Maxout",
    "Norm",
    "NormPool2d",
    "OrthogonalConv2d",
    "OrthogonalConvTranspose2d",
    "OrthogonalLinear",
    "Parseval",
    "Penalty",
    "RitzValues",
    "Scale",
    "ScaledAvgPool2d",
    "SpectralJacobianPenalty",
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
    "gradient_norms",
    "gradient_profile",
    "jacobian_norms",
    "jacobian_spectrum",
    "largest_singular_values",
    "norm_of",
    "on_manifold",
    "orthogonality_error",
    "plain",
    "polar_factor",
    "project_",
    "spectral_norm_upper_bound",
    "weight_spectra",
]
