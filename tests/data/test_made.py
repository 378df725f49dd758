"""Every data module of images, on small made files: splits, shapes, bounds, labels, batches, configs."""

import inspect
import math

import pytest
import torch
from jsonargparse import ArgumentParser

from tests.data.made import CLASSES, HELDOUT, MADE, TRAIN
from wgan_lip.data import SampleDataModule, Split
from wgan_lip.data.loader import take
from wgan_lip.randomness import keyed_generator

SPLITS: tuple[Split, ...] = ("train", "heldout")
EACH = pytest.mark.parametrize("name", MADE)


def all_of(data: SampleDataModule, split: Split) -> torch.Tensor:
    """A whole split, sample by sample."""
    dataset = data.split(split)
    return torch.stack([dataset[index] for index in range(data.size(split))])


@EACH
@pytest.mark.parametrize("labels", [False, True])
def test_samples_are_what_the_module_says(name, labels, tmp_path):
    data = MADE[name](tmp_path, labels=labels)
    low, high = data.bounds
    assert len(data.classes) == (len(data.class_names) if labels else 0)
    assert data.sample_shape == (data.image_channels + len(data.classes), *data.image_shape[1:])
    seen = []
    for split in SPLITS:
        samples = all_of(data, split)
        assert (samples.dtype, tuple(samples.shape[1:])) == (torch.float32, data.sample_shape)
        assert low <= samples.min() < samples.max() <= high
        seen.append({sample.numpy().tobytes() for sample in samples})
    assert not seen[0] & seen[1]
    if name != "Digits":
        assert (data.size("train"), data.size("heldout")) == (TRAIN, HELDOUT)


@EACH
def test_labels_leave_pixels_as_they_are_and_are_the_right_ones(name, tmp_path):
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
    plain, labelled = MADE[name](tmp_path / "a"), MADE[name](tmp_path / "b", labels=True)
    channels = plain.image_channels
    assert not plain.classes
    assert labelled.bounds == (-1, 1)
    for split in SPLITS:
        pixels, joint = all_of(plain, split), all_of(labelled, split)
        assert torch.equal(joint[:, :channels], pixels)
        planes = joint[:, channels:]
        value = labelled.label_distance / math.sqrt(2 * math.prod(labelled.image_shape[1:]))
        assert torch.equal(planes.amax((2, 3)).sum(1), torch.full((len(planes),), value))
        assert torch.equal(planes.amin((2, 3)), planes.amax((2, 3)))
        classes = planes[:, :, 0, 0].argmax(1)
        assert set(classes.tolist()) == set(range(len(labelled.classes)))
        if name != "Digits":
            # Images of class k are brighter by 15 k of 255 levels; their noise averages to a tenth of that.
            brightness = torch.stack([pixels[classes == k].mean() for k in range(CLASSES)])
            torch.testing.assert_close(brightness.diff(), torch.full((CLASSES - 1,), 15 / 127.5), atol=0.1, rtol=0)


@EACH
def test_equal_pixels_and_other_labels_are_label_distance_apart(name, tmp_path):
    data = MADE[name](tmp_path, labels=True, label_distance=50.0)
    assert data.label_distance == 50
    one = all_of(data, "heldout")
    one[:, : data.image_channels] = 0
    classes = one.flatten(2)[:, data.image_channels :, 0].argmax(1)
    other = one[int((classes != classes[0]).nonzero()[0])]
    # One float32 rounding of the value of a plane.
    assert float((one[0].double() - other.double()).norm()) == pytest.approx(50, rel=2**-23)
    assert data.bounds == (-1, max(1, 50 / math.sqrt(2 * math.prod(data.image_shape[1:]))))


@EACH
@pytest.mark.parametrize("labels", [False, True])
def test_batches_taken_at_once_are_those_taken_one_by_one(name, labels, tmp_path):
    data = MADE[name](tmp_path, labels=labels, batch_size=9)
    dataset, indices = data.split("train"), [5, 0, 70, 5]
    assert torch.equal(take(dataset, indices), torch.stack([dataset[index] for index in indices]))
    loader = data.train_dataloader()
    order = torch.randperm(data.size("train"), generator=keyed_generator(0, "order", 0))
    batch = next(iter(loader))
    assert batch.is_contiguous()
    assert torch.equal(batch, torch.stack([dataset[index] for index in order[:9].tolist()]))
    assert torch.equal(torch.cat(list(data.val_dataloader())), all_of(data, "heldout"))


@EACH
def test_draws_and_splits_depend_on_their_own_seeds_only(name, tmp_path):
    build = MADE[name]
    first = build(tmp_path, seed=1)
    drawn = [first.draw("heldout", 20, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    (tmp_path / "again").mkdir()
    second = build(tmp_path / "again", seed=2, batch_size=10)
    assert torch.equal(all_of(first, "heldout"), all_of(second, "heldout"))
    assert torch.equal(all_of(first, "train"), all_of(second, "train"))
    assert not torch.equal(next(iter(first.train_dataloader()))[:10], next(iter(second.train_dataloader())))


@pytest.mark.parametrize("name", ["MNIST", "ImageFolder"])
def test_workers_read_the_same(name, tmp_path):
    data = MADE[name](tmp_path, labels=True, batch_size=20)
    alone = list(data.train_dataloader())
    data.num_workers = 2
    for batch, expected in zip(data.train_dataloader(), alone, strict=True):
        assert torch.equal(batch, expected)
    # What the workers opened or closed does not concern this process.
    data.num_workers = 0
    assert torch.equal(next(iter(data.train_dataloader())), alone[0])


@pytest.mark.parametrize("name", [name for name in MADE if name != "Digits"])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_channels_can_be_had(name, channels, tmp_path):
    data = MADE[name](tmp_path, image_size=12, channels=channels, labels=True)
    assert data.image_shape == (channels, 12, 12)
    assert data.draw("heldout", 30, torch.Generator()).shape == (30, *data.sample_shape)
    for arguments, message in (
        ({"image_size": 0}, "image_size must lie between 1 and 1024; got image_size=0"),
        ({"image_size": 1025}, "got image_size=1025"),
        ({"channels": 4}, r"channels must be 1 \(grey\), 3 \(RGB\) or None; got channels=4"),
    ):
        with pytest.raises(ValueError, match=message):
            type(data)(str(tmp_path), **arguments)


@EACH
def test_bad_labels_and_batches_are_named(name, tmp_path):
    data = MADE[name](tmp_path, batch_size=1201)
    with pytest.raises(ValueError, match="training samples; got batch_size=1201"):
        data.train_dataloader()
    arguments = {} if name == "Digits" else {"data_dir": str(tmp_path)}
    for bad, message in (
        ({"label_distance": 3.0}, "label_distance requires labels=True; got label_distance=3.0, labels=False"),
        ({"labels": True, "label_distance": 0.0}, "label_distance must be positive and finite; got label_distance=0.0"),
        ({"labels": True, "label_distance": math.inf}, "got label_distance=inf"),
        ({"batch_size": 0}, "batch_size must be at least 1; got batch_size=0"),
    ):
        with pytest.raises(ValueError, match=message):
            type(data)(**arguments, **bad)


@EACH
def test_a_config_builds_it(name, tmp_path):
    made = MADE[name](tmp_path, labels=True)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SampleDataModule, "data")
    arguments = {"labels": True, "label_distance": 2.5, "batch_size": 7, "seed": 3}
    if name != "Digits":
        arguments |= {"data_dir": str(tmp_path), "image_size": 16, "channels": 1}
    config = parser.parse_object(
        {"data": {"class_path": f"wgan_lip.data.{type(made).__name__}", "init_args": arguments}}
    )
    data = parser.instantiate_classes(config).data
    assert type(data) is type(made)
    assert (data.labels, data.label_distance, data.batch_size, data.seed) == (True, 2.5, 7, 3)


@pytest.mark.parametrize("name", [name for name in MADE if name != "ImageFolder with splits"])
def test_every_argument_is_explained(name, tmp_path):
    """Also those that a class inherits with their description."""
    kind = type(MADE[name](tmp_path))
    parser = ArgumentParser()
    parser.add_class_arguments(kind, "data")
    explained = {action.dest.removeprefix("data."): action.help for action in parser._actions}
    arguments = inspect.signature(kind).parameters
    assert {"labels", "label_distance", "batch_size"} <= set(arguments)
    for argument in arguments:
        assert explained[argument], argument
