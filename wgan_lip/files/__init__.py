"""Files: sample sets as they lie on disk (code in a file never runs), and networks that others can run."""

from wgan_lip.files.arrays import ARRAY_SUFFIXES
from wgan_lip.files.decoding import IMAGE_SUFFIXES, ImageModeError, decode_image, describe_image
from wgan_lip.files.images import list_images
from wgan_lip.files.left_out import TO_NOWHERE, describe_left_out, is_hidden, kind_by_name
from wgan_lip.files.listing import Listing, count_files, list_files
from wgan_lip.files.names import shown
from wgan_lip.files.networks import WrittenNetwork, check_suffix, write_network
from wgan_lip.files.regular import read_regular
from wgan_lip.files.samples import FileSamples, load_samples, split_key
from wgan_lip.files.scales import different_scales

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "TO_NOWHERE",
    "FileSamples",
    "ImageModeError",
    "Listing",
    "WrittenNetwork",
    "check_suffix",
    "count_files",
    "decode_image",
    "describe_image",
    "describe_left_out",
    "different_scales",
    "is_hidden",
    "kind_by_name",
    "list_files",
    "list_images",
    "load_samples",
    "read_regular",
    "shown",
    "split_key",
    "write_network",
]
