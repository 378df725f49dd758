"""Estimates of a critic on a pair, summarised over seeds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from wgan_lip.comparison.run import Failure
from wgan_lip.comparison.store import Outcome


@dataclass(frozen=True)
class Summary:
    """One critic on one pair, over all seeds; what is not known is None.

    Attributes:
        pair: the pair's label.
        critic: the critic's label.
        seeds: how many finished.
        failed: how many failed.
        error: of the first that failed.
        is_proven: whether the estimate is a proven lower bound: the certified constant is about 1.
        mean: of the estimates; proven ones if ``is_proven``, else the raw ones of all seeds, which prove nothing.
        deviation: standard deviation over the seeds; 0 for one seed.
        standard_error: sampling error of one estimate, the root of the mean square over the seeds.
        estimates: one a seed.
        truth: W1 of the distributions.
        exact: W1 of samples, mean over the seeds; they share them.
        exact_standard_error: by how much it changes with the draw of the samples.
        cosine: of the gradient with an optimal one, mean.
        l2: mean squared distance of the gradients, mean.
        certified: the largest certified constant; None if none is known.
        seconds: mean wall time of a training.
    """

    pair: str
    critic: str
    seeds: int
    failed: int
    error: str | None
    is_proven: bool
    mean: float | None
    deviation: float | None
    standard_error: float | None
    estimates: tuple[float, ...]
    truth: float | None
    exact: float | None
    exact_standard_error: float | None
    cosine: float | None
    l2: float | None
    certified: float | None
    seconds: float | None


def summarize(results: Iterable[Outcome | Failure]) -> list[Summary]:
    """Return a summary for each critic on each pair, in the order in which they first come.

    Args:
        results: of ``run_cells``.
    """
    groups: dict[tuple[str, str], tuple[list[Outcome], list[Failure]]] = {}
    for result in results:
        done, failed = groups.setdefault((result.cell.pair, result.cell.critic), ([], []))
        if isinstance(result, Outcome):
            done.append(result)
        else:
            failed.append(result)
    return [_summary(pair, critic, *group) for (pair, critic), group in groups.items()]


def _summary(pair: str, critic: str, done: list[Outcome], failed: list[Failure]) -> Summary:
    estimates = [outcome.estimate for outcome in done]
    # One seed without a proof, and the row proves nothing.
    is_proven = bool(done) and all(e.critic is not None and e.uncertified is None for e in estimates)
    values = _known([e.critic if is_proven else _raw(e.critic, e.uncertified, e.certified) for e in estimates])
    errors = _known(
        [
            e.standard_error if is_proven else _raw(e.standard_error, e.uncertified_standard_error, e.certified)
            for e in estimates
        ]
    )
    constants = [e.certified for e in estimates]
    return Summary(
        pair=pair,
        critic=critic,
        seeds=len(done),
        failed=len(failed),
        error=failed[0].error if failed else None,
        is_proven=is_proven,
        mean=_mean(values),
        deviation=(stdev(values) if len(values) > 1 else 0.0) if values else None,
        standard_error=math.sqrt(fmean([e * e for e in errors])) if errors else None,
        estimates=tuple(values),
        truth=_mean(_known([e.truth for e in estimates])),
        exact=_mean(_known([e.exact for e in estimates])),
        exact_standard_error=_mean(_known([e.exact_standard_error for e in estimates])),
        cosine=_mean(_known([e.gradient_cosine for e in estimates])),
        l2=_mean(_known([e.gradient_l2 for e in estimates])),
        certified=max(_known(constants)) if constants and None not in constants else None,
        seconds=_mean([outcome.seconds for outcome in done]),
    )


def _raw(proven: float | None, uncertified: float | None, certified: float | None) -> float | None:
    """Return the estimate undivided by L, also for a seed that is proven: a mean is of one kind of number."""
    if uncertified is not None or proven is None or certified is None:
        return uncertified
    return proven * certified


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
