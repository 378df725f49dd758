"""A few images of each class."""

import pytest
import torch

from tests.data.made import make_mnist
from wgan_lip.data import FewPerClass
from wgan_lip.labels import split_labels


def labels(data: FewPerClass, name: str) -> torch.Tensor:
    samples = data.draw(name, data.size(name), torch.Generator().manual_seed(0))
    return split_labels(samples, 10)[1]


def test_so_many_of_each_class_and_all_held_out(tmp_path):
    whole = make_mnist(tmp_path, labels=True)
    data = FewPerClass(whole, per_class=3, batch_size=10)
    assert data.size("train") == 30
    assert torch.bincount(labels(data, "train")).tolist() == 10 * [3]
    assert data.size("heldout") == whole.size("heldout")
    assert (data.image_shape, data.classes, data.sample_shape) == (whole.image_shape, whole.classes, whole.sample_shape)
    assert data.bounds == whole.bounds
    assert next(iter(data.train_dataloader())).shape == (10, 11, 28, 28)


def test_the_subset_depends_on_its_own_seed_only(tmp_path):
    whole = make_mnist(tmp_path, labels=True)
    chosen = [
        FewPerClass(whole, per_class=3, subset_seed=subset_seed, seed=seed).split("train").indices
        for subset_seed, seed in ((0, 0), (0, 1), (1, 0))
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ValueError, match="data must have labels=True; got a MNIST with labels=False"):
        FewPerClass(make_mnist(tmp_path / "a"), per_class=3)
    whole = make_mnist(tmp_path / "b", labels=True)
    with pytest.raises(ValueError, match="per_class must be at least 1; got per_class=0"):
        FewPerClass(whole, per_class=0)
    with pytest.raises(ValueError, match=r"per_class must be .* got per_class=9 and 8 images of class '0 - zero'"):
        FewPerClass(whole, per_class=9).split("train")
