"""What the page shows of one run, and numbers as it shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wgan_lip.metrics import Metric
from wgan_lip.report.panel import Panel
from wgan_lip.report.run_record import Row
from wgan_lip.rounded import lipschitz_bound


@dataclass(frozen=True)
class Card:
    """One number at the top of the page, and the sentence that explains it.

    Attributes:
        name: of the number.
        value: as it is shown, with its unit or its error.
        note: what to compare it with.
        meaning: what the number means and what proves it; the end of a sentence.
        proven: whether there is a proof of it.
    """

    name: str
    value: str
    note: str
    meaning: str
    proven: bool = True

    @property
    def sentence(self) -> str:
        """Name, value and meaning in one sentence."""
        return f"{self.name[0].upper()}{self.name[1:]}, {self.value}: {self.meaning}."


@dataclass(frozen=True)
class RunContent:
    """What the page shows of one run.

    Attributes:
        steps: of the evaluations; cards and remarks are about the last.
        cards: the latest numbers.
        main: the figure above all others.
        panels: the others; empty ones are not shown.
        curves: of the figures that compare several runs, by name: a value or None for each evaluation.
        remarks: sentences about what is not known.
    """

    steps: Sequence[int]
    cards: Sequence[Card]
    main: Panel
    panels: Sequence[Panel]
    curves: dict[str, list[float | None]]
    remarks: Sequence[str] = ()


def lipschitz_card(row: Row, network: str) -> list[Card]:
    """The card of the certified Lipschitz constant; none where nothing is certified.

    Args:
        row: the latest evaluation.
        network: what is certified.
    """
    bound = row["lipschitz/certified"]
    if bound is None:
        return []
    meaning = f"the {network} stretches no distance by more than this factor, as the bounds of its layers prove"
    return [Card("Lipschitz constant", f"≤ {lipschitz_bound(bound)}", f"of the {network}", meaning)]


def unproven_card(row: Row, metric: Metric) -> list[Card]:
    """The card of the estimate of a critic that is not proven 1-Lipschitz; none of one that is.

    Args:
        row: the latest evaluation.
        metric: the estimate.
    """
    if row[metric.name] is None:
        return []
    meaning = "it proves nothing, because this critic is not proven to be 1-Lipschitz; it may lie above the true W1"
    return [Card("critic's estimate", with_error(row, metric), "proves nothing", meaning, proven=False)]


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
