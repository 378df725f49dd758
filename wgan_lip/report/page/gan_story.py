"""The story of a GAN's training: estimated against exact W1."""

from collections.abc import Sequence

from wgan_lip.report.history import Row, read_history
from wgan_lip.report.page.common_panels import (
    certificate_panel,
    draw_series,
    gradient_panels,
    steps_title,
    times_panel,
    training_panel,
)
from wgan_lip.report.page.panel import BLUE, BROWN, GREEN, GREY, ORANGE, PURPLE, Panel, two_errors
from wgan_lip.report.page.run import RunRecord
from wgan_lip.report.page.story import Card, Story
from wgan_lip.report.page.words import interval, number, with_error
from wgan_lip.rounded import at_least, lipschitz_bound

_FEATURES = (
    ("kernel_distance", "Kernel distance of features", "squared MMD; 0 where features are alike"),
    ("precision", "Precision of features", "share of generated images that lie among real ones"),
    ("recall", "Recall of features", "share of real images that lie among generated ones"),
    ("coverage", "Coverage of features", "share of real images that have a generated one near"),
    ("density", "Density of features", "how many real neighbourhoods hold a generated image; 1 for real ones"),
)
# Numbers of a row that have a standard error.
_WITH_ERRORS = ("exact", "averaged", "noise_floor")


def gan_story(run: RunRecord) -> Story:
    """What is told of a GAN's run.

    Args:
        run: whose metrics hold evaluations of ``ExactW1``.

    Raises:
        ValueError: there is none yet.
    """
    rows = read_history(run.folder / "metrics.csv")
    n = run.setting("exact_w1", "n")
    confidence = run.setting("exact_w1", "confidence") or 0.95
    metrics = run.metrics
    panels = [
        _gap_panel(rows),
        _ratio_panel(rows),
        certificate_panel(metrics),
        *gradient_panels(metrics, run.setting("gradient_norms", "n")),
        *_feature_panels(run),
        training_panel(metrics),
        times_panel(metrics),
    ]
    return Story(
        kind="Wasserstein GAN",
        step=rows[-1].generator_step,
        cards=_cards(rows[-1], n, confidence),
        sentences=_sentences(rows[-1], n, confidence),
        main=_main_panel(rows, confidence),
        panels=[panel for panel in panels if not panel.is_empty],
        curves={
            "exact W1": ([row.generator_step for row in rows], [row.exact for row in rows]),
            "critic's proven bound": ([row.generator_step for row in rows], [row.critic for row in rows]),
            "noise floor": ([row.generator_step for row in rows], [row.noise_floor for row in rows]),
        },
    )


def _main_panel(rows: Sequence[Row], confidence: float) -> Panel:
    steps = [row.generator_step for row in rows]
    panel = Panel(
        "w1",
        "Estimated against exact Wasserstein-1 distance",
        "The critic's proven bound lies below the exact W1 of the same samples, always. The noise floor is what real "
        "images score against other real ones at the same n: near it, so many samples do not show what is wrong with "
        "the generator, and pictures or more samples may. Shaded beside a line: two standard errors, by which "
        "it changes with the draw of the samples. The wide band holds the W1 of the distributions with "
        f"{confidence:.0%} confidence, at each step by itself.",
        "generator step",
        "Wasserstein-1 distance",
    )
    panel.band(
        f"{confidence:.0%} bracket of the distributions' W1",
        steps,
        [row.population_lower or 0.0 for row in rows],
        [row.population_upper for row in rows],
    )
    panel.band(
        "exact W1, proven to lie between (time budget spent)",
        steps,
        [row.exact_lower for row in rows],
        [row.exact_upper for row in rows],
    )
    exact, averaged, floors = ([getattr(row, name) for row in rows] for name in _WITH_ERRORS)
    of_exact, of_averaged, of_floors = (
        two_errors([getattr(row, name) for row in rows], [getattr(row, f"{name}_standard_error") for row in rows])
        for name in _WITH_ERRORS
    )
    panel.line("noise floor: real against real", steps, floors, GREY, "dash", markers=False, spread=of_floors)
    panel.line("exact W1", steps, exact, BLUE, spread=of_exact)
    panel.line("exact W1, averaged generator", steps, averaged, GREEN, "dashdot", spread=of_averaged)
    panel.line("critic's proven bound", steps, [row.critic for row in rows], ORANGE)
    panel.line("critic's estimate, which proves nothing", steps, [row.uncertified for row in rows], PURPLE, "dot")
    return panel


def _gap_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "gap",
        "Gap: exact W1 less the critic's bound",
        "On the same samples, so without sampling error. It is never negative beyond rounding: the training would stop "
        "with an error.",
        "generator step",
        "gap, in W1",
    )
    panel.line(
        "gap",
        [row.generator_step for row in rows],
        [None if row.exact is None or row.critic is None else row.exact - row.critic for row in rows],
        BLUE,
    )
    panel.figure.update_yaxes(rangemode="tozero")
    return panel


def _ratio_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "ratio",
        "Exact W1 over the noise floor",
        "1 is what a perfect generator scores, up to the draw of the samples.",
        "generator step",
        "ratio",
    )
    panel.line(
        "exact W1 / noise floor",
        [row.generator_step for row in rows],
        [row.exact / row.noise_floor if row.exact is not None and row.noise_floor else None for row in rows],
        BROWN,
    )
    return panel


def _feature_panels(run: RunRecord) -> list[Panel]:
    panels = []
    groups = (
        ("features", _FEATURES),
        ("inception", (("fid", "FID", "Inception's features; 0 is alike"), ("kid", "KID", "Inception's features"))),
    )
    for group, measures in groups:
        found = run.metrics.beginning(f"{group}/")
        for name, title, meaning in measures:
            panel = Panel(
                f"{group}-{name}",
                title,
                f"{meaning[0].upper()}{meaning[1:]}. Shaded: two standard errors on either side. What real images of "
                "the training split score with as many is the grey line.",
                steps_title(run.metrics),
                name.replace("_", " "),
            )
            errors = [found.get(f"{name}_standard_error{end}") for end in ("", "_floor")]
            draw_series(panel, "real images", found.get(f"{name}_floor"), GREY, errors=errors[1])
            draw_series(panel, "generated images", found.get(name), BLUE, errors=errors[0])
            panels.append(panel)
    return panels


def _cards(row: Row, n: int | None, confidence: float) -> list[Card]:
    cards = []
    samples = "" if n is None else f" of {n} against {n} samples"
    if row.exact is not None:
        ratio = (
            f"{row.exact / row.noise_floor:.3f} times the noise floor" if row.noise_floor else "no noise floor known"
        )
        cards.append(Card(f"exact W1{samples}", with_error(row.exact, row.exact_standard_error), ratio, proven=True))
    else:
        ends = interval(row.exact_lower, row.exact_upper)
        cards.append(Card(f"W1{samples}", ends, "the time budget was spent; proven to lie there", proven=True))
    if row.noise_floor is not None:
        floor = with_error(row.noise_floor, row.noise_floor_standard_error)
        cards.append(Card("noise floor", floor, "real against real, same n", proven=True))
    if row.critic is not None:
        cards.append(Card("critic's bound", f"≥ {at_least(row.critic)}", "on the same samples", proven=True))
    if row.uncertified is not None:
        cards.append(Card("critic's estimate", number(row.uncertified), "proves nothing", proven=False))
    if row.population_upper is not None:
        ends = interval(row.population_lower or 0.0, row.population_upper)
        cards.append(Card("W1 of the distributions", ends, f"{confidence:.0%} confidence, this step", proven=True))
    if row.certified is not None:
        cards.append(Card("Lipschitz constant", f"≤ {lipschitz_bound(row.certified)}", "of the critic", proven=True))
    return cards


def _sentences(row: Row, n: int | None, confidence: float) -> list[str]:
    samples = "generated and held-out real samples" if n is None else f"{n} generated and {n} held-out real samples"
    found = []
    if row.exact is not None:
        found.append(
            f"Exact W1, {with_error(row.exact, row.exact_standard_error)}: the mean distance by which the cheapest "
            f"transport plan moves {samples} onto each other; the plan bounds it from above, potentials that were "
            "repaired to feasibility bound it from below, and the two agree to rounding. ± is no doubt of that, but by "
            "how much it changes with the draw of the samples: one standard error."
        )
    else:
        found.append(
            f"W1 of {samples} lies in {interval(row.exact_lower, row.exact_upper)}: a plan proves the "
            "one end and feasible potentials the other, but the time budget was spent before the two met."
        )
    if row.critic is not None and row.certified is not None:
        found.append(
            f"Critic's bound, {at_least(row.critic)}: what the trained critic proves of that same W1, since its "
            f"Lipschitz constant is certified to be at most {lipschitz_bound(row.certified)}; a negative one is true, "
            "and worth nothing."
        )
    if row.uncertified is not None:
        found.append(
            f"Critic's estimate, {number(row.uncertified)}: it proves nothing, because this critic is not proven to be "
            "1-Lipschitz; it may lie above the exact value."
        )
    if row.noise_floor is not None and row.exact is not None:
        apart = row.exact - row.noise_floor
        seen = f"the exact value exceeds it by {number(apart)}" if apart > 0 else "the exact value does not exceed it"
        found.append(
            f"Noise floor, {with_error(row.noise_floor, row.noise_floor_standard_error)}: real samples are that far "
            f"from other real ones at the same n; {seen}, and no more than that is to be seen of the generator with so "
            "many samples."
        )
    if row.population_upper is not None:
        found.append(
            f"Bracket, {interval(row.population_lower or 0.0, row.population_upper)}: with {confidence:.0%} confidence "
            "the W1 of the distributions themselves lies there at this one step (not at all steps at once)."
        )
    elif row.exact is not None:
        found.append(
            "There is no bracket of the W1 of the distributions: it takes bounds of the samples' coordinates, which "
            "data and generator of this run do not both state."
        )
    return found
