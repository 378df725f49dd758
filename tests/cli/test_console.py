"""What is computed is shown on any console, and a console that takes nothing ends nothing."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.table import Table

from tests.support.commands import CONFIGS, fit, run
from wgan_lip.cli import main
from wgan_lip.console import Console
from wgan_lip.plain_text import ascii_text

POSIX_ONLY = Path(__file__).parents[1] / "support" / "without_posix.py"


@contextmanager
def suppress_exit() -> Iterator[list[int]]:
    """The exit status of a command, however it ends."""
    status: list[int] = []
    try:
        yield status
        status.append(0)
    except SystemExit as ended:
        status.append(ended.code or 0)  # type: ignore[arg-type]


class Shown(io.TextIOWrapper):
    """A standard output of some encoding, with what was written on it."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.fixture
def sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    np.save("a.npy", generator.normal(size=(40, 3)))
    np.save("béta.npy", 1 + generator.normal(size=(40, 3)))
    return "a.npy", "béta.npy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2 ± 0.3", "1.2 +/- 0.3"),
        ("a ≤ b ≥ c ≠ d", "a <= b >= c != d"),
        ("3×3 → 1", "3x3 -> 1"),
        ("10⁻⁹ m²", "10^-9 m^2"),
        ("−2 ½ µ", "-2 1/2 u"),
        ("┌──┬──┐│ ━┃╭╮╰╯║═", "+--+--+| -|++++|-"),
        ("Björck Ångström", "Bjorck Angstrom"),
        ("⠋ █", "* #"),
        ("中", "\\u4e2d"),
        ("run-\udcff", "run-\\xff"),
        ("plain\n\ttext", "plain\n\ttext"),
    ],
)
def test_text_in_ascii_keeps_its_meaning(text, expected):
    assert ascii_text(text) == expected


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "koi8-r", "utf-8", "utf-16"])
def test_w1_is_shown_in_every_encoding(encoding, sets, monkeypatch):
    shown = Shown(encoding)
    monkeypatch.setattr(sys, "stdout", shown)
    run(monkeypatch, "w1", *sets, "--splits", 2)
    known = Shown("utf-8")
    monkeypatch.setattr(sys, "stdout", known)
    run(monkeypatch, "w1", *sets, "--splits", 2)
    # Times and memory differ.
    lines, expected = (
        [line for line in one.text.splitlines() if not line.startswith(("time", "peak memory"))]
        for one in (shown, known)
    )
    assert sum("±" in line for line in expected) == 3
    assert [ascii_text(line) for line in lines] == [ascii_text(line) for line in expected]
    assert ("é" in shown.text) == (encoding not in ("ascii", "koi8-r"))


def test_json_is_the_same_in_every_encoding(sets, monkeypatch):
    shown = Shown("ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    run(monkeypatch, "w1", *sets, "--json")
    assert json.loads(shown.text)["b"]["path"] == sets[1]


def test_a_table_of_another_encoding_stays_aligned():
    shown = Shown("ascii")
    table = Table("n", "±")
    table.add_row("1", "2.0 ± 0.1")
    table.add_row("22", "≤ 3")
    Console(file=shown, width=60).print(table)
    lines = shown.text.splitlines()
    assert "2.0 +/- 0.1" in shown.text
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("|", 2) for line in lines if line.count("|") == 3}) == 1


def test_a_fit_is_finished_whatever_its_console_takes(tmp_path, monkeypatch):
    shown = Shown("ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled", "--run=a")
    assert (folder / "finished").read_text() == "20\n"
    assert "+/-" in shown.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_fit_whose_output_is_full_is_finished_and_says_so(tmp_path, monkeypatch, capsys):
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as exit_:
            fit(monkeypatch, tmp_path, "--wandb.mode=disabled", "--run=a")
    assert exit_.value.code == 2
    assert (tmp_path / "digits" / "a" / "finished").read_text() == "20\n"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line == "wgan-lip: error: standard output failed: No space left on device; all other work is done"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["configs"], ["w1", "--help"], ["completion", "bash"]])
def test_a_reader_that_has_left_is_no_error(words, monkeypatch):
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with suppress_exit() as status:
            main(words)
    assert status == [0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [["--help"], ["configs"], ["w1", "--help"]])
def test_a_full_output_is_one_line(words, monkeypatch, capsys):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as exit_:
            main(words)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_closed_streams_are_as_ones_to_nowhere(sets):
    command = f"{sys.executable} -m wgan_lip w1 {sets[0]} {sets[1]} --splits 0"
    done = subprocess.run(["sh", "-c", f"{command} >&- <&-"], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_config_that_was_printed_is_read_again(encoding, tmp_path, monkeypatch):
    shown = Shown(encoding)
    monkeypatch.setattr(sys, "stdout", shown)
    run(monkeypatch, "configs", "compare/cones.yaml")
    printed = Shown(encoding)
    monkeypatch.setattr(sys, "stdout", printed)
    cones = CONFIGS / "compare" / "cones.yaml"
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "compare", "-c", cones, "--print_config")
    assert not exit_.value.code
    original = yaml.safe_load(cones.read_text(encoding="utf-8"))
    for kept in (shown, printed):
        (tmp_path / "mine.yaml").write_bytes(kept.buffer.getvalue())
        content = yaml.safe_load((tmp_path / "mine.yaml").read_text(encoding="utf-8"))
        assert ascii_text(str(content["critics"])) == ascii_text(str(original["critics"]))
    # Printed as it was resolved, no character is another.
    assert str(content["critics"]) == str(original["critics"])


@pytest.mark.slow
def test_configs_are_read_as_unicode_whatever_the_locale(tmp_path):
    """As on Windows, where the locale's encoding is not that of YAML; PowerShell writes UTF-16."""
    (tmp_path / "utf8.yaml").write_text("# Björck\nname: b8\n", encoding="utf-8")
    (tmp_path / "utf16.yaml").write_text("# Björck\nname: b16\n", encoding="utf-16")
    (tmp_path / "latin.yaml").write_text("# Björck\n", encoding="latin-1")
    program = (
        "import sys; from wgan_lip.cli.training.training_parser import FitReader; reader = FitReader()\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(reader.read(['-c', 'wgan_lip:gan/digits.yaml', '-c', name]).name)\n"
        "    except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "utf8.yaml", "utf16.yaml", "latin.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C"},
    )
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("b8", "b16")
    assert third.startswith("latin.yaml must be text in UTF-8")


@pytest.mark.parametrize(
    "words", [["w1", "a.npy", "béta.npy"], pytest.param(["fit", "--help"], marks=pytest.mark.slow)]
)
def test_nothing_is_used_that_only_posix_has(words, sets):
    done = subprocess.run([sys.executable, POSIX_ONLY, *words], capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"w1": "W1 ", "fit": "usage: "}[words[0]] in done.stdout
