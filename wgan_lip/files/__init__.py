"""Files: sample sets as they lie on disk (code in a file never runs), and networks that others can run."""

from wgan_lip.files.arrays import ARRAY_SUFFIXES
from wgan_lip.files.images import IMAGE_SUFFIXES, decode_image, describe_image, image_paths
from wgan_lip.files.networks import WrittenNetwork, check_suffix, write_network
from wgan_lip.files.samples import FileSamples, load_samples, split_key

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FileSamples",
    "WrittenNetwork",
    "check_suffix",
    "decode_image",
    "describe_image",
    "image_paths",
    "load_samples",
    "split_key",
    "write_network",
]
