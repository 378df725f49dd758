"""Generators that a distance near its noise floor would not expose, and that their diversity does."""

import pytest
import torch

from wgan_lip.data import Digits
from wgan_lip.evaluation import evaluate
from wgan_lip.networks import MLPCritic
from wgan_lip.report import Row, diversity_sentence, ratio_to_floor

N = 400


def sets_of_digits(kind: str) -> tuple[torch.Tensor, ...]:
    """Held-out real digits, others, and two sets of a generator's."""
    data, generator = Digits(labels=True), torch.Generator().manual_seed(0)
    data.setup()
    images, other = (data.draw(split, N, generator) for split in ("heldout", "train"))
    pool = data.draw("train", data.size("train"), generator)
    if kind == "fifty":
        pool = pool[:50]
    elif kind == "two classes":
        pool = pool[pool[:, 1:].flatten(2).amax(2).argmax(1) < 2]
    chosen = torch.randint(len(pool), (2, N), generator=generator)
    fake = pool[chosen, :1] + 0.05 * torch.randn(2, N, 1, 8, 8, generator=generator)
    return images[:, :1], other[:, :1], *fake


@pytest.mark.parametrize(("kind", "exposed"), [("fifty", True), ("two classes", True), ("all", False)])
def test_generators_that_repeat_or_leave_out_are_named_on_the_page(kind, exposed):
    real, other, fake, other_fake = sets_of_digits(kind)
    torch.manual_seed(0)
    row = Row(0, evaluate(MLPCritic([1, 8, 8]), real, fake, other, other_fake).metrics())
    sentence = diversity_sentence(row)
    assert sentence.startswith("The generator lacks diversity: its samples are 0." if exposed else "")
    assert bool(sentence) == exposed
    behind = ratio_to_floor(row, "w1_critic_features", "generated_floor")
    assert (behind.value + 5 * behind.error < 1) == exposed
