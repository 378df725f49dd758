"""The contest of image critics: copies that can be certified are the peers' own functions; the table says it all."""

import json
from dataclasses import asdict

import pytest
import torch

from scripts.bench_image_critics import Images, compete, step_times
from scripts.image_critics_bench.contenders import CONTENDERS
from scripts.image_critics_bench.contest import Contest, markdown_table, read_contest
from scripts.image_critics_bench.plain_copy import plain_copy
from scripts.image_critics_bench.trainee import Sizes, Trainee
from wgan_lip.lipschitz import certify

SIZES = Sizes((4, 8), (8,), 4, 4)

# The peers' own warnings are not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", CONTENDERS)
def test_the_certified_copy_is_the_critic_itself_after_training_too(name):
    trainee = Trainee(CONTENDERS[name], SIZES, 1e-2, seed=0)
    x, y = torch.randn(2, 4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for step in range(3):
        trainee.step(x, y, step, step / 3)
    # It raises where the values differ.
    copied = plain_copy(trainee.critic)
    bound = certify(copied).bound
    z = torch.randn(2, 20, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        slopes = (copied(z[0]) - copied(z[1])).flatten().abs() / (z[0] - z[1]).flatten(1).norm(dim=1)
    assert float(slopes.max()) <= bound * (1 + 1e-9)
    # Ours are proven to be 1-Lipschitz to the rounding of float32.
    assert bound < 1.0001 or "wgan_lip" not in name


def test_a_contest_of_a_moment(tmp_path):
    generator = torch.Generator().manual_seed(0)
    images = Images(
        *(torch.rand(n, 1, 28, 28, generator=generator) * s for n, s in ((32, 1), (32, 0.5), (16, 1), (16, 0.5)))
    )
    names = ["orthogonal, Muon (wgan_lip)", "clipping"]
    scores = tuple(compete(name, CONTENDERS[name], SIZES, images, 1e-2, 0.3) for name in names)
    assert all(score.steps > 0 and score.lower <= score.bound for score in scores)
    contest = Contest(0.3, 16, 3.0, 2.0, scores)
    (tmp_path / "c.json").write_text(json.dumps(asdict(contest)))
    assert read_contest(tmp_path / "c.json") == contest
    table = markdown_table(contest)
    first, second = sorted(scores, key=lambda score: -score.bound)
    assert table.index(first.critic) < table.index(second.critic)
    assert "noise floor 2.000" in table


def test_steps_are_timed_against_the_unconstrained_critic():
    table = step_times(SIZES, rounds=1)
    assert table.row_count == 1 + len(CONTENDERS)
    assert next(iter(table.columns[2].cells)) == "1.00"
