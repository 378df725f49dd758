"""Sample sets as they lie on disk: arrays, tensors and folders of images. Code in a file never runs."""

from wgan_lip.files.arrays import ARRAY_SUFFIXES
from wgan_lip.files.images import IMAGE_SUFFIXES, decode_image, describe_image, image_paths
from wgan_lip.files.samples import FileSamples, load_samples, split_key

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FileSamples",
    "decode_image",
    "describe_image",
    "image_paths",
    "load_samples",
    "split_key",
]
