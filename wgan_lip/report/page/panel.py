"""One figure of the page, and the lines and bands that it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

from wgan_lip.report.page.words import interval

# They stand out from a white and from a dark page alike (contrast at least 3:1), and from each other for most
# colour-blind readers (after Okabe and Ito); no line is told from another by its colour alone.
BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY = "#2f7fc1", "#d5691a", "#1f9573", "#b0609b", "#a2743a", "#828282"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY)

Dash = Literal["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"]
DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = {
    BLUE: "circle",
    ORANGE: "diamond",
    GREEN: "square",
    PURPLE: "triangle-up",
    BROWN: "triangle-down",
    GREY: "x",
}

# Lower and upper end for each point, where they are known.
Spread = Sequence[tuple[float, float] | None]

# How a number is shown where the pointer is, and in the table below.
NUMBER = ".4~g"


@dataclass(frozen=True)
class Column:
    """A column of the table that says in words what a figure shows.

    Attributes:
        heading: what it is.
        cells: by the figure's x.
    """

    heading: str
    cells: dict[Any, str]


@dataclass
class Panel:
    """A figure with what it shows in words, and its numbers as a table for those who cannot see it.

    Attributes:
        key: its name in the page, unique within a run.
        title: above it.
        says: what is to be seen, and what is proven of it, in plain words.
        x_title: what is along.
        y_title: what is up.
        figure: plotly's.
        columns: of the table.
    """

    key: str
    title: str
    says: str
    x_title: str
    y_title: str
    figure: go.Figure = field(init=False)
    columns: list[Column] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figure = go.Figure()
        self.figure.update_layout(
            # Light and dark, as the reader has it, are the page's; the template's own colours are not wanted.
            template="none",
            hovermode="x unified",
            xaxis={"title": {"text": self.x_title}, "hoverformat": "~g", "zeroline": False},
            yaxis={"title": {"text": self.y_title}, "zeroline": True},
            legend={"orientation": "h", "traceorder": "normal", "yanchor": "top", "y": -0.22, "x": 0},
            margin={"l": 64, "r": 12, "t": 12, "b": 56},
            height=420,
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
        spread: Spread | None = None,
        spread_name: str = "± 2 standard errors",
    ) -> None:
        """Add a line.

        Args:
            name: in the legend.
            x: along; steps, or names of layers.
            y: a value each, or None where none is known.
            color: of ``CYCLE``.
            dash: how it is drawn.
            markers: mark each point.
            spread: what sampling may do to each value: an interval, or None where none is known.
            spread_name: what intervals these are.
        """
        if all(value is None for value in y):
            return
        shown = f"%{{y:{NUMBER}}}"
        if spread is not None and not any(spread):
            spread = None
        if spread is not None:
            known = [ends or (None, None) for ends in spread]
            self._band(x, [low for low, _ in known], [high for _, high in known], color)
            shown += f" (%{{customdata[0]:{NUMBER}}} to %{{customdata[1]:{NUMBER}}}, {spread_name})"
        self.figure.add_scatter(
            name=_plain(name),
            x=[_plain(along) for along in x],
            y=list(y),
            mode="lines+markers" if markers else "lines",
            line={"color": color, "dash": dash, "width": 2},
            marker={"symbol": _MARKERS[color], "size": 6},
            customdata=None if spread is None else [ends or (None, None) for ends in spread],
            hovertemplate=shown,
        )
        cells = {along: f"{value:.4g}" for along, value in zip(x, y, strict=True) if value is not None}
        for along, ends in zip(x, spread or (), strict=False):
            if ends is not None and along in cells:
                cells[along] += f" [{ends[0]:.4g}, {ends[1]:.4g}]"
        self.columns.append(Column(name if spread is None else f"{name} [{spread_name}]", cells))

    def band(self, name: str, x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None]) -> None:
        """Add a grey band between two lines; where either end is not known there is none.

        Args:
            name: in the legend.
            x: along.
            low: its lower end.
            high: its upper end.
        """
        known = [(a, b, c) for a, b, c in zip(x, low, high, strict=True) if b is not None and c is not None]
        if known:
            along, lower, upper = ([point[i] for point in known] for i in range(3))
            self._band(along, lower, upper, GREY, name)
            self.columns.append(Column(name, {x: interval(a, b) for x, a, b in known}))

    def _band(
        self,
        x: Sequence[Any],
        low: Sequence[float | None],
        high: Sequence[float | None],
        color: str,
        name: str | None = None,
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
            name=_plain(name or ""),
            showlegend=name is not None,
            customdata=list(low),
            **({"hoverinfo": "skip"} if name is None else {"hovertemplate": "%{customdata:.4~g} to %{y:.4~g}"}),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was there to draw."""
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


def _plain(text: Any) -> Any:
    """Text in which plotly finds no markup: names may come from a stranger's run."""
    return escape(text, quote=False) if isinstance(text, str) else text


def two_errors(values: Sequence[float | None], errors: Sequence[float | None]) -> Spread:
    """Two standard errors on either side.

    Args:
        values: the estimates.
        errors: their standard errors.
    """
    return [
        None if value is None or error is None else (value - 2 * error, value + 2 * error)
        for value, error in zip(values, errors, strict=True)
    ]
