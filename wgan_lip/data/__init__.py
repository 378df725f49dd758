"""Lightning data modules with a training split and a held-out split that is used for evaluation only."""

from wgan_lip.data.digits import Digits
from wgan_lip.data.few import FewPerClass
from wgan_lip.data.image_folder import ImageFolder
from wgan_lip.data.images import ImageDataModule, Images, ImageSamples, StoredImages
from wgan_lip.data.loader import ResumableLoader, TensorSamples
from wgan_lip.data.mnist import MNIST, FashionMNIST, read_idx
from wgan_lip.data.module import SampleDataModule, Split, check_samples
from wgan_lip.data.published import CIFAR10, STL10, SVHN, PublishedImages

__all__ = [
    "CIFAR10",
    "MNIST",
    "STL10",
    "SVHN",
    "Digits",
    "FashionMNIST",
    "FewPerClass",
    "ImageDataModule",
    "ImageFolder",
    "ImageSamples",
    "Images",
    "PublishedImages",
    "ResumableLoader",
    "SampleDataModule",
    "Split",
    "StoredImages",
    "TensorSamples",
    "check_samples",
    "read_idx",
]
