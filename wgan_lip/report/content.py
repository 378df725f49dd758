"""What the page shows of one run, and numbers as it shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wgan_lip.metrics import Metric
from wgan_lip.report.history import Row
from wgan_lip.report.panel import Panel
from wgan_lip.rounded import lipschitz_bound


@dataclass(frozen=True)
class Card:
    """One number at the top of the page.

    Attributes:
        name: of the number.
        value: as it is shown, with its unit or its error.
        note: what to compare it with.
        proven: whether there is a proof of it.
    """

    name: str
    value: str
    note: str
    proven: bool = True


@dataclass(frozen=True)
class RunContent:
    """What the page shows of one run.

    Attributes:
        step: of the latest evaluation, which the cards and the sentences are about.
        cards: the latest numbers.
        sentences: what each number means and what proves it, one plain sentence each.
        main: the figure above all others.
        panels: the others; empty ones are not shown.
        curves: of the figures that compare several runs, by name: a value or None for each evaluation.
        steps: of the evaluations.
    """

    step: int
    cards: Sequence[Card]
    sentences: Sequence[str]
    main: Panel
    panels: Sequence[Panel]
    curves: dict[str, list[float | None]]
    steps: list[int]


def lipschitz_card(row: Row, network: str) -> list[Card]:
    """The card of the certified Lipschitz constant; none where nothing is certified.

    Args:
        row: the latest evaluation.
        network: what is certified.
    """
    bound = row["lipschitz/certified"]
    return [] if bound is None else [Card("Lipschitz constant", f"≤ {lipschitz_bound(bound)}", f"of the {network}")]


def number(value: float | None) -> str:
    """A value to four significant digits.

    Args:
        value: None is shown as unknown.
    """
    return "unknown" if value is None else f"{value:.4g}"


def with_error(row: Row, metric: Metric) -> str:
    """A metric with its standard error, to two digits of that.

    Args:
        row: of an evaluation.
        metric: shown as unknown where the row lacks it.
    """
    value, error = row[metric.name], row[metric.error]
    # The standard error of a closed form is 0.
    if value is None or not error:
        return number(value)
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def percent(row: Row, metric: Metric) -> str:
    """A share in percent with half its interval's width.

    Args:
        row: of an evaluation.
        metric: with the ends of its interval.
    """
    value, ends = row[metric.name], row.spread(metric)
    return "unknown" if value is None or ends is None else f"{100 * value:.1f} ± {50 * (ends[1] - ends[0]):.1f} %"
