"""The digits, their splits, and a loader that resumes between any two batches."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset, Subset

from wgan_lip.data import Digits, ResumableLoader, SampleDataModule, TensorSamples, digits
from wgan_lip.data.loader import take


def batches(loader: ResumableLoader, epochs: int) -> list[torch.Tensor]:
    return [batch for _ in range(epochs) for batch in loader]


def test_digits_are_real_scaled_and_split_once_and_for_all():
    data = Digits(seed=1)
    train, heldout = data.split("train").samples, data.split("heldout").samples
    assert train.shape == (1200, 1, 8, 8)
    assert heldout.shape == (597, 1, 8, 8)
    assert (train.min(), train.max()) == (-1, 1)
    restored = np.sort((8 * (torch.cat((train, heldout)).numpy() + 1)).reshape(1797, 64), axis=0)
    np.testing.assert_array_equal(restored, np.sort(load_digits().data, axis=0))
    assert torch.equal(Digits(seed=2).split("heldout").samples, heldout)
    # No held-out image trains: the splits share none, and so does no batch.
    assert not {image.numpy().tobytes() for image in train} & {image.numpy().tobytes() for image in heldout}


def test_validation_and_test_see_all_held_out_samples():
    data = Digits(batch_size=50)
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert torch.equal(torch.cat(list(loader)), data.split("heldout").samples)


def test_draw_is_without_replacement_and_repeatable():
    data = Digits()
    drawn = [data.draw("heldout", 597, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[0].flatten(1).sum(1).sort().values, drawn[2].flatten(1).sum(1).sort().values)
    with pytest.raises(
        ValueError, match="n must be between 1 and the 597 samples in Digits's heldout split; got n=598"
    ):
        data.draw("heldout", 598, torch.Generator())


def test_nan_in_the_data_is_named(monkeypatch):
    def broken():
        bunch = load_digits()
        bunch.images[7, 0, 0] = np.nan
        return bunch

    monkeypatch.setattr(digits, "load_digits", broken)
    with pytest.raises(ValueError, match="Digits holds NaN or infinity in 1 of 1797 samples"):
        Digits().setup()


def test_every_epoch_is_a_new_permutation():
    loader = ResumableLoader(TensorSamples(torch.arange(20.0)), batch_size=5, seed=3)
    first, second = torch.cat(list(loader)), torch.cat(list(loader))
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, torch.arange(20.0))
    assert torch.equal(second.sort().values, torch.arange(20.0))
    assert torch.equal(first, torch.cat(list(ResumableLoader(TensorSamples(torch.arange(20.0)), 5, 3))))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 3, 4, 5, 8, 9])
def test_resumes_between_any_two_batches(stop, workers):
    def build() -> ResumableLoader:
        # 23 samples make 4 full batches an epoch; the rest of each permutation is left out.
        return ResumableLoader(TensorSamples(torch.arange(23.0)), batch_size=5, seed=1, num_workers=workers)

    expected = batches(build(), epochs=3)
    interrupted, seen = build(), []
    while len(seen) < stop:
        for batch in interrupted:
            seen.append(batch)
            if len(seen) == stop:
                break
    resumed = build()
    resumed.load_state_dict(interrupted.state_dict())
    while len(seen) < len(expected):
        seen += list(resumed)[: len(expected) - len(seen)]
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


class OneByOne(Dataset):
    """A map-style dataset that knows nothing of batches."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((2, 3), float(index))


@pytest.mark.parametrize(
    "dataset",
    [
        OneByOne(),
        Subset(OneByOne(), range(12)),
        Subset(TensorSamples(torch.stack(list(map(OneByOne().__getitem__, range(12))))), range(12)),
    ],
    ids=["one by one", "subset", "subset of tensor"],
)
def test_any_map_style_dataset_makes_batches(dataset):
    taken = take(dataset, [3, 0, 3])
    assert taken.shape == (3, 2, 3)
    assert taken[:, 0, 0].tolist() == [3, 0, 3]
    batch = next(iter(ResumableLoader(dataset, batch_size=12)))
    assert batch.shape == (12, 2, 3)
    assert batch[:, 1, 2].sort().values.tolist() == list(range(12))


def test_an_epoch_cut_short_goes_on_where_it_was():
    loader = ResumableLoader(TensorSamples(torch.arange(12.0)), batch_size=3, seed=0)
    first = next(iter(loader))
    rest = list(loader)[:3]
    assert torch.equal(torch.cat([first, *rest]).sort().values, torch.arange(12.0))


def test_bad_batch_sizes_are_named():
    with pytest.raises(ValueError, match="batch_size=0"):
        Digits(batch_size=0)
    with pytest.raises(ValueError, match="the 1200 training samples; got batch_size=1201"):
        Digits(batch_size=1201).train_dataloader()


@pytest.mark.parametrize("pairs", [True, False])
def test_items_that_are_no_samples_are_one_sentence(pairs):
    class Labelled(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return (torch.rand(4), 0) if pairs else {"image": torch.rand(4)}

    class Mine(SampleDataModule):
        sample_shape = (4,)

        def load(self):
            return {"train": Labelled(), "heldout": Labelled()}

    kind = "list" if pairs else "dict"
    data = Mine(batch_size=2)
    with pytest.raises(ValueError, match=f"each item of a split must be one sample, .* make a {kind}"):
        data.draw("train", 4, torch.Generator())
    with pytest.raises(ValueError, match=f"each item of a split must be one sample, .* make a {kind}"):
        next(iter(data.train_dataloader()))
