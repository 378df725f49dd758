"""Activations and layers that are 1-Lipschitz by construction, and the certificate that proves it."""

from wgan_lip.lipschitz.absolute import Abs
from wgan_lip.lipschitz.bjorck import bjorck_orthonormalize
from wgan_lip.lipschitz.bounds import spectral_norm_upper_bound
from wgan_lip.lipschitz.certificate import LayerBound, LipschitzCertificate, certify
from wgan_lip.lipschitz.constraint import Bjorck, Cayley, Constraint, StiefelRetraction, project_
from wgan_lip.lipschitz.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.householder import Householder
from wgan_lip.lipschitz.linear import OrthogonalLinear
from wgan_lip.lipschitz.maxout import Maxout
from wgan_lip.lipschitz.scale import Scale
from wgan_lip.stiefel import on_manifold, orthogonality_error, polar_factor

__all__ = [
    "Abs",
    "Bjorck",
    "Cayley",
    "Constraint",
    "FullSort",
    "GroupSort",
    "Householder",
    "LayerBound",
    "LipschitzCertificate",
    "MaxMin",
    "Maxout",
    "OrthogonalLinear",
    "Scale",
    "StiefelRetraction",
    "bjorck_orthonormalize",
    "certify",
    "on_manifold",
    "orthogonality_error",
    "polar_factor",
    "project_",
    "spectral_norm_upper_bound",
]
