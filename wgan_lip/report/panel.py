"""One figure of the page, with its lines and bands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

from wgan_lip.metrics import Metric
from wgan_lip.report.run_record import Row
from wgan_lip.rounded import at_least, at_most

# They stand out from a white and from a dark page alike (contrast at least 3:1), and from each other for most
# colour-blind readers (after Okabe and Ito); lines differ in their dashes or markers, too.
BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY = "#2f7fc1", "#d5691a", "#1f9573", "#b0609b", "#a2743a", "#828282"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY)

Dash = Literal["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"]
DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = dict(zip(CYCLE, ("circle", "diamond", "square", "triangle-up", "triangle-down", "x"), strict=True))

# Lower and upper end for each point, where they are known.
Spread = Sequence[tuple[float, float] | None]
TWO_ERRORS = "± 2 standard errors"

# How plotly shows a value at the pointer.
_NUMBER = ".4~g"


@dataclass(frozen=True)
class Column:
    """A column of the table below a figure.

    Attributes:
        heading: what it is.
        cells: by the figure's x.
    """

    heading: str
    cells: dict[Any, str]


@dataclass
class Panel:
    """A figure with its caption, and its numbers as a table for those who cannot see it.

    Attributes:
        key: its name in the page, unique within a run.
        title: above it.
        caption: what is to be seen, and what is proven of it, in plain words.
        x_title: of the horizontal axis.
        y_title: of the vertical axis.
        from_zero: whether the vertical axis begins at 0.
        figure: plotly's.
        columns: of the table.
    """

    key: str
    title: str
    caption: str
    x_title: str
    y_title: str
    from_zero: bool = False
    figure: go.Figure = field(init=False)
    columns: list[Column] = field(default_factory=list)

    def __post_init__(self) -> None:
        rangemode = "tozero" if self.from_zero else "normal"
        self.figure = go.Figure()
        self.figure.update_layout(
            # The page sets the colours, light or dark; those of a template would override them.
            template="none",
            hovermode="x unified",
            xaxis={"title": {"text": self.x_title}, "hoverformat": "~g", "zeroline": False},
            yaxis={"title": {"text": self.y_title}, "zeroline": True, "rangemode": rangemode},
            legend={"orientation": "h", "traceorder": "normal", "yanchor": "top", "y": -0.22, "x": 0},
            margin={"l": 64, "r": 12, "t": 12, "b": 56},
            height=420,
        )

    def draw(
        self,
        rows: Sequence[Row],
        metric: Metric,
        color: str,
        dash: Dash = "solid",
        *,
        scale: float = 1,
        offset: float = 0,
        name: str = "",
        markers: bool = True,
        interval: str = TWO_ERRORS,
    ) -> None:
        """Draw a metric over the steps with its confidence interval or two standard errors; nothing if it is unknown.

        Args:
            rows: along; where a row lacks the metric, the line has a gap.
            metric: of the run.
            color: of ``CYCLE``.
            dash: how the line is drawn.
            scale: factor of the values: 100 makes shares percentages.
            offset: is subtracted from them before.
            name: in the legend; the metric's label if empty.
            markers: mark each point.
            interval: what the shaded interval is.
        """

        def shown(value: float) -> float:
            return scale * (value - offset)

        values = [row[metric.name] for row in rows]
        spreads = [row.spread(metric) for row in rows]
        self.line(
            name or metric.label,
            [row.step for row in rows],
            [None if value is None else shown(value) for value in values],
            color,
            dash,
            markers=markers,
            spread=[None if ends is None else (shown(ends[0]), shown(ends[1])) for ends in spreads],
            spread_name=interval,
        )

    def line(
        self,
        name: str,
        x: Sequence[Any],
        y: Sequence[float | None],
        color: str,
        dash: Dash = "solid",
        *,
        markers: bool = True,
        spread: Spread = (),
        spread_name: str = TWO_ERRORS,
    ) -> None:
        """Draw a line; nothing if all its values are unknown.

        Args:
            name: in the legend.
            x: steps, or names of layers.
            y: a value each, or None where none is known.
            color: of ``CYCLE``.
            dash: how the line is drawn.
            markers: mark each point.
            spread: an interval around each value, or None where none is known; empty where none is.
            spread_name: what intervals these are.
        """
        if all(value is None for value in y):
            return
        hover, customdata = f"%{{y:{_NUMBER}}}", None
        if any(spread):
            customdata = [ends or (None, None) for ends in spread]
            self._band(x, [low for low, _ in customdata], [high for _, high in customdata], color)
            hover += f" (%{{customdata[0]:{_NUMBER}}} to %{{customdata[1]:{_NUMBER}}}, {spread_name})"
        self.figure.add_scatter(
            name=_plain(name),
            x=[_plain(along) for along in x],
            y=list(y),
            mode="lines+markers" if markers else "lines",
            line={"color": color, "dash": dash, "width": 2},
            marker={"symbol": _MARKERS[color], "size": 6},
            customdata=customdata,
            hovertemplate=hover,
        )
        cells = {along: f"{value:.4g}" for along, value in zip(x, y, strict=True) if value is not None}
        for along, ends in zip(x, spread, strict=False):
            if ends is not None and along in cells:
                cells[along] += f" [{ends[0]:.4g}, {ends[1]:.4g}]"
        self.columns.append(Column(f"{name} [{spread_name}]" if any(spread) else name, cells))

    def band(self, name: str, x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None]) -> None:
        """Draw a grey band between two lines, where both are known.

        Args:
            name: in the legend.
            x: steps.
            low: its lower end.
            high: its upper end.
        """
        known = [(a, b, c) for a, b, c in zip(x, low, high, strict=True) if b is not None and c is not None]
        if known:
            along, lower, upper = ([point[i] for point in known] for i in range(3))
            self._band(along, lower, upper, GREY, name)
            self.columns.append(Column(name, {x: interval(a, b) for x, a, b in known}))

    def _band(
        self, x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None], color: str, name: str = ""
    ) -> None:
        red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
        common: dict[str, Any] = {
            "x": [_plain(along) for along in x],
            "mode": "lines",
            "line": {"width": 0, "color": color},
        }
        self.figure.add_scatter(**common, y=list(low), hoverinfo="skip", showlegend=False)
        self.figure.add_scatter(
            **common,
            y=list(high),
            fill="tonexty",
            fillcolor=f"rgba({red}, {green}, {blue}, 0.18)",
            name=_plain(name),
            showlegend=bool(name),
            customdata=list(low),
            **({"hovertemplate": "%{customdata:.4~g} to %{y:.4~g}"} if name else {"hoverinfo": "skip"}),
        )

    @property
    def is_empty(self) -> bool:
        """True if nothing was there to draw."""
        return not self.columns

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The headings and the rows of its numbers, in the order of x."""
        along = list(dict.fromkeys(x for column in self.columns for x in column.cells))
        if all(isinstance(x, int) for x in along):
            along.sort()
        return (
            [self.x_title, *(column.heading for column in self.columns)],
            [[str(x), *(column.cells.get(x, "") for column in self.columns)] for x in along],
        )


def interval(low: float | None, high: float | None) -> str:
    """Two ends, rounded away from each other.

    Args:
        low: the lower one.
        high: the upper one.
    """
    ends = ("unknown" if low is None else at_least(low)), ("unknown" if high is None else at_most(high))
    return " to ".join(ends)


def _plain(text: Any) -> Any:
    """Text in which plotly finds no markup: the names may come from a file of somebody else."""
    return escape(text, quote=False) if isinstance(text, str) else text
