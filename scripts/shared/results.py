"""Results in files, and tables in pages."""

import json
from pathlib import Path
from typing import Any

from wgan_lip.replaced import replace_text


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, for a script may be killed at any time; its folder is made.

    Args:
        path: of the file.
        text: which ends in one newline there, however many it has here.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, text.rstrip("\n") + "\n")


def write_json(path: Path, results: Any) -> None:
    """Write results as JSON, a line for each value.

    Args:
        path: of the file.
        results: what JSON can hold.
    """
    write_text(path, json.dumps(results, indent=1))


def write_table(page: Path, name: str, table: str) -> None:
    """Put a table between its markers, the lines ``<!-- NAME -->`` and ``<!-- end of NAME -->``.

    Args:
        page: that shows it.
        name: in the markers.
        table: Markdown that ends in a newline.

    Raises:
        SystemExit: the page has not these two lines, once each and in this order.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, *after_begin = text.split(begin)
    _, *after_end = "".join(after_begin).split(end)
    if (len(after_begin), len(after_end), end in before) != (1, 1, False):
        raise SystemExit(f"{page} must hold the lines {begin.strip()} and {end}, once each and in this order")
    replace_text(page, before + begin + table + end + after_end[0])
