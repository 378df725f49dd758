"""Critics, generators and classifiers."""

from wgan_lip.networks.classifiers import ConvClassifier, MLPClassifier
from wgan_lip.networks.convolutional import ConvCritic, DCGANCritic
from wgan_lip.networks.dcgan import DCGANGenerator
from wgan_lip.networks.defaults import CriticFactory, default_critic
from wgan_lip.networks.features import FeatureNetwork
from wgan_lip.networks.inception import InceptionFeatures
from wgan_lip.networks.labelled import LabelledGenerator
from wgan_lip.networks.mlp import MLPCritic, MLPGenerator
from wgan_lip.networks.residual import ResidualCritic, ResidualGenerator

__all__ = [
    "ConvClassifier",
    "ConvCritic",
    "CriticFactory",
    "DCGANCritic",
    "DCGANGenerator",
    "FeatureNetwork",
    "InceptionFeatures",
    "LabelledGenerator",
    "MLPClassifier",
    "MLPCritic",
    "MLPGenerator",
    "ResidualCritic",
    "ResidualGenerator",
    "default_critic",
]
