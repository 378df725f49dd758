"""What the page tells of one run."""

from dataclasses import dataclass

from wgan_lip.report.page.panel import Panel


@dataclass(frozen=True)
class Card:
    """One number to be seen at a look.

    Attributes:
        name: what it is.
        value: as it is shown, with its unit or its error.
        note: what it is to be set against.
        proven: whether there is a proof of it.
    """

    name: str
    value: str
    note: str
    proven: bool


@dataclass(frozen=True)
class Story:
    """What is told of one run.

    Attributes:
        kind: what was trained, in words.
        step: of the latest evaluation, which the cards and the sentences are about.
        cards: the latest numbers.
        sentences: what each number means and what proves it, one plain sentence each.
        main: the figure above all others.
        panels: the others; those without anything to draw are left out.
        curves: series by their name in the legend, to be drawn over those of other runs.
    """

    kind: str
    step: int
    cards: list[Card]
    sentences: list[str]
    main: Panel
    panels: list[Panel]
    curves: dict[str, tuple[list[int], list[float | None]]]
