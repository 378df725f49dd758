"""Text of files as it is shown: nothing in it steers a terminal or turns the direction of what follows."""

import io

import pytest
from rich.table import Table

from wgan_lip.cli.errors import fail
from wgan_lip.console import Console
from wgan_lip.plain_text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ± é 中", "plain ± é 中"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("\x9b31m\x00\x7f", r"\x9b31m\x00\x7f"),
        ("a\u202eb\u2066c\u200bd\ufeff", r"a\u202eb\u2066c\u200bd\ufeff"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("name-\udcff", r"name-\xff"),
        ("\ue000\U000e0041", r"\ue000\U000e0041"),
    ],
)
def test_what_does_not_show_is_written_out(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


def test_lines_may_be_kept():
    assert printable("a\n\tb\x1b", kept="\n\t") == "a\n\tb\\x1b"


def test_errors_are_one_line_of_bounded_length(capsys):
    with pytest.raises(SystemExit):
        fail("a\nb\u2028c \x1b]0;x\x07 " + "x" * 10**6)
    line = capsys.readouterr().err
    assert line.startswith(r"wgan-lip: error: a b c \x1b]0;x\x07 xxx")
    assert line.endswith("x... (996013 more characters)\n")
    assert len(line) < 5000


def test_neither_lines_nor_cells_of_a_console_steer_the_terminal():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    table = Table(title="t\x1b]0;x\x07")
    table.add_column("layer\u202e")
    table.add_row("0.\x1b[31mred")
    console.print(table)
    console.print("first\nsecond \x1b[2J", markup=False, highlight=False)
    said = file.getvalue()
    assert r"0.\x1b[31mred" in said
    assert r"second \x1b[2J" in said
    assert not set("\x1b\x07\u202e") & set(said.replace("\x1b[3m", "").replace("\x1b[1m", "").replace("\x1b[0m", ""))
