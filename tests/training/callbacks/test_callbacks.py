"""What the callbacks refuse, and what they leave on the disk."""

import subprocess
import sys

import pytest
import torch
from matplotlib.image import imread

from tests.training.builders import fit, tiny_gan
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import ExponentialAverage, SampleGrid
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.callbacks.sample_grid import _paths


def test_the_grid_uses_the_same_noise_each_time_and_shows_the_whole_range(tmp_path):
    gan = tiny_gan(generator_steps=3)
    with torch.no_grad():
        for parameter in gan.generator.parameters():
            parameter.zero_()
    # A generator that is not trained shows the same grey (tanh 0) every time.
    fit(tmp_path, gan=gan, callbacks=[SampleGrid(every=1, n=4, interpolations=0, neighbours=0)], logger=False)
    pictures = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in pictures] == ["0000000.png", "0000001.png", "0000002.png", "0000003.png", "real.png"]
    assert imread(pictures[0])[10, 10, 0] == pytest.approx(0.5, abs=0.01)
    real = imread(pictures[-1])
    assert (real.min(), real.max()) == (0, 1)


def test_averaged_images_and_interpolations_are_drawn_too(tmp_path):
    gan = tiny_gan(generator_steps=2, generator_average=ExponentialAverage())
    fit(tmp_path, gan=gan, callbacks=[SampleGrid(every=2, n=4, interpolations=3, neighbours=5)], logger=False)
    names = {f"{kind}000000{step}.png" for kind in ("", "averaged-", "interpolations-") for step in (0, 2)}
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {*names, "real.png", "neighbours-0000002.png"}
    assert imread(tmp_path / "samples" / "neighbours-0000002.png").shape[:2] == (5 * 66 + 2, 8 * 66 + 2)
    # Eight images of 64 pixels in each of three rows, and margins of 2.
    assert imread(tmp_path / "samples" / "interpolations-0000002.png").shape[:2] == (3 * 66 + 2, 8 * 66 + 2)


def test_interpolations_lead_from_one_noise_to_another_and_keep_the_label():
    gan = tiny_gan()
    gan.classes = 2
    path = _paths(gan, 5, seed=3).unflatten(0, (5, 8))
    start, end = gan.noise(5, "from", 3), gan.noise(5, "to", 3)
    torch.testing.assert_close(path[:, 0], start)
    torch.testing.assert_close(path[:, -1, :8], end[:, :8])
    assert torch.equal(path[:, :, 8:], start[:, None, 8:].expand(-1, 8, -1))
    # Equal angles between neighbours.
    units = torch.nn.functional.normalize(path[:, :, :8], dim=2)
    cosines = (units[:, 1:] * units[:, :-1]).sum(2)
    torch.testing.assert_close(cosines, cosines[:, :1].expand(-1, 7), rtol=1e-4, atol=1e-5)


def test_looks_are_counted_from_the_steps(tmp_path):
    class Noting(EverySteps):
        def __init__(self) -> None:
            super().__init__(2)
            self.looks: list[tuple[int, int]] = []

        def act(self, trainer, module) -> None:
            self.looks.append((module.step, self.look(module)))

    noting = Noting()
    fit(tmp_path, gan=tiny_gan(generator_steps=5), callbacks=[noting], logger=False)
    # At the end too, which is not at a multiple of 2.
    assert noting.looks == [(0, 1), (2, 2), (4, 3), (5, 4)]


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="every=0, n=64, among=10000, interpolations=8, neighbours=8"):
        SampleGrid(every=0)
    with pytest.raises(ValueError, match="every must be at least 1; got every=0"):
        SaveCheckpoint(every=0)


def test_a_failing_save_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    fit(tmp_path, gan=tiny_gan(generator_steps=5))
    good = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        OSError, match=r"cannot save the checkpoint .*last.ckpt: .*No space left.*; the previous one is kept"
    ):
        fit(tmp_path, gan=tiny_gan(generator_steps=5))
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == good
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


# A file that may not grow beyond so many bytes, as on a disk that is full.
_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.training.builders import fit, tiny_gan

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
fit(folder, gan=tiny_gan(generator_steps=5))
size = (folder / "checkpoints" / "last.ckpt").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
try:
    fit(folder, gan=tiny_gan(generator_steps=10), ckpt_path=folder / "checkpoints" / "last.ckpt")
except OSError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True)
    assert "cannot save the checkpoint" in done.stdout, done.stderr
    assert "the previous one is kept" in done.stdout
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    resumed = fit(tmp_path, gan=tiny_gan(generator_steps=7), ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert resumed.generator_step == 7
