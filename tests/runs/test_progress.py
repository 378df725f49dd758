"""What a person sees while a run goes on."""

import io
import re

from rich.console import Console

from tests.training.builders import fit, tiny_gan
from wgan_lip.runs import StepProgress


def show(tmp_path, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=160)
    progress = StepProgress(console)
    fit(tmp_path, progress, gan=tiny_gan(generator_steps=10), enable_progress_bar=True)
    return out.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_evaluation(tmp_path):
    lines = show(tmp_path, terminal=False).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"generator step {step}/10" for step in (0, 5, 10)]
    assert all("noise floor" in line and "critic ≥" in line and "gap" in line for line in lines)


def test_on_a_terminal_there_is_a_bar_with_the_last_figures(tmp_path):
    shown = show(tmp_path, terminal=True)
    assert "10/10" in shown
    assert re.search(r"W1 \d\.\d{3} floor \d\.\d{3} critic -?\d\.\d{3}", shown)
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)) for line in re.split(r"[\r\n]", shown)) <= 80


def test_it_can_be_turned_off(tmp_path):
    out = io.StringIO()
    progress = StepProgress(Console(file=out))
    progress.disable()
    fit(tmp_path, progress, gan=tiny_gan(generator_steps=2), enable_progress_bar=True)
    assert out.getvalue() == ""
    progress.enable()
    progress.print("hello")
    assert out.getvalue() == "hello\n"
