"""Sample sets from files: what every kind holds, and one line for all that is wrong with it."""

import os
import pickle
import random
import re

import numpy as np
import pytest
import torch
from PIL import Image

from tests.files.folders import digit_pixels, write_images
from wgan_lip.files import decode_image, load_samples, split_key, to_square

POINTS = np.random.default_rng(0).normal(size=(7, 3))
DIGITS = digit_pixels(0, 12)
SCALED = DIGITS.astype(np.float64) / 127.5 - 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
def test_npy_and_npz_are_what_was_saved(dtype, tmp_path):
    points = POINTS.astype(dtype)
    np.save(tmp_path / "a.npy", points)
    np.savez(tmp_path / "one.npz", x=points)
    np.savez_compressed(tmp_path / "two.NPZ.npz", x=points, y=POINTS + 1)
    for loaded in (
        load_samples(tmp_path / "a.npy"),
        load_samples(tmp_path / "one.npz"),
        load_samples(str(tmp_path / "two.NPZ.npz"), "x"),
    ):
        np.testing.assert_array_equal(loaded.values, points)
        assert loaded.values.dtype == points.dtype
        assert not loaded.scaled


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_what_was_saved(dtype, tmp_path):
    points = torch.from_numpy(POINTS).to(dtype).requires_grad_()
    torch.save(points, tmp_path / "a.pt")
    torch.save({"step": 3, "x": points}, tmp_path / "one.pth")
    torch.save({"x": points, "y": points + 1}, tmp_path / "two.pt")
    for path, key in (("a.pt", None), ("one.pth", None), ("two.pt", "x")):
        np.testing.assert_array_equal(load_samples(tmp_path / path, key).values, points.detach().double().numpy())


def test_uint8_is_scaled_like_images(tmp_path):
    np.save(tmp_path / "a.npy", DIGITS)
    torch.save(torch.from_numpy(DIGITS), tmp_path / "a.pt")
    for name in ("a.npy", "a.pt"):
        loaded = load_samples(tmp_path / name)
        assert loaded.scaled
        assert loaded.values.shape == (12, 8, 8)
        np.testing.assert_allclose(loaded.values, SCALED, atol=1e-7)
    np.save(tmp_path / "ends.npy", np.array([[0, 255]], dtype=np.uint8))
    assert load_samples(tmp_path / "ends.npy").values.tolist() == [[-1, 1]]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_a_folder_of_grey_images(suffix, tmp_path):
    folder = write_images(tmp_path / "digits", DIGITS, suffix)
    (folder / "notes.txt").write_text("not an image")
    (folder / "._0001.png").write_text("nor this")
    (folder / ".thumbnails").mkdir()
    Image.new("L", (2, 2)).save(folder / ".thumbnails" / "0.png")
    loaded = load_samples(folder)
    assert (loaded.values.shape, loaded.values.dtype, loaded.scaled) == ((12, 1, 8, 8), np.float32, True)
    assert loaded.left_out == "3 files left out: 1 ._*, 1 .txt, 1 in .thumbnails/"
    np.testing.assert_allclose(loaded.values[:, 0], SCALED, atol=1e-7)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(20)
def test_a_named_pipe_is_not_waited_for(tmp_path):
    for name in ("x.npy", "x.npz", "x.pt", "x"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name} must be a regular file or a folder; it is a named pipe$"):
            load_samples(tmp_path / name)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_a_folder_of_colour_images_has_its_channels_first(suffix, tmp_path):
    plain = np.broadcast_to(np.array([250, 130, 10], dtype=np.uint8), (3, 16, 8, 3))
    values = load_samples(write_images(tmp_path / "plain", plain, suffix)).values
    assert values.shape == (3, 3, 16, 8)
    np.testing.assert_allclose(values.mean(axis=(0, 2, 3)), plain[0, 0, 0] / 127.5 - 1, atol=0.03)


def test_a_key_follows_the_last_colon_of_what_is_no_path(tmp_path):
    for name in ("a.npz", "b:c.npz"):
        (tmp_path / name).write_bytes(b"")
    assert split_key(f"{tmp_path}/a.npz") == (tmp_path / "a.npz", None)
    assert split_key(f"{tmp_path}/a.npz:x") == (tmp_path / "a.npz", "x")
    assert split_key(f"{tmp_path}/b:c.npz") == (tmp_path / "b:c.npz", None)
    assert split_key(f"{tmp_path}/b:c.npz:x") == (tmp_path / "b:c.npz", "x")
    assert split_key(f"{tmp_path}/none.npz:x") == (tmp_path / "none.npz:x", None)


class Malicious:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def write_bad_files(folder):
    """One bad file for each test case, by its name."""
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "object.npz", x=np.array([Malicious(folder / "ran")], dtype=object), allow_pickle=True)
    torch.save({"x": Malicious(folder / "ran")}, folder / "code.pt")
    (folder / "pickle.npy").write_bytes(pickle.dumps(Malicious(folder / "ran")))
    for name, values in {
        "scalar": np.float64(3),
        "empty": np.ones((0, 3)),
        "flat": np.ones((3, 0)),
        "nan": np.array([[0.0], [np.nan], [np.inf]]),
        "int": np.arange(3),
        "bool": np.ones(3, dtype=bool),
        "complex": np.ones(3, dtype=complex),
        "long": np.ones(3, dtype=np.longdouble),
        "text": np.array(["a", "b"]),
        "pixels": np.arange(3, dtype=np.uint8),
    }.items():
        np.save(folder / f"{name}.npy", values)
    np.savez(folder / "two.npz", x=POINTS, y=POINTS)
    np.savez(folder / "none.npz")
    torch.save({"x": torch.ones(3), "y": torch.ones(3)}, folder / "two.pt")
    torch.save({"step": 3}, folder / "none.pt")
    torch.save([torch.ones(3)], folder / "list.pt")
    torch.save(torch.ones(3, 3).to_sparse(), folder / "sparse.pt")
    torch.save(torch.ones(3, 3, dtype=torch.int64), folder / "int.pt")
    (folder / "table.csv").write_text("1,2")
    (folder / "nothing").mkdir()
    for name, image in {
        "size": Image.new("L", (9, 8)),
        "mode": Image.new("RGB", (8, 8)),
        "alpha": Image.new("RGBA", (8, 8)),
        "deep": Image.new("I;16", (8, 8)),
    }.items():
        write_images(folder / name, DIGITS[:2])
        image.save(folder / name / "odd.png")
    write_images(folder / "broken", DIGITS[:2])
    (folder / "broken" / "b" / "0001.png").write_bytes((folder / "broken" / "a" / "0000.png").read_bytes()[:60])
    write_images(folder / "fake", DIGITS[:2])
    (folder / "fake" / "page.png").write_text("<html>")


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("missing.npy", None, "missing.npy: there is no such file or folder"),
        ("table.csv", None, "table.csv: samples are read from .npy, .npz, .pt, .pth, or from a folder of images"),
        ("object.npy", None, "object.npy holds Python objects, which are not loaded"),
        ("object.npz", "x", "object.npz holds Python objects"),
        ("pickle.npy", None, "pickle.npy is not a .npy file, and pickles are not loaded"),
        (
            "code.pt",
            None,
            "code.pt is truncated, damaged, or not a file of tensors: save a tensor or a dictionary",
        ),
        ("scalar.npy", None, "scalar.npy must hold at least one point; got shape ()"),
        ("empty.npy", None, "got shape (0, 3)"),
        ("flat.npy", None, "got shape (3, 0)"),
        ("nan.npy", None, "nan.npy holds NaN or infinity in 2 of 3 points; the first is point 1"),
        ("int.npy", None, "or uint8 for images; got int64: convert it, for instance with .astype(numpy.float64)"),
        ("int.pt", None, "got int64"),
        ("bool.npy", None, "got bool"),
        ("complex.npy", None, "got complex128"),
        ("long.npy", None, "at most 64 bits, or uint8 for images; got float128"),
        ("text.npy", None, "got <U1"),
        ("pixels.npy", None, "holds uint8, which is read as images of shape (n, ...); got shape (3,)"),
        ("nan.npy", "x", "nan.npy holds one array without a name; got the key 'x'"),
        ("two.npz", None, "two.npz holds several arrays: x, y; choose one, as in "),
        ("two.npz", "z", "two.npz has no array 'z'; it has x, y"),
        ("none.npz", None, "none.npz holds no array"),
        ("two.pt", None, "two.pt holds several arrays: x, y; choose one, as in"),
        ("two.pt", "z", "two.pt has no array 'z'; it has x, y"),
        ("none.pt", None, "none.pt holds no array"),
        ("list.pt", None, "list.pt must hold a tensor or a dictionary of tensors; got list"),
        ("sparse.pt", None, "it holds a sparse tensor: only dense tensors and plain values are loaded"),
        ("nothing", None, "nothing holds no images (.png, .jpg, .jpeg, "),
        ("size", "x", "size is a folder of images, and has no key 'x'"),
        ("size", None, "size/odd.png, 9x8 L, and "),
        ("mode", None, "mode/odd.png, 8x8 RGB, and "),
        (
            "alpha",
            None,
            "odd.png must be one grey or RGB image (mode L or RGB); got mode RGBA: convert it, or set channels ",
        ),
        ("deep", None, "got mode I;16"),
        ("broken", None, "b/0001.png is damaged, or not an image"),
        ("fake", None, "page.png is damaged, or not an image"),
    ],
)
def test_what_is_wrong_is_named(name, key, message, tmp_path):
    write_bad_files(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)) as error:
        load_samples(tmp_path / name, key)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["a.npy", "b.npz", "c.npz", "d.pt", "e.pth", "i/i.png", "j/j.jpg", "w/w.webp", "m/m.bmp"]
)
def test_damage_is_an_error_or_another_sample_and_never_a_traceback(name, tmp_path):
    for folder, suffix in (("i", "png"), ("j", "jpg"), ("w", "webp"), ("m", "bmp")):
        (tmp_path / folder).mkdir()
        Image.fromarray(DIGITS[0]).save(tmp_path / folder / f"{folder}.{suffix}")
    np.save(tmp_path / "a.npy", POINTS)
    np.savez(tmp_path / "b.npz", x=POINTS)
    np.savez_compressed(tmp_path / "c.npz", x=POINTS)
    torch.save(torch.from_numpy(POINTS), tmp_path / "d.pt")
    torch.save({"x": torch.from_numpy(POINTS)}, tmp_path / "e.pth")
    path = tmp_path / name
    target = path if path.parent == tmp_path else path.parent
    whole, rng, refused = path.read_bytes(), random.Random(0), 0  # noqa: S311
    damaged = [whole[: rng.randrange(len(whole))] for _ in range(30)]
    for _ in range(60):
        changed = bytearray(whole)
        changed[rng.randrange(min(len(whole), 400))] = rng.randrange(256)
        damaged.append(bytes(changed))
    for content in damaged:
        path.write_bytes(content)
        try:
            load_samples(target)
        except ValueError:
            refused += 1
    assert refused >= 25


def test_images_of_any_size_and_mode_are_made_alike(tmp_path):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    Image.fromarray(colours[:9, :9, 0]).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="set channels to 1 or 3"):
        load_samples(tmp_path)
    values = load_samples(tmp_path, image_size=8, channels=3).values
    assert values.shape == (2, 3, 8, 8)
    for i, name in enumerate(("a.png", "b.png")):
        # As the data modules make them.
        image = torch.from_numpy(decode_image(tmp_path / name, channels=3).copy())[None]
        np.testing.assert_array_equal(values[i], to_square(image, 8)[0].numpy() / np.float32(127.5) - 1)
    assert load_samples(tmp_path, image_size=8, channels=1).values.shape == (2, 1, 8, 8)
