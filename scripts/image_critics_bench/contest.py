"""All scores of a contest, and their tables."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from scripts.shared.tables import markdown_rows


@dataclass(frozen=True)
class Score:
    """What one critic proves of held-out images: nothing, if its training diverged.

    Attributes:
        steps: that it took in its time.
        rate: the best of those tried.
        certified: L.
        bound: ``(mean f(x) - mean f(y)) / L``.
        standard_error: of it.
        lower: 95 % confidence bound of the distributions' W1.
        uncertified: ``mean f(x) - mean f(y)``.
    """

    critic: str
    steps: int
    rate: float
    certified: float
    bound: float
    standard_error: float
    lower: float
    uncertified: float
    is_certified: bool


@dataclass(frozen=True)
class Contest:
    """All scores, and what the images themselves say.

    Attributes:
        seconds: of training for each critic and rate.
        n: held-out images, and generated ones, of which ``exact`` is.
        exact: their exact W1.
        noise_floor: exact W1 of the same held-out images and as many of the training split.
        scores: the best of each critic.
    """

    seconds: float
    n: int
    exact: float
    noise_floor: float
    scores: tuple[Score, ...]

    def rows(self) -> list[list[str]]:
        """A heading, and a row for each critic, in the order of what they prove."""
        rows = [["critic", "rate", "steps", "L ≤", "bound ± standard error", "95 % lower", "proves nothing"]]
        for s in sorted(self.scores, key=lambda score: -score.bound):
            bound = f"{s.bound:.3f} ± {s.standard_error:.3f}"
            loose = "" if s.is_certified else f"{s.uncertified:.3f}"
            rows.append([s.critic, f"{s.rate:g}", f"{s.steps}", f"{s.certified:.6g}", bound, f"{s.lower:.3f}", loose])
        return rows

    def caption(self) -> str:
        """What the bounds are to be set against."""
        return (
            f"Held-out lower bounds of W1 after {self.seconds:g} s of training each. Exact W1 of {self.n} held-out and "
            f"{self.n} generated images: {self.exact:.3f}; noise floor {self.noise_floor:.3f}."
        )


def markdown_table(contest: Contest) -> str:
    """The scores in Markdown."""
    heading, *rows = contest.rows()
    return f"{markdown_rows(heading, rows)}\n{contest.caption()}\n"


def read_contest(path: Path) -> Contest:
    """What ``--json`` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Contest(**{**found, "scores": tuple(Score(**score) for score in found["scores"])})


def printed_table(contest: Contest) -> Table:
    """The scores for a terminal."""
    heading, *rows = contest.rows()
    table = Table(caption=contest.caption())
    for i, name in enumerate(heading):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
