"""``wgan-lip certify``: what is proven of a trained classifier, and attacks that try to break it."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from wgan_lip.cli.command_parser import CommandParser, json_text, output, share, whole
from wgan_lip.cli.errors import in_one_line, interrupted
from wgan_lip.cli.rebuild import load_data, load_module, of_checkpoint
from wgan_lip.console import Console, progress_bar
from wgan_lip.data import ImageDataModule
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import certified_curve, save_figure
from wgan_lip.robustness import PGD, Accuracy, Robustness, robustness_so_far
from wgan_lip.rounded import lipschitz_bound
from wgan_lip.runs import checkpoint_at, load_checkpoint
from wgan_lip.training import CHECKPOINT_KEY, RobustClassifier, default_eps, draw_images

_DESCRIPTION = """\
Certify a classifier of wgan-lip fit on held-out images, and attack it: a bound of its Lipschitz constant, layer by
layer; the share of images that it classifies correctly, that it provably classifies correctly anywhere within a radius
(pixels in [0, 1]), and that withstood the fast gradient method and projected gradient descent within that radius.

An attack that changes a class within the certified radius ends the command with an error: it would be a bug.
"""
_EPILOG = """\
examples:
  wgan-lip certify runs/fashion_mnist_linf/20261127-120000
  wgan-lip certify last.ckpt --data photos/ --eps 0.02 0.05 --json
  wgan-lip certify last.ckpt --n 1000 --norm l2 --eps 0.25 --restarts 20 -o certified.png
"""


def run_certification(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    options = make_parser().parse_args(words)
    with in_one_line():
        out: Path | None = options.output
        path = checkpoint_at(options.checkpoint)
        classifier = load_module(path, trust=options.trust)
        if not isinstance(classifier, RobustClassifier):
            raise ValueError(
                f"certify requires a checkpoint of a classifier; {path} holds a {type(classifier).__name__}"
            )
        data = _data(path, options.data, options.trust)
        with of_checkpoint(path):
            x, y = draw_images(data, options.n, options.seed)
        norm = options.norm or classifier.norm
        eps = options.eps or default_eps(norm)
        found: Robustness | None = None
        stopped = False
        try:
            with of_checkpoint(path), progress_bar(quiet=options.json or options.no_attacks) as bar:
                task = bar.add_task("attacking", total=len(x) * len(eps))
                for known in robustness_so_far(
                    classifier.network,
                    x,
                    y,
                    norm,
                    eps,
                    len(data.classes),
                    pgd=None if options.no_attacks else partial(PGD, steps=options.steps, restarts=options.restarts),
                    confidence=options.confidence,
                    generator=keyed_generator(options.seed, "attacks"),
                    watch=partial(bar.advance, task),
                ):
                    found = known
        except KeyboardInterrupt:
            stopped = True
        if found is None:
            interrupted()
        if options.json:
            sys.stdout.write(json_text(_as_record(found, path)))
        else:
            _print(found, path, classifier)
        if out is not None:
            save_figure(certified_curve(found), out)
        if stopped:
            done = sum(row.pgd is not None for row in found.at)
            interrupted(f"attacks were made at {done} of {len(eps)} radii; the certificate is complete")


def _data(path: Path, folder: str | None, trust: bool) -> ImageDataModule:
    """The data of the training, or data of the same class from another folder, with the same labels."""
    data = load_data(path, trust=trust)
    if not isinstance(data, ImageDataModule):
        raise ValueError(f"{path} was trained on a {type(data).__name__}, which holds no images")
    if folder is None:
        return data
    inner = getattr(data, "data", data)
    if not hasattr(inner, "data_dir"):
        raise ValueError(f"--data: a {type(inner).__name__} reads no folder")
    if not Path(folder).exists():
        raise ValueError(f"--data: there is no {folder}")
    inner.data_dir = folder
    trained = load_checkpoint(path)[CHECKPOINT_KEY].get("classes")
    if list(data.classes) != trained:
        raise ValueError(
            f"--data: {folder} has the classes {', '.join(data.classes)}; the classifier was trained on "
            f"{', '.join(trained or ())}"
        )
    return data


def _as_record(found: Robustness, path: Path) -> dict[str, Any]:
    certificate = found.certificate
    return {
        "checkpoint": str(path),
        "norm": found.norm,
        "lipschitz_norm": None if certificate is None else certificate.lipschitz.norm,
        "unproven": found.unproven,
        "images": found.clean.n,
        "confidence": found.clean.confidence,
        "lipschitz_bound": None if certificate is None else certificate.lipschitz.bound,
        "layers": [
            {"name": layer.name, "kind": layer.kind, "bound": layer.bound}
            for layer in (certificate.lipschitz.layers if certificate else ())
        ],
        "largest_pair_constant": None if certificate is None else float(certificate.constants.max()),
        "clean": _share(found.clean),
        "radii": [
            {"eps": row.eps, **{name: _share(getattr(row, name)) for name in ("certified", "pgd", "fgsm")}}
            for row in found.at
        ],
        "median_certified_radius": None if certificate is None else float(found.radii.median()),
        "attacks": found.attacked,
        "attacks_within_certified_radius": found.within,
    }


def _share(accuracy: Accuracy | None) -> dict[str, float] | None:
    return None if accuracy is None else {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}


def _print(found: Robustness, path: Path, classifier: RobustClassifier) -> None:
    console = Console()
    console.print_plain(f"{path}, classifier step {classifier.step}")
    if found.certificate is None:
        console.print_plain(f"Nothing is proven of this network: {found.unproven}.")
    else:
        layers = Table(title=f"Lipschitz constants in {found.certificate.lipschitz.norm}, at most")
        layers.add_column("layer")
        layers.add_column("kind")
        layers.add_column("bound", justify="right")
        for layer in found.certificate.lipschitz.layers:
            layers.add_row(layer.name or "network", layer.kind, lipschitz_bound(layer.bound))
        layers.add_section()
        layers.add_row("network", "product", lipschitz_bound(found.certificate.lipschitz.bound))
        largest = float(found.certificate.constants.max())
        layers.add_row("", f"difference of two logits, in {found.norm}", lipschitz_bound(largest))
        console.print(layers)
    clean = found.clean
    table = Table(
        title=f"Accuracy on {clean.n} held-out images, {found.norm}, in % ({clean.confidence:.0%} intervals)",
        caption="certified: proven to withstand every perturbation of that size",
    )
    for heading in ("eps", "certified ≥", "PGD", "FGSM", "clean"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.at:
        cells = (_percent(share) for share in (row.certified, row.pgd, row.fgsm, clean))
        table.add_row(f"{row.eps:g}", *cells)
    console.print(table)
    if found.attacked and found.certificate is not None:
        console.print_plain(
            f"{found.attacked} attacks, {found.within} of them within the image's certified radius: none of these "
            "changed a class."
        )


def _percent(share: Accuracy | None) -> str:
    return "-" if share is None else f"{100 * share.value:.2f} ± {50 * (share.high - share.low):.2f}"


def make_parser() -> CommandParser:
    """The command's parser."""
    parser = CommandParser("wgan-lip certify", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    parser.add_checkpoint()
    add("--data", metavar="FOLDER", help="of the same kind of data (default: the one of the training)")
    add("--norm", choices=("l2", "linf"), help="of the radii (default: the classifier's)")
    add("--eps", type=float, nargs="+", help="radii, pixels in [0, 1] (default: of the norm)")
    add("-n", "--n", type=whole(1), default=10_000, metavar="N", help="held-out images (default: 10000, or all)")
    add("--steps", type=whole(1), default=40, metavar="N", help="of PGD, each restart (default: 40)")
    add("--restarts", type=whole(1), default=5, metavar="N", help="of PGD (default: 5)")
    add("--no-attacks", action="store_true", help="certify only")
    add("--confidence", type=share, default=0.95, metavar="P", help="of the intervals (default: 0.95)")
    add("-o", "--output", type=output(".png"), metavar="FILE", help="a .png file: certified accuracy over all radii")
    parser.add_seed("the images and the attacks")
    parser.add_json("tables")
    return parser
