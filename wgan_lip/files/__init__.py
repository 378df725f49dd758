"""Sample sets in files, read without running code, and networks written for use elsewhere."""

from wgan_lip.files.decoding import IMAGE_SUFFIXES, ImageModeError, decode_image, describe_image
from wgan_lip.files.images import ImageDecoder, list_images, to_channels, to_square
from wgan_lip.files.listing import Listing, count_files, describe_left_out, kind_by_name, list_files
from wgan_lip.files.networks import WrittenNetwork, check_suffix, write_network
from wgan_lip.files.samples import ARRAY_SUFFIXES, FileSamples, different_scales, load_samples, split_key

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FileSamples",
    "ImageDecoder",
    "ImageModeError",
    "Listing",
    "WrittenNetwork",
    "check_suffix",
    "count_files",
    "decode_image",
    "describe_image",
    "describe_left_out",
    "different_scales",
    "kind_by_name",
    "list_files",
    "list_images",
    "load_samples",
    "split_key",
    "to_channels",
    "to_square",
    "write_network",
]
