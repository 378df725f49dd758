"""Links in folders of runs, and disks that are full: what else there is on the disk stays as it was."""

import resource
import shutil
from pathlib import Path

import pytest

from tests.support.commands import ABSOLUTE, DIGITS, SMALL, SMALL_ESTIMATOR, failure, run

LONGER = "--model.init_args.generator_steps=25"
_GAN = ("-c", DIGITS, *SMALL, "--wandb.mode=disabled")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, "fit", *_GAN, f"--runs_dir={folder}", "--run=a")
    return folder / "digits" / "a"


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """Of the run, in ``tmp_path/digits/a``."""
    return Path(shutil.copytree(trained, tmp_path / "digits" / "a"))


@pytest.fixture
def victim(tmp_path) -> Path:
    path = tmp_path / "authorized_keys"
    path.write_text("keys")
    return path


@pytest.fixture
def small_disk():
    """No file may grow beyond half a megabyte, which a page needs several times."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def linked(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


# What fit writes anew as it goes on; the pictures of steps that are still to come.
@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(["report.html"], ["report", "{run}"], id="report"),
        pytest.param(["s.npz"], ["sample", "{run}", "-o", "{run}/s.npz"], id="sample"),
        pytest.param(["digits-a-w1.png"], ["report", "{run}", "--figures", "{run}"], id="figures"),
        pytest.param(
            ["finished", "config.yaml", "w1.png", "checkpoints/last.ckpt", "samples/0000025.png"],
            ["fit", *_GAN, LONGER, "--ckpt_path", "{run}"],
            id="fit",
        ),
        pytest.param(["d.png"], ["diagnose", "{run}", "-n", 10, "-o", "{run}/d.png"], id="diagnose"),
        pytest.param(["n.pt"], ["export", "{run}", "-o", "{run}/n.pt"], id="export"),
    ],
)
def test_no_command_writes_through_a_link(name, words, copied, victim, monkeypatch, tmp_path):
    for one in name:
        if one == "checkpoints/last.ckpt":
            victim = Path(shutil.copy(copied / one, tmp_path / "other.ckpt"))
        linked(copied / one, victim)
    before = victim.read_bytes()
    run(monkeypatch, *(str(word).format(run=copied) for word in words))
    assert victim.read_bytes() == before
    for one in name:
        assert (copied / one).is_file()
        assert not (copied / one).is_symlink()
    assert not list(copied.rglob(".wgan-lip-*"))


@pytest.mark.slow
def test_an_estimators_run_writes_through_no_link(victim, monkeypatch, tmp_path):
    words = ("fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--runs_dir={tmp_path}", "--wandb.mode=disabled", "--run=a")
    run(monkeypatch, *words)
    folder = tmp_path / "absolute_value" / "a"
    names = ("finished", "config.yaml", "w1.png", "critic/0000030.png")
    for name in names:
        linked(folder / name, victim)
    run(monkeypatch, *words, "--model.init_args.steps=30")
    assert victim.read_text() == "keys"
    assert not any((folder / name).is_symlink() for name in names)


@pytest.mark.parametrize("name", ["checkpoints", "samples", "critic", "wandb", "metrics.csv"])
def test_what_a_run_goes_on_writing_to_may_not_be_a_link(name, copied, monkeypatch, capsys, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    if (copied / name).exists():
        shutil.move(copied / name, elsewhere)
    else:
        elsewhere.mkdir()
    (copied / name).symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    said = failure(capsys, monkeypatch, "fit", *_GAN, LONGER, f"--runs_dir={tmp_path}", "--run=a")
    assert f"{copied / name} is a link, and nothing is written through links" in said
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_runs_folder_may_be_a_link(trained, monkeypatch, tmp_path):
    shutil.copytree(trained, tmp_path / "scratch")
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "a").symlink_to(tmp_path / "scratch")
    run(monkeypatch, "fit", *_GAN, LONGER, f"--runs_dir={tmp_path}", "--run=a")
    assert (tmp_path / "digits" / "a").is_symlink()
    assert (tmp_path / "scratch" / "finished").read_text() == "25\n"
    assert (tmp_path / "scratch" / "samples" / "0000025.png").is_file()


def test_the_folder_of_cells_may_not_be_a_link(monkeypatch, capsys, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "cells").symlink_to(tmp_path)
    said = failure(
        *(capsys, monkeypatch, "compare", "--name=c", "--wandb.mode=disabled", f"--folder={tmp_path / 'c'}"),
        *("--set", "steps=1", "--jobs=1", "--n=64", "--exact_n=20"),
        "--pairs={absolute: wgan_lip.distributions.AbsoluteValue}",
        "--critics={small: {critic: {class_path: wgan_lip.networks.MLPCritic, init_args: {width: 8}}}}",
    )
    assert f"{tmp_path / 'c' / 'cells'} is a link" in said
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("report.html", ["report", "{run}"]),
        ("s.npy", ["sample", "{run}", "-n", 5000, "-o", "{run}/s.npy"]),
        ("n.pt2", ["export", "{run}", "--part=generator", "-o", "{run}/n.pt2"]),
    ],
)
def test_a_full_disk_is_one_line_and_the_old_file_stays(name, words, copied, small_disk, monkeypatch, capsys, tmp_path):
    (copied / name).write_text("old")
    if name == "n.pt2":
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    said = failure(capsys, monkeypatch, *(str(word).format(run=copied) for word in words))
    assert f"cannot write {copied / name}: File too large" in said
    assert (copied / name).read_text() == "old"
    assert not list(copied.rglob(".wgan-lip-*"))
