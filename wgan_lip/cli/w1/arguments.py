"""The arguments of ``wgan-lip w1``."""

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from wgan_lip.cli.command_parser import CommandParser, number, seconds, share, whole
from wgan_lip.transport import Method, Norm

_DESCRIPTION = """\
The exact Wasserstein-1 distance between two sample sets, with its proof and its sampling error.

A and B are each an array (.npy, .npz), a tensor or a dictionary of tensors (.pt, .pth), or a folder of PNG, JPEG, GIF,
BMP, TIFF, WebP or PNM images: of one size, or made so by --image-size and --channels; links are followed, and other
files there are counted. Write FILE:KEY for one of several arrays in a file. The first axis counts the points.
Floating-point numbers are taken as they are; 8-bit integers are images, and scaled from 0..255 to [-1, 1]. Files are
never executed: no pickled objects are loaded.
"""
_EPILOG = """\
what is printed:
  A, B          how many points of which shape, and whether they are images that were scaled
  W1            the distance between the two samples, which a transport plan and dual potentials prove to 1e-9. If the
                time or memory budget ends the solve early, it is marked NOT EXACT, and there are proven bounds only.
                After ±: its standard error, if the points of A and B are independent samples.
  proof gap     by how much the plan's cost exceeds what the potentials prove
  sliced W1     mean W1 of projections on random lines, a lower and cheaper distance
  noise floor   exact W1 between two disjoint parts of the same set: what sampling alone produces. A W1 at its floor
                is no evidence of any difference. Floors shrink as n grows: for a ratio, both must be of one size,
                such as by --max-points, at most half of either set.
                That of B, if it is below that of A, says that B varies less.
  pca-K         the same on the first K principal axes of A (--features): a lower bound of W1
  population    a confidence bracket of the distance between the two distributions, if the points of A and B are
                independent samples of them. Its upper side needs to know how far they spread: --diameter or --sigma.

examples:
  wgan-lip w1 real.npy fake.npy
  wgan-lip w1 real.npy fake.npy --features pca-8 pca-32
  wgan-lip w1 photos/ samples.pt:images --max-points 5000 --time-budget 60
  wgan-lip w1 a.npz:x b.npz:x --norm l1 --diameter 2 --json > w1.json
"""


@dataclass(frozen=True)
class Options:
    """The options of the command; the help of each explains it.

    Attributes:
        memory_budget: MiB.
        features: numbers of principal axes.
    """

    a: str
    b: str
    norm: Norm
    method: Method
    image_size: int | None
    channels: Literal[1, 3] | None
    max_points: int | None
    seed: int
    splits: int
    floor_points: int
    confidence: float
    diameter: float | None
    sigma: float | None
    time_budget: float | None
    memory_budget: float | None
    features: tuple[int, ...]
    json: bool


def parse(args: Sequence[str]) -> Options:
    """Parse the options; an error, or ``--help``, ends the program.

    Args:
        args: the arguments after ``wgan-lip w1``.
    """
    return Options(**vars(make_parser().parse_args(args)))


def _axes(text: str) -> int:
    found = re.fullmatch(r"pca-([1-9][0-9]*)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be pca-K, with K a number of axes; got {text!r}")
    return int(found[1])


def make_parser() -> CommandParser:
    """Make the command's parser."""
    parser = CommandParser("wgan-lip w1", _DESCRIPTION, _EPILOG)
    parser.add_argument("a", metavar="A", help="one sample set")
    parser.add_argument("b", metavar="B", help="the other one")
    parser.add_argument("--norm", choices=get_args(Norm), default="l2", help="ground norm (default: l2)")
    parser.add_argument(
        "--image-size",
        type=whole(1),
        metavar="N",
        help="in a folder: crop each image to its central square, and resize that to N x N pixels, as the data modules "
        "do (default: unchanged; all must have one size)",
    )
    parser.add_argument(
        "--channels", type=int, choices=(1, 3), help="in a folder: convert each image to grey (1) or RGB (3)"
    )
    parser.add_argument(
        "--max-points",
        type=whole(1),
        metavar="N",
        help="compare a random subset of at most N points of each set; the noise floors still draw from all points, so "
        "that with 2 N of them a floor has the size of the comparison (default: all points)",
    )
    parser.add_seed("the subsets and splits")
    parser.add_argument(
        "--time-budget",
        type=seconds,
        metavar="SECONDS",
        help="end the solve of A against B after this time with the bounds proven so far. Small problems, which take a "
        "second, are solved anyway; noise floors and population bracket add solves of their own (see "
        "--floor-points, --splits)",
    )
    parser.add_argument(
        "--memory-budget",
        type=number(float, "MiB, more than 0", lambda x: 0 < x < math.inf),
        metavar="MIB",
        help="memory that the solve of A against B may use in addition to the samples; if it is too little, the solve "
        "ends with bounds, too (default: all free memory)",
    )
    parser.add_argument(
        "--splits",
        type=whole(0),
        default=3,
        metavar="K",
        help="random splits for each noise floor; 0 for no floors (default: 3)",
    )
    parser.add_argument(
        "--floor-points",
        type=whole(1),
        default=2000,
        metavar="N",
        help="points on either side of a split, at most: each split is an exact solve of that size (default: 2,000, or "
        "the size of the comparison, or half the set, whichever is least)",
    )
    parser.add_argument(
        "--features",
        type=_axes,
        nargs="+",
        default=(),
        metavar="pca-K",
        help="also compare the sets on the first K principal axes of A, a lower bound of the distance that is further "
        "above its noise floors (default: none)",
    )
    parser.add_argument(
        "--confidence",
        type=share,
        default=0.95,
        metavar="P",
        help="of the population bracket (default: 0.95)",
    )
    parser.add_argument(
        "--diameter",
        type=number(float, "at least 0", lambda x: 0 <= x < math.inf),
        metavar="D",
        help="of the support of each distribution, in the ground norm and in the units of the samples; that of 8-bit "
        "images is known",
    )
    parser.add_argument(
        "--sigma",
        type=number(float, "at least 0", lambda x: 0 <= x < math.inf),
        metavar="S",
        help="sub-Gaussian constant of every 1-Lipschitz function under each distribution, for instance the Lipschitz "
        "constant of a generator on standard normal noise",
    )
    parser.add_argument(
        "--method", choices=get_args(Method), default="auto", help="solver (default: the fastest for the size)"
    )
    parser.add_json("text, in full precision")
    return parser
