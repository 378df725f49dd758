"""Lightning data modules with a training split and a held-out split that trains nothing."""

from wgan_lip.data.digits import Digits
from wgan_lip.data.loader import ResumableLoader, TensorSamples
from wgan_lip.data.module import SampleDataModule, Split, check_samples

__all__ = ["Digits", "ResumableLoader", "SampleDataModule", "Split", "TensorSamples", "check_samples"]
