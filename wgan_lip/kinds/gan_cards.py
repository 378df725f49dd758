"""The latest numbers of a GAN's run at the top of its page, each with what it means and what proves it."""

from wgan_lip.metrics import GAN
from wgan_lip.report import (
    Card,
    Row,
    interval,
    lipschitz_card,
    number,
    ratio_to_floor,
    unproven_card,
    with_error,
)
from wgan_lip.rounded import at_least, lipschitz_bound


def gan_cards(row: Row, n: int | None, confidence: float) -> list[Card]:
    """The cards of an evaluation.

    Args:
        row: of the evaluation.
        n: its number of samples of either kind; None if it is not known.
        confidence: of its bracket.
    """
    samples = "generated and held-out real samples" if n is None else f"{n} generated and {n} held-out real samples"
    exact, critic, floor = row["w1/exact"], row["w1/critic"], row["w1/noise_floor"]
    bound, ratio = row["lipschitz/certified"], ratio_to_floor(row)
    cards = []
    if exact is not None:
        cards.append(
            Card(
                GAN["w1/exact"].label,
                with_error(row, GAN["w1/exact"]),
                "no noise floor known" if ratio is None else f"{ratio} times the noise floor",
                f"the mean distance by which the cheapest transport plan moves {samples} onto each other; the plan "
                "bounds it from above, feasible potentials bound it from below, and the two bounds agree to rounding. "
                "The number after ± is the standard error for the draw of the samples, not an error of this value",
            )
        )
    else:
        cards.append(
            Card(
                f"W1 of {samples}",
                interval(row["w1/exact_lower"], row["w1/exact_upper"]),
                "the time budget was spent; proven to lie there",
                "a plan proves the upper end and feasible potentials the lower one, but the time budget was spent "
                "before the two met",
            )
        )
    if floor is not None:
        apart = None if exact is None else exact - floor
        excess = "the exact value is not known" if apart is None else "the exact value does not exceed it"
        if apart is not None and apart > 0:
            excess = f"the exact value exceeds it by {number(apart)}"
        cards.append(
            Card(
                "noise floor",
                with_error(row, GAN["w1/noise_floor"]),
                "real against real, same n",
                f"the exact W1 of real samples against other real ones at the same n; {excess}, and so many samples "
                "show no more than that of the generator",
            )
        )
    cards += _ratio_cards(row)
    if critic is not None and bound is not None:
        cards.append(
            Card(
                "critic's bound",
                f"≥ {at_least(critic)}",
                "on the same samples",
                "a lower bound of that same W1 by the trained critic, since its Lipschitz constant is certified to be "
                f"at most {lipschitz_bound(bound)}; a negative bound is true, and says nothing",
            )
        )
    fitted = row["w1/critic_fitted"]
    if fitted is not None and critic is not None:
        cards.append(
            Card(
                "fitted critic",
                f"≥ {at_least(fitted)}",
                "copies of the critic, trained on these samples",
                f"a lower bound of that same W1 by copies of the critic that went on training on these very samples: "
                f"{number(fitted - critic)} of the gap is what the critic has not seen of them, and the rest is what "
                "such critics do not express",
            )
        )
    cards += unproven_card(row, GAN["w1/uncertified"])
    if row["w1/population_upper"] is not None:
        cards.append(
            Card(
                "W1 of the distributions",
                interval(row["w1/population_lower"] or 0.0, row["w1/population_upper"]),
                f"{confidence:.0%} confidence, this step",
                f"with {confidence:.0%} confidence it lies there at this one step (not at all steps at once)",
            )
        )
    return cards + lipschitz_card(row, "critic")


def _ratio_cards(row: Row) -> list[Card]:
    """The cards of the W1 behind the critic's hidden layers, and of the diversity; none where they are not known."""
    cards = []
    behind = ratio_to_floor(row, "w1_critic_features")
    if behind is not None:
        cards.append(
            Card(
                "W1 of the critic's features",
                with_error(row, GAN["w1_*/exact"].of("critic_features")),
                f"{behind} times its noise floor",
                "the exact W1 of the same samples behind the critic's hidden layers, which stretch no distance, so "
                "that it is a lower bound of the exact W1 above; its own noise floor is that of real samples there",
            )
        )
    diversity = ratio_to_floor(row, of="generated_floor")
    if diversity is not None:
        cards.append(
            Card(
                "diversity",
                str(diversity),
                "generated against generated, over real against real",
                "how far generated samples are from others of their kind, as a multiple of how far real ones are; "
                "below 1 they vary less than real samples",
            )
        )
    return cards
