"""Activations and layers that are 1-Lipschitz by construction, their rivals, and the certificate that bounds them."""

from wgan_lip.lipschitz.absolute import Abs
from wgan_lip.lipschitz.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.bjorck import bjorck_orthonormalize
from wgan_lip.lipschitz.block_kernel import block_kernel
from wgan_lip.lipschitz.bounds import spectral_norm_upper_bound
from wgan_lip.lipschitz.certificate import LayerBound, LipschitzCertificate, certify, norm_of
from wgan_lip.lipschitz.clipping import WeightClipping
from wgan_lip.lipschitz.constraint import Constraint, Norm, Unconstrained, project_
from wgan_lip.lipschitz.diagnostics import Diagnosis, diagnose
from wgan_lip.lipschitz.export import plain
from wgan_lip.lipschitz.gradient_profile import GradientProfile, LayerGradient, gradient_profile
from wgan_lip.lipschitz.gradients import critic_gradients, gradient_norms, jacobian_norms
from wgan_lip.lipschitz.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.householder import Householder
from wgan_lip.lipschitz.jacobian_spectrum import JacobianSpectrum, jacobian_spectrum
from wgan_lip.lipschitz.l_infinity import LInfNormalization, LInfProjection
from wgan_lip.lipschitz.lanczos import RitzValues, largest_singular_values
from wgan_lip.lipschitz.linear import ConstrainedLinear, LInfLinear, OrthogonalLinear
from wgan_lip.lipschitz.matrix import ConstrainedMatrix
from wgan_lip.lipschitz.maxout import Maxout
from wgan_lip.lipschitz.orthogonal import Bjorck, Cayley, StiefelRetraction
from wgan_lip.lipschitz.orthogonal_convolution import OrthogonalConv2d, OrthogonalConvTranspose2d
from wgan_lip.lipschitz.parseval import Parseval
from wgan_lip.lipschitz.penalties import GradientPenalty, Penalty, SpectralJacobianPenalty
from wgan_lip.lipschitz.pooling import NormPool2d, ScaledAvgPool2d
from wgan_lip.lipschitz.reshaped_convolution import ConstrainedConv2d, LInfConv2d
from wgan_lip.lipschitz.residual import ConvexResidual
from wgan_lip.lipschitz.scale import Scale
from wgan_lip.lipschitz.spectral import SpectralNorm, SpectralProjection
from wgan_lip.lipschitz.weight_spectrum import WeightSpectrum, weight_spectra
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
