"""``wgan-lip sample``: the samples of a checkpoint, from it alone, and every kind of bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.commands import failure, fit, run
from wgan_lip.cli.sample import load_gan
from wgan_lip.transport import wasserstein1


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Of a small run with an averaged generator, away from its folder."""
    folder = tmp_path_factory.mktemp("sampled")
    with pytest.MonkeyPatch.context() as patch:
        made = fit(
            patch,
            folder,
            "--wandb.mode=disabled",
            "--model.init_args.generator_average=wgan_lip.training.ExponentialAverage",
            "--model.init_args.generator_average.init_args.decay=0.5",
        )
    return Path(shutil.copy(made / "checkpoints" / "last.ckpt", folder / "alone.ckpt"))


def draw(monkeypatch, checkpoint: Path, out: Path, *arguments: object) -> np.ndarray:
    run(monkeypatch, "sample", checkpoint, "-o", out, *arguments)
    loaded = np.load(out, allow_pickle=False)
    return loaded if out.suffix == ".npy" else loaded["samples"]


def test_samples_are_those_of_the_averaged_generator(monkeypatch, tmp_path, checkpoint, capsys):
    samples = draw(monkeypatch, checkpoint, tmp_path / "s.npz", "-n", 1500)
    assert samples.shape == (1500, 1, 8, 8)
    assert samples.dtype == np.float32
    assert (
        "1500 samples of shape (1, 8, 8) in float32, of the averaged generator after step 20" in capsys.readouterr().out
    )
    gan = load_gan(checkpoint)
    expected = gan.sample(gan.noise(1024, "sample", 0, 0), averaged=True)
    torch.testing.assert_close(torch.from_numpy(samples[:1024]), expected)
    # A second run gives the same, another seed other ones; --raw those of the generator itself.
    assert np.array_equal(samples, draw(monkeypatch, checkpoint, tmp_path / "again.npz", "-n", 1500))
    assert not np.array_equal(samples, draw(monkeypatch, checkpoint, tmp_path / "other.npz", "-n", 1500, "--seed", 1))
    raw = draw(monkeypatch, checkpoint, tmp_path / "raw.npy", "-n", 64, "--raw")
    torch.testing.assert_close(torch.from_numpy(raw), gan.sample(gan.noise(64, "sample", 0, 0)))
    assert not np.array_equal(raw, samples[:64])
    assert not list(tmp_path.glob("*.tmp"))


def test_the_weights_are_those_of_the_run(checkpoint):
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    gan = load_gan(checkpoint)
    assert all(torch.equal(value, state[name]) for name, value in gan.state_dict().items())
    assert (gan.generator_step, gan.critic_step, gan.training) == (20, 60, False)


def test_w1_reads_what_sample_writes(monkeypatch, tmp_path, checkpoint, capsys):
    a, b = (draw(monkeypatch, checkpoint, tmp_path / f"{s}.npz", "-n", 50, "--seed", s) for s in (1, 2))
    capsys.readouterr()
    run(monkeypatch, "w1", tmp_path / "1.npz", tmp_path / "2.npz", "--json")
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(wasserstein1(a, b).value, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", 0], "argument -n/--n: must be a whole number from 1; got '0'"),
        (["--seed", -1], "argument --seed: must be a whole number from 0; got '-1'"),
        (["-o", "s.txt"], "argument -o/--output: must end in .npz or .npy; got s.txt"),
        (["-o", "/nowhere/s.npz"], "argument -o/--output: there is no folder /nowhere"),
        (["-n", "many"], "got 'many'"),
        (["--what"], "unrecognized arguments: --what"),
    ],
)
def test_bad_arguments_are_named(monkeypatch, capsys, checkpoint, arguments, message):
    assert message in failure(capsys, monkeypatch, "sample", checkpoint, *arguments)


def test_bad_checkpoints_are_named(monkeypatch, capsys, checkpoint, tmp_path):
    def changed(name: str, change) -> Path:
        content = torch.load(checkpoint, weights_only=True)
        change(content)
        torch.save(content, tmp_path / name)
        return tmp_path / name

    (tmp_path / "cut.ckpt").write_bytes(checkpoint.read_bytes()[:1000])
    foreign = changed(
        "foreign.ckpt",
        lambda c: c["wgan_lip"].update(config=c["wgan_lip"]["config"].replace("torch.optim.Adam", "os.system")),
    )
    cases = {
        tmp_path / "none.ckpt": f"CKPT {tmp_path / 'none.ckpt'}: there is no such file",
        tmp_path
        / "s.npy": f"CKPT must be a checkpoint of wgan-lip fit, or the folder of a run; got {tmp_path / 's.npy'}",
        tmp_path / "cut.ckpt": "is truncated, damaged, or not a checkpoint of wgan-lip",
        changed("bare.ckpt", lambda c: c["wgan_lip"].pop("config")): "contains no config with a model",
        changed("fewer.ckpt", lambda c: c["state_dict"].popitem()): "is of another network: its averaged",
        foreign: "names os.system, which is not of wgan_lip or torch: --trust builds it",
    }
    for path, message in cases.items():
        assert message in failure(capsys, monkeypatch, "sample", path, "-o", tmp_path / "s.npz")
    assert not (tmp_path / "s.npz").exists()


def test_brackets_in_a_path_are_no_markup(monkeypatch, tmp_path, checkpoint, capsys):
    draw(monkeypatch, checkpoint, tmp_path / "[bold]a.npz", "-n", 2)
    assert f"{tmp_path}/[bold]a.npz: 2 samples" in capsys.readouterr().out
