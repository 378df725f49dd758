"""The short tables at the end of a run."""

import math
from collections.abc import Sequence

from rich.table import Table

from wgan_lip.metrics import CLASSIFIER, ESTIMATOR, GAN, Metric
from wgan_lip.report.figures import certified_accuracies
from wgan_lip.report.ratios import Ratio, ratio_to_floor
from wgan_lip.report.run_record import Row

_WIDTH = 80
_SHOWN = 5


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The evaluations at the start, each quarter, and the end of a run.

    Args:
        rows: at least one evaluation.
    """
    return [rows[i] for i in sorted({part * (len(rows) - 1) // (_SHOWN - 1) for part in range(_SHOWN)})]


def w1_table(rows: Sequence[Row], name: str = "") -> Table:
    """The shown evaluations of a GAN's run, as a table for the terminal.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    columns = {
        "step": [f"{row.step}" for row in shown_rows(rows)],
        "exact W1": [
            with_error(row, GAN["w1/exact"], 3) or _bracket(row["w1/exact_lower"], row["w1/exact_upper"])
            for row in shown_rows(rows)
        ],
        "averaged": [with_error(row, GAN["w1_averaged/exact"], 3) for row in shown_rows(rows)],
        "floor": [with_error(row, GAN["w1/noise_floor"], 3) for row in shown_rows(rows)],
        "exact/floor": [_ratio(ratio_to_floor(row)) for row in shown_rows(rows)],
        "in features": [_ratio(ratio_to_floor(row, "w1_critic_features")) for row in shown_rows(rows)],
        "diversity": [_ratio(ratio_to_floor(row, of="generated_floor")) for row in shown_rows(rows)],
        "critic ≥": [_number(row["w1/critic"], ".4f") for row in shown_rows(rows)],
        "uncertified": [_number(row["w1/uncertified"], ".4g") for row in shown_rows(rows)],
        "population": [_bracket(row["w1/population_lower"], row["w1/population_upper"]) for row in shown_rows(rows)],
        "L ≤": [lipschitz_cell(row["lipschitz/certified"]) for row in shown_rows(rows)],
    }
    table = _filled(
        "W1 of generated against held-out real samples, by generator step",
        columns,
        ("population", "L ≤", "averaged", "floor", "in features", "diversity"),
    )
    table.caption = _left_out(len(rows))
    return table


def estimate_table(rows: Sequence[Row], name: str) -> Table:
    """The shown evaluations of one pair's estimator, with truth and exact W1 below them.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    columns = {
        "step": [f"{row.step}" for row in shown_rows(rows)],
        "critic ≥": [with_error(row, ESTIMATOR["w1/critic"]) for row in shown_rows(rows)],
        "uncertified": [with_error(row, ESTIMATOR["w1/uncertified"]) for row in shown_rows(rows)],
        "error": [_number(row["w1/error"], "+.4f") for row in shown_rows(rows)],
        "gap": [_number(row["w1/gap"], ".4f") for row in shown_rows(rows)],
        "L ≤": [lipschitz_cell(row["lipschitz/certified"]) for row in shown_rows(rows)],
        "cosine": [_number(row["gradient/cosine"], ".3f") for row in shown_rows(rows)],
        "l2": [_number(row["gradient/l2"], ".3f") for row in shown_rows(rows)],
    }
    table = _filled(f"{name}: W1 on held-out samples", columns)
    last, references = rows[-1], []
    if last["w1/truth"] is not None:
        references.append(f"truth {with_error(last, ESTIMATOR['w1/truth'])}")
    if last["w1/exact"] is not None:
        exact, floor = (with_error(last, ESTIMATOR[f"w1/{of}"]) for of in ("exact", "noise_floor"))
        references.append(f"exact W1 of samples {exact} (noise floor {floor})")
    table.caption = ". ".join(filter(None, (", ".join(references), _left_out(len(rows)))))
    widen_for_caption(table)
    return table


def accuracy_table(rows: Sequence[Row], name: str) -> Table:
    """The shown evaluations of a classifier's run; percentages with half the interval's width.

    Args:
        rows: at least one evaluation.
        name: of the experiment.
    """
    columns = {
        "step": [f"{row.step}" for row in shown_rows(rows)],
        "clean": [_percent(row, CLASSIFIER["accuracy/clean"]) for row in shown_rows(rows)],
        **{
            metric.label.replace("at ", ""): [_percent(row, metric) for row in shown_rows(rows)]
            for metric in certified_accuracies(rows)
        },
        "L ≤": [lipschitz_cell(row["lipschitz/certified"]) for row in shown_rows(rows)],
    }
    table = _filled(f"{name}: accuracy on held-out images, %", columns)
    table.caption = _left_out(len(rows))
    return table


def with_error(row: Row, metric: Metric, digits: int = 4) -> str:
    """A metric with its standard error; nothing where it is not known.

    Args:
        row: an evaluation.
        metric: of the run.
        digits: after the point.
    """
    # The standard error of a closed form is 0.
    return plus_minus(row[metric.name], row[metric.error] or None, digits)


def plus_minus(value: float | None, error: float | None, digits: int = 4) -> str:
    """A value with its standard error; nothing where it is not known.

    Args:
        value: the estimate.
        error: its standard error; None or NaN where that is not known.
        digits: after the point.
    """
    is_known = error is not None and not math.isnan(error)
    return _number(value, f".{digits}f") + (f" ± {error:.{digits}f}" if value is not None and is_known else "")


def lipschitz_cell(bound: float | None) -> str:
    """A certified Lipschitz constant: to seven decimals, as most are about 1; large ones to three digits.

    Args:
        bound: the constant; nothing is shown of None.
    """
    return _number(bound, ".7f" if (bound or 0) < 100 else ".3g")


def widen_for_caption(table: Table) -> None:
    """Make a narrow table as wide as its caption, or as a terminal, so that the caption is not broken into many lines.

    Args:
        table: its columns are there.
    """
    longest = max(map(len, str(table.caption or "").splitlines()), default=0)
    table.min_width = min(_WIDTH, longest)


def _percent(row: Row, metric: Metric) -> str:
    value, ends = row[metric.name], row.spread(metric)
    return "" if value is None or ends is None else f"{100 * value:.2f} ± {50 * (ends[1] - ends[0]):.2f}"


def _ratio(ratio: Ratio | None) -> str:
    return "" if ratio is None else plus_minus(ratio.value, ratio.error, 2)


def _bracket(lower: float | None, upper: float | None) -> str:
    return "" if lower is None and upper is None else f"{lower or 0:.2f} - {_number(upper, '.2f') or 'inf'}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _left_out(evaluations: int) -> str | None:
    return f"{_SHOWN} of {evaluations} evaluations; all are in metrics.csv" if evaluations > _SHOWN else None


def _filled(title: str, columns: dict[str, list[str]], spare: Sequence[str] = ()) -> Table:
    """A table of columns by their headings, without those whose cells are all empty.

    Of ``spare`` columns as many are left out as it takes to fit into a terminal of eighty columns.
    """
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    for heading in spare:
        # A margin on either side of each cell, and a line after it.
        if sum(max(map(len, (name, *cells))) + 3 for name, cells in columns.items()) + 1 > _WIDTH:
            columns.pop(heading, None)
    table = Table(title=title)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(cell or "-" for cell in cells))
    return table
