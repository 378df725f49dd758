"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_rows(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is set to the left and the others to the right.

    Args:
        heading: a word for each column.
        rows: a cell for each column.
    """
    lines = [heading, ["---", *["--:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
