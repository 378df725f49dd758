"""The story of one pair's estimator: what the critic proves, against the truth."""

from collections.abc import Sequence

from wgan_lip.report.estimate_history import EstimateRow, read_estimates
from wgan_lip.report.page.common_panels import certificate_panel, gradient_panels, times_panel, training_panel
from wgan_lip.report.page.panel import BLUE, BROWN, GREEN, GREY, ORANGE, PURPLE, Panel, two_errors
from wgan_lip.report.page.run import RunRecord
from wgan_lip.report.page.story import Card, Story
from wgan_lip.report.page.words import with_error
from wgan_lip.rounded import lipschitz_bound


def estimator_story(run: RunRecord) -> Story:
    """What is told of a run that estimates W1 of a pair.

    Args:
        run: whose metrics hold evaluations of ``HeldOutW1``.

    Raises:
        ValueError: there is none yet.
    """
    rows = read_estimates(run.folder / "metrics.csv")
    steps = [row.critic_step for row in rows]
    metrics = run.metrics
    panels = [
        _gap_panel(rows),
        _gradients_panel(rows),
        certificate_panel(metrics),
        *gradient_panels(metrics, run.setting("gradient_norms", "n")),
        training_panel(metrics),
        times_panel(metrics),
    ]
    return Story(
        kind="W1 estimator of a pair",
        step=rows[-1].critic_step,
        cards=_cards(rows[-1]),
        sentences=_sentences(rows[-1], run.setting("heldout_w1", "exact_n")),
        main=_main_panel(rows),
        panels=[panel for panel in panels if not panel.is_empty],
        curves={
            "critic's proven estimate": (steps, [row.critic for row in rows]),
            "truth": (steps, [row.truth for row in rows]),
            "exact W1 of samples": (steps, [row.exact for row in rows]),
        },
    )


def _main_panel(rows: Sequence[EstimateRow]) -> Panel:
    steps = [row.critic_step for row in rows]
    errors = [row.truth_standard_error for row in rows]
    panel = Panel(
        "w1",
        "Estimated Wasserstein-1 distance against the truth",
        "The critic's estimate on held-out samples is, but for its sampling error (shaded: two standard errors), below "
        "the truth: its Lipschitz constant is proven. The exact W1 of a part of the samples is biased upwards.",
        "critic step",
        "Wasserstein-1 distance",
    )
    panel.line(
        "truth: W1 of the distributions",
        steps,
        [row.truth for row in rows],
        GREEN,
        "dash",
        markers=False,
        spread=two_errors([row.truth for row in rows], errors) if any(errors) else None,
    )
    exact, floor = [row.exact for row in rows], [row.noise_floor for row in rows]
    of_exact = two_errors(exact, [row.exact_standard_error for row in rows])
    of_floor = two_errors(floor, [row.noise_floor_standard_error for row in rows])
    panel.line("exact W1 of a part of the samples", steps, exact, BLUE, "dashdot", markers=False, spread=of_exact)
    panel.line("noise floor: P against P", steps, floor, GREY, "dash", markers=False, spread=of_floor)
    panel.line(
        "critic's proven estimate",
        steps,
        [row.critic for row in rows],
        ORANGE,
        spread=two_errors([row.critic for row in rows], [row.standard_error for row in rows]),
    )
    panel.line(
        "critic's estimate, which proves nothing",
        steps,
        [row.uncertified for row in rows],
        PURPLE,
        "dot",
        spread=two_errors([row.uncertified for row in rows], [row.uncertified_standard_error for row in rows]),
    )
    return panel


def _gap_panel(rows: Sequence[EstimateRow]) -> Panel:
    panel = Panel(
        "gap",
        "Gap: exact W1 less the critic's bound",
        "On the very same samples, so without sampling error; never negative beyond rounding.",
        "critic step",
        "gap, in W1",
    )
    panel.line("gap", [row.critic_step for row in rows], [row.gap for row in rows], BLUE)
    panel.figure.update_yaxes(rangemode="tozero")
    return panel


def _gradients_panel(rows: Sequence[EstimateRow]) -> Panel:
    panel = Panel(
        "gradients",
        "The critic's gradient against an optimal potential's",
        "Cosine 1 and squared distance 0 would be the gradient of an optimal potential.",
        "critic step",
        "mean over held-out samples",
    )
    steps = [row.critic_step for row in rows]
    panel.line("cosine", steps, [row.cosine for row in rows], BROWN)
    panel.line("squared distance", steps, [row.l2 for row in rows], PURPLE, "dot")
    return panel


def _cards(row: EstimateRow) -> list[Card]:
    cards = []
    if row.critic is not None:
        note = "below W1, but for the standard error"
        cards.append(Card("critic's estimate", with_error(row.critic, row.standard_error), note, proven=True))
    if row.uncertified is not None:
        value = with_error(row.uncertified, row.uncertified_standard_error)
        cards.append(Card("critic's estimate", value, "proves nothing", proven=False))
    if row.truth is not None:
        note = "with its standard error" if row.truth_standard_error else "closed form"
        cards.append(Card("truth", with_error(row.truth, row.truth_standard_error), note, proven=True))
    if row.exact is not None:
        exact, floor = _exact_and_floor(row)
        cards.append(Card("exact W1 of samples", exact, f"noise floor {floor}", proven=True))
    if row.certified is not None:
        cards.append(Card("Lipschitz constant", f"≤ {lipschitz_bound(row.certified)}", "of the critic", proven=True))
    return cards


def _sentences(row: EstimateRow, exact_n: int | None) -> list[str]:
    found = []
    if row.critic is not None and row.certified is not None:
        found.append(
            f"Critic's estimate, {with_error(row.critic, row.standard_error)}: its expectation is at most the W1 of "
            "the distributions, because the critic's Lipschitz constant is certified to be at most "
            f"{lipschitz_bound(row.certified)}; ± is the standard error of drawing the held-out samples."
        )
    if row.uncertified is not None:
        found.append(
            f"Critic's estimate, {with_error(row.uncertified, row.uncertified_standard_error)}: it proves nothing, "
            "because this critic is not proven to be 1-Lipschitz; it may lie above the truth."
        )
    if row.truth is not None:
        origin = (
            "estimated on samples along a plan that is known to be optimal" if row.truth_standard_error else "known"
        )
        found.append(f"Truth, {with_error(row.truth, row.truth_standard_error)}: the W1 of this pair is {origin}.")
    if row.exact is not None:
        samples = "a part of the held-out samples" if not exact_n else f"{exact_n} held-out samples of each side"
        exact, floor = _exact_and_floor(row)
        found.append(
            f"Exact W1, {exact}: of {samples}, with a checked proof; in expectation it exceeds the W1 of "
            f"the distributions, as P against itself scores {floor} at that size; ± is the standard error of drawing "
            "the samples."
        )
    return found


def _exact_and_floor(row: EstimateRow) -> tuple[str, str]:
    """The exact W1 of samples and its noise floor, which are known together."""
    exact, floor = row.exact, row.noise_floor
    return (
        "unknown" if exact is None else with_error(exact, row.exact_standard_error),
        "unknown" if floor is None else with_error(floor, row.noise_floor_standard_error),
    )
