"""Random disjoint subsets."""

import numpy as np
import torch

from wgan_lip.transport.statistics.noise_floor import disjoint_subsets
from wgan_lip.transport.statistics.sliced import draw_directions


def test_subsets_are_disjoint_in_a_random_order_and_may_leave_some_out():
    points = np.arange(30.0)[:, None]
    subsets = disjoint_subsets(points, (3, 4, 0, 20), torch.Generator().manual_seed(0))
    assert [len(subset) for subset in subsets] == [3, 4, 0, 20]
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert np.concatenate(subsets)[:, 0].tolist() == order[:27].tolist()


def test_draws_are_where_their_generator_is_whatever_the_default():
    points, directions = np.arange(5.0)[:, None], draw_directions(3, 2, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        subsets = disjoint_subsets(points, (5,), torch.Generator("cpu").manual_seed(0))
        assert np.array_equal(draw_directions(3, 2, generator=torch.Generator("cpu").manual_seed(0)), directions)
    assert sorted(subsets[0][:, 0]) == [0, 1, 2, 3, 4]
