"""Radii, attacks and accuracies of a classifier on examples, with their confidence intervals."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from scipy.stats import binom, binomtest
from torch import Tensor, nn

from wgan_lip.lipschitz import Norm, float64_copy, rounding_of_values, values_and_magnitudes
from wgan_lip.robustness.attacks import FGSM, PGD, Attack, attacked
from wgan_lip.robustness.ball import check_norm
from wgan_lip.robustness.certified import (
    RobustnessCertificate,
    certify_classifier,
    check_unbroken,
    distances,
    logits_of,
)


@dataclass(frozen=True)
class Accuracy:
    """A share of n examples, and a confidence interval of the share in their distribution.

    Attributes:
        value: the share of these examples.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of examples.
        confidence: at least the probability that the interval contains the true share.
    """

    value: float
    low: float
    high: float
    n: int
    confidence: float


def accuracy(correct: Tensor, confidence: float = 0.95) -> Accuracy:
    """Compute the share of examples that are classified correctly, with its exact confidence interval.

    The ends are the shares p at which that many or more, or that many or fewer, of n examples have probability
    ``(1 - confidence) / 2``.

    Args:
        correct: whether each example is, bool of shape (n,), n >= 1; independent draws.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: no examples, or a confidence outside (0, 1).

    Source:
        Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26, 1934.
    """
    if correct.dtype != torch.bool or correct.ndim != 1 or not len(correct):
        raise ValueError(f"correct must be bools of shape (n,), n >= 1; got {correct.dtype} {tuple(correct.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
    count, n = int(correct.sum()), len(correct)
    ends = binomtest(count, n).proportion_ci(confidence, method="exact")
    return Accuracy(count / n, float(ends.low), float(ends.high), n, confidence)


def median_interval(values: Tensor, confidence: float = 0.95) -> tuple[float, float] | None:
    """Compute a confidence interval of the median of the distribution of the values.

    The ends are order statistics ``x_(k)`` and ``x_(n + 1 - k)``, k the largest with
    ``P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2``; this is valid for any distribution.

    Args:
        values: independent draws, shape (n,), n >= 1.
        confidence: at least the probability that the interval contains the median; between 0 and 1.

    Returns:
        Both ends; None if there are too few values: the smallest and the largest contain the median with probability
        ``1 - 2^(1 - n)``.

    Raises:
        ValueError: no values, or a confidence outside (0, 1).

    Source:
        W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
        unknown distribution form", Annals of Mathematical Statistics 7, 1936.
    """
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must have shape (n,), n >= 1; got {tuple(values.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
    n, tail = len(values), (1 - confidence) / 2
    # The largest k whose P(B <= k - 1) is at most the tail.
    k = int(binom.ppf(tail, n, 0.5))
    if binom.cdf(k, n, 0.5) <= tail:
        k += 1
    if k < 1:
        return None
    ordered = values.sort().values
    return float(ordered[k - 1]), float(ordered[n - k])


# Images that are classified at once.
_CHUNK = 1000


@dataclass(frozen=True)
class RobustAccuracy:
    """Accuracies at one radius, on the same images: ``certified <= pgd <= fgsm <= clean``.

    Attributes:
        eps: the radius, in units of the images.
        certified: share of the images that are classified correctly, provably so anywhere within ``eps``; None for a
            network without a certificate.
        pgd: share that withstood PGD; None if there were no attacks.
        fgsm: share that withstood the fast gradient method; None if there were no attacks.
    """

    eps: float
    certified: Accuracy | None
    pgd: Accuracy | None
    fgsm: Accuracy | None


@dataclass(frozen=True)
class Robustness:
    """The certified and the attacked accuracy of a classifier.

    Attributes:
        norm: in which radii are measured.
        clean: accuracy on the given images.
        at: accuracies at each radius.
        certificate: the network's; None if it cannot be certified.
        unproven: the reason why it cannot be certified; otherwise None.
        radii: the certified radius of each image, shape (N,); 0 if its predicted class is wrong.
        attacked: number of attacks: images times radii times methods.
        within: the number of them within the image's certified radius. None of these changed a class.
    """

    norm: Norm
    clean: Accuracy
    at: tuple[RobustAccuracy, ...]
    certificate: RobustnessCertificate | None
    unproven: str | None
    radii: Tensor
    attacked: int
    within: int


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
    """Certify a classifier, and attack it to test the certificate.

    Radii and accuracies are computed in float64; attacks search in the network's own precision. The accuracies are
    ordered for each image: it counts as having withstood an attack only if it is classified correctly, in float64, at
    every image that this attack and the weaker ones found.

    Args:
        network: from (N, ...) to logits (N, classes); it is not changed.
        x: images in [0, 1], shape (N, ...), that were not used in training.
        y: their classes, int64 of shape (N,).
        norm: in which radii are measured.
        eps: the radii.
        classes: number of logits.
        pgd: builds the strong attack from a radius and a norm; None for no attacks.
        confidence: of the intervals.
        generator: source of the attacks' randomness; a new one with seed 0 if None.

    Raises:
        BrokenCertificateError: an attack changed a class within the certified radius.
        ValueError: no images, a radius that is not positive and finite, an unknown norm, a number of logits other than
            ``classes``, or logits that are NaN or infinite.
    """
    *_, found = robustness_so_far(network, x, y, norm, eps, classes, pgd, confidence, generator)
    return found


def robustness_so_far(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    eps: Sequence[float],
    classes: int = 10,
    pgd: Callable[[float, Norm], Attack] | None = PGD,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
    watch: Callable[[int], None] | None = None,
) -> Iterator[Robustness]:
    """Yield the result of :func:`measure_robustness` in stages: first the certified accuracy, then the attacks.

    Args:
        network: this and all others as of :func:`measure_robustness`.
        x: images.
        y: their classes.
        norm: of the radii.
        eps: the radii.
        classes: number of logits.
        pgd: the strong attack.
        confidence: of the intervals.
        generator: source of the attacks' randomness.
        watch: called during the strong attack with the number of further images that were attacked.

    Yields:
        The result before the attacks, and after those of each radius; accuracies of later attacks are None.

    Raises:
        BrokenCertificateError: as :func:`measure_robustness`.
        ValueError: as :func:`measure_robustness`.
    """
    check_norm(norm)
    for radius in eps:
        if not 0 < radius < math.inf:
            raise ValueError(f"eps must hold positive and finite radii; got eps={list(eps)}")
    if not len(x) or len(x) != len(y):
        raise ValueError(f"x and y must hold the same number of images, at least 1; got {len(x)} and {len(y)}")
    generator = generator or torch.Generator().manual_seed(0)
    network64 = float64_copy(network)
    # The same images, in the network's own precision, are certified, attacked and measured.
    x, y = x.to(dtype=next(network.parameters(), x).dtype).cpu(), y.cpu()
    logits, magnitudes = values_and_magnitudes(network64, x, _CHUNK)
    if logits.shape[1:] != (classes,) or not bool(torch.isfinite(logits).all()):
        raise ValueError(
            f"the network must give {classes} finite logits for each image; got shape {tuple(logits.shape)}"
            + ("" if bool(torch.isfinite(logits).all()) else " with NaN or infinity: its training diverged")
        )
    unproven, certificate = None, None
    certified = torch.zeros(len(x), dtype=torch.float64)
    try:
        certificate = certify_classifier(network64, classes, norm, x[0].numel())
    except ValueError as error:
        unproven = str(error)
    else:
        # Of a difference of two logits.
        certified = certificate.radii(logits, 2 * rounding_of_values(certificate.lipschitz, magnitudes))
    predicted = _classes(logits)
    clean = predicted == y
    radii = torch.where(clean, certified, 0.0)
    rows = []
    for radius in eps:
        proven = None if certificate is None else accuracy(clean & (radii > radius), confidence)
        rows.append(RobustAccuracy(radius, proven, None, None))
    known = Robustness(norm, accuracy(clean, confidence), tuple(rows), certificate, unproven, radii, 0, 0)
    yield known
    if pgd is None:
        return
    for i, radius in enumerate(eps):
        withstood = dict.fromkeys(("fgsm", "pgd"), clean)
        attacks, within = known.attacked, known.within
        for name, attack in (("fgsm", FGSM(radius, norm)), ("pgd", pgd(radius, norm))):
            found = attacked(network, x, y, attack, generator, watch=watch if name == "pgd" else None).images
            after = _classes(logits_of(network64, found))
            moved = distances(x, found, norm)
            check_unbroken(certified, moved, predicted, after)
            within += int(((moved > 0) & (moved < certified)).sum())
            withstood[name] = withstood["fgsm"] & (after == y)
            attacks += len(x)
        pgd_accuracy, fgsm_accuracy = (accuracy(withstood[name], confidence) for name in ("pgd", "fgsm"))
        rows[i] = replace(rows[i], pgd=pgd_accuracy, fgsm=fgsm_accuracy)
        known = replace(known, at=tuple(rows), attacked=attacks, within=within)
        yield known


def _classes(logits: Tensor) -> Tensor:
    """Return the predicted classes; -1 where two logits are largest or one is NaN."""
    top = logits.topk(2, dim=1)
    sure = top.values[:, 0] > top.values[:, 1]
    return torch.where(sure, top.indices[:, 0], -1)
