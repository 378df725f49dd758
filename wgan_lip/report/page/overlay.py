"""The curves of several runs in one figure each."""

from collections.abc import Sequence

from wgan_lip.report.page.panel import CYCLE, DASHES, Panel
from wgan_lip.report.page.story import Story


def overlay_panels(stories: Sequence[tuple[str, Story]]) -> list[Panel]:
    """For each curve that at least two runs have: a figure of it, run by run.

    Args:
        stories: of the runs, with their labels.
    """
    names = dict.fromkeys(name for _, story in stories for name in story.curves)
    panels = []
    for i, name in enumerate(names):
        having = [
            (label, story)
            for label, story in stories
            if any(v is not None for v in story.curves.get(name, ((), ()))[1])
        ]
        if len(having) < 2:
            continue
        panel = Panel(
            f"curve{i}",
            f"{name[0].upper()}{name[1:]}, run by run",
            "Runs can be compared where they were evaluated at the same number of samples, in the same norm; and one "
            "run of each is no evidence of which is better: wgan-lip compare repeats them, seed by seed.",
            "step",
            name,
        )
        for k, (label, story) in enumerate(having):
            steps, values = story.curves[name]
            panel.line(label, steps, values, CYCLE[k % len(CYCLE)], DASHES[k // len(CYCLE) % len(DASHES)])
        panels.append(panel)
    return panels
