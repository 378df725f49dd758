"""What the callbacks refuse, and what they leave on the disk."""

import pytest
import torch
from matplotlib.image import imread

from tests.training.builders import fit, tiny_gan
from wgan_lip.training import SampleGrid, SaveCheckpoint


def test_the_grid_uses_the_same_noise_each_time_and_shows_the_whole_range(tmp_path):
    gan = tiny_gan(generator_steps=3)
    with torch.no_grad():
        for parameter in gan.generator.parameters():
            parameter.zero_()
    # A generator that is not trained shows the same grey (tanh 0) every time.
    fit(tmp_path, gan=gan, callbacks=[SampleGrid(every=1, n=4)], logger=False)
    pictures = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in pictures] == ["0000000.png", "0000001.png", "0000002.png", "0000003.png", "real.png"]
    assert imread(pictures[0])[10, 10, 0] == pytest.approx(0.5, abs=0.01)
    real = imread(pictures[-1])
    assert (real.min(), real.max()) == (0, 1)


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="every=0, n=64"):
        SampleGrid(every=0)
    with pytest.raises(ValueError, match="every must be at least 1; got every=0"):
        SaveCheckpoint(every=0)


def test_a_failing_save_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    fit(tmp_path, gan=tiny_gan(generator_steps=5))
    good = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        fit(tmp_path, gan=tiny_gan(generator_steps=5))
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == good
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
