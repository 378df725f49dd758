"""Critics, generators and classifiers."""

from wgan_lip.networks.classifiers import ConvClassifier, MLPClassifier
from wgan_lip.networks.convolutional import ConvCritic, DCGANCritic, DCGANGenerator
from wgan_lip.networks.feature_networks import FeatureNetwork, InceptionFeatures
from wgan_lip.networks.labelled import LabelledGenerator
from wgan_lip.networks.mlp import CriticFactory, MLPCritic, MLPGenerator, default_critic
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
