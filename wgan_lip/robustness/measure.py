"""Clean, certified and attacked accuracy of a classifier on the same images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import Norm
from wgan_lip.robustness.attacks import FGSM, PGD, Attack
from wgan_lip.robustness.certified import (
    RobustnessCertificate,
    certify_classifier,
    check_unbroken,
    distances,
    float64_classifier,
    logits_of,
    radii_of,
)
from wgan_lip.robustness.robust_accuracy import Accuracy, accuracy, attacked


@dataclass(frozen=True)
class RobustAccuracy:
    """Accuracies at one radius, on the same images: ``certified <= pgd <= fgsm <= clean``.

    Attributes:
        eps: the radius, in units of the images.
        certified: share of the images that are classified correctly, and proven to be so anywhere within ``eps``; None
            of a network of which nothing is proven.
        pgd: share that withstood PGD; None where no attacks were made.
        fgsm: share that withstood the fast gradient method; likewise.
    """

    eps: float
    certified: Accuracy | None
    pgd: Accuracy | None
    fgsm: Accuracy | None


@dataclass(frozen=True)
class Robustness:
    """How robust a classifier is, proven and tried.

    Attributes:
        norm: in which radii are measured.
        clean: accuracy on the images as they are.
        at: at each radius.
        certificate: what is proven; None of a network that cannot be certified.
        radii: of each image, shape (N,): certified around its predicted class; 0 where that is the wrong one.
        attacked: images that were attacked at all radii together, none of which broke its certificate.
    """

    norm: Norm
    clean: Accuracy
    at: tuple[RobustAccuracy, ...]
    certificate: RobustnessCertificate | None
    radii: Tensor
    attacked: int


def measure_robustness(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    eps: Sequence[float],
    classes: int = 10,
    pgd: Callable[[float, Norm], Attack] | None = PGD,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Robustness:
    """Certify a classifier, and try to break the proof.

    Everything that is proven or counted is computed in float64; attacks look for their images in the network's own
    precision. The order of the accuracies holds image by image: an image counts as having withstood an attack only if
    it is classified correctly, in float64, at every image that this attack and the weaker ones found.

    Args:
        network: from (N, ...) to logits (N, classes); it is not changed.
        x: images in [0, 1], shape (N, ...), that trained nothing.
        y: their classes, int64 of shape (N,).
        norm: in which radii are measured.
        eps: the radii.
        classes: number of logits.
        pgd: builds the strong attack from a radius and a norm; None makes no attacks.
        confidence: of the intervals.
        generator: source of the attacks' randomness; one of its own with seed 0 if None.

    Raises:
        BrokenCertificateError: an attack changed a class within the certified radius.
        ValueError: no images, a radius that is not positive, another number of logits.
    """
    if not len(x) or len(x) != len(y):
        raise ValueError(f"x and y must hold the same number of images, at least 1; got {len(x)} and {len(y)}")
    generator = generator or torch.Generator().manual_seed(0)
    network64 = float64_classifier(network)
    certificate = certificate_or_none(network64, classes, norm, x[0].numel())
    if certificate is None:
        logits, certified = logits_of(network64, x), torch.zeros(len(x), dtype=torch.float64)
    else:
        logits, certified = radii_of(network64, certificate, x)
    y = y.cpu()
    predicted = _classes(logits)
    clean = predicted == y
    radii = torch.where(clean, certified, 0.0)
    rows, attacks = [], 0
    for radius in eps:
        withstood = dict.fromkeys(("fgsm", "pgd"), clean)
        if pgd is not None:
            for name, attack in (("fgsm", FGSM(radius, norm)), ("pgd", pgd(radius, norm))):
                found = attacked(network, x, y, attack, generator).images
                after = _classes(logits_of(network64, found))
                check_unbroken(certified, distances(x.cpu(), found, norm), predicted, after)
                withstood[name] = withstood["fgsm"] & (after == y)
                attacks += len(x)
        proven = None if certificate is None else accuracy(radii > radius, confidence)
        tried = {name: None if pgd is None else accuracy(kept, confidence) for name, kept in withstood.items()}
        rows.append(RobustAccuracy(radius, proven, tried["pgd"], tried["fgsm"]))
    return Robustness(norm, accuracy(clean, confidence), tuple(rows), certificate, radii, attacks)


def certificate_or_none(network64: nn.Module, classes: int, norm: Norm, dimension: int) -> RobustnessCertificate | None:
    """The certificate, or None for a network of which nothing is proven.

    Args:
        network64: a float64 copy.
        classes: number of logits.
        norm: in which it is wanted.
        dimension: coordinates of one input.
    """
    try:
        return certify_classifier(network64, classes, norm, dimension)
    except ValueError:
        return None


def _classes(logits: Tensor) -> Tensor:
    """The predicted classes; -1, which is none, where two logits share the first place or one is NaN."""
    top = logits.topk(2, dim=1)
    sure = top.values[:, 0] > top.values[:, 1]
    return torch.where(sure, top.indices[:, 0], -1)
