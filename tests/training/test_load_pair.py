"""Pairs from files."""

import numpy as np
import pytest
import torch
from PIL import Image

from wgan_lip.training import load_pair


def test_both_sets_are_shuffled_and_split(tmp_path):
    np.save(tmp_path / "real.npy", np.arange(40.0).reshape(40, 1))
    np.savez(tmp_path / "fake.npz", images=np.arange(40.0, 60.0), labels=np.zeros(20))
    pair = load_pair(f"{tmp_path}/real.npy", f"{tmp_path}/fake.npz:images", heldout=0.5)
    assert pair.shape == (1,)
    assert pair.bounds is None
    x, y = pair.sample(100, torch.Generator(), heldout=True)
    assert (len(x), len(y)) == (20, 10)
    # Not the last ones of a sorted file.
    assert float(x.min()) < 20 < float(x.max())
    assert set(y.flatten().tolist()) < set(range(40, 60))
    trained = set(pair.sample(1000, torch.Generator())[0].flatten().tolist())
    assert trained == set(range(40)) - set(x.flatten().tolist())


def test_images_have_bounds_and_what_is_left_out_is_said(tmp_path, caplog):
    for side in ("real", "fake"):
        (tmp_path / side).mkdir()
        for i in range(4):
            Image.new("L", (3, 3), i).save(tmp_path / side / f"{i}.png")
    (tmp_path / "real" / "notes.txt").touch()
    pair = load_pair(f"{tmp_path}/real", f"{tmp_path}/fake")
    assert pair.shape == (1, 3, 3)
    assert pair.bounds == (-1, 1)
    assert [record.getMessage() for record in caplog.records] == [f"{tmp_path}/real: 1 file left out: 1 .txt"]


def test_what_does_not_fit_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 2)))
    np.save(tmp_path / "b.npy", np.zeros((9, 3)))
    with pytest.raises(ValueError, match=r"a\.npy and .*b\.npy must hold samples of one shape; got \(2,\) and \(3,\)"):
        load_pair(f"{tmp_path}/a.npy", f"{tmp_path}/b.npy")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_pair(f"{tmp_path}/a.npy", f"{tmp_path}/none.npy")


def test_scales_byte_orders_and_channels_last(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "bytes.npy", pixels)
    np.save(tmp_path / "unit.npy", (pixels / 255).astype(">f4"))
    with pytest.warns(UserWarning, match=r"bytes\.npy are on the scale -1\.\.1, those in .*unit\.npy on 0\.\.1"):
        pair = load_pair(f"{tmp_path}/bytes.npy", f"{tmp_path}/unit.npy")
    assert pair.shape == (3, 6, 5)
