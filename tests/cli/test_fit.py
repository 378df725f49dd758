"""The command line as a user meets it: a run's folder, its overrides, and every kind of bad input."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from matplotlib.image import imread
from sklearn.datasets import load_digits

from tests.data.made import write_folder, write_idx
from tests.support.commands import CONFIGS, DIGITS, SMALL, TWO_STEPS, failure, fit, run
from tests.support.metrics import rows
from wgan_lip.data import digits


def test_a_run_writes_its_folder_and_prints_its_table(monkeypatch, tmp_path, capsys):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled")
    printed = capsys.readouterr()
    assert "exact/floor" in printed.out
    assert [f"{step}" in printed.out for step in (0, 5, 10, 15, 20)] == 5 * [True]
    for name in ("w1.png", "samples/0000020.png", "metrics.csv", "config.yaml", "checkpoints/last.ckpt"):
        assert (folder / name).is_file()
        assert str(folder / name) in printed.out
    assert "generator step 20/20: W1 exact" in printed.err
    assert sorted(path.name for path in (folder / "samples").iterdir()) == [
        "0000000.png",
        "0000010.png",
        "0000020.png",
        "interpolations-0000000.png",
        "interpolations-0000010.png",
        "interpolations-0000020.png",
        "neighbours-0000020.png",
        "real.png",
    ]
    # 8 x 8 grids of digits enlarged eight times, with two pixels between them.
    assert imread(folder / "samples" / "0000020.png").shape[:2] == (530, 530)
    assert imread(folder / "w1.png").shape[:2] == (1050, 1200)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["generator_steps"] == 20
    assert len([row for row in rows(folder) if row["w1/exact"]]) == 5


def test_the_saved_config_makes_the_same_run_again(monkeypatch, tmp_path):
    first = fit(monkeypatch, tmp_path / "a", "--wandb.mode=disabled", "--seed_everything=3")
    run(monkeypatch, "fit", "-c", first / "config.yaml", f"--runs_dir={tmp_path / 'b'}")
    (second,) = (tmp_path / "b" / "digits").iterdir()
    assert rows(first) == rows(second)
    other = fit(monkeypatch, tmp_path / "c", "--wandb.mode=disabled", "--seed_everything=4")
    assert rows(first) != rows(other)


def test_print_config_is_complete_yaml(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "fit", "-c", DIGITS, "--exact_w1.n=77", "--print_config")
    assert exit_.value.code in (0, None)
    config = yaml.safe_load(capsys.readouterr().out)
    expected = {
        "every": 250,
        "n": 77,
        "seed": 0,
        "norm": None,
        "confidence": 0.95,
        "redraw": False,
        "time_budget": None,
        "n_generated": None,
        "features": None,
        "fit": "end",
    }
    assert config["exact_w1"] == expected
    assert config["model"]["class_path"] == "wgan_lip.training.WassersteinGAN"


@pytest.mark.parametrize("command", ["validate", "test"])
def test_validate_and_test_print_the_figures_of_a_checkpoint(command, monkeypatch, tmp_path, capsys):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled")
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, command, "-c", DIGITS, *SMALL, "--ckpt_path", folder)
    last = [row for row in rows(folder) if row["w1/exact"]][-1]
    assert f"W1 exact {float(last['w1/exact']):.3f}" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]
    assert len(list((tmp_path / "digits").iterdir())) == 1


def with_base(config: Path) -> list[str]:
    """A config of the GAN family changes another one's critic."""
    base = ["-c", str(CONFIGS / "gan" / "fashion_mnist.yaml")] if config.parent.name == "family" else []
    return [*base, "-c", str(config)]


# Sweeps are no configs; test_sweeps.py has theirs.
SHIPPED = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "sweeps")


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_config_runs_two_steps_and_is_short(config, monkeypatch, tmp_path):
    assert len(config.read_text().splitlines()) <= 40
    # Of the config for files of one's own.
    monkeypatch.chdir(tmp_path)
    for name in ("real.npy", "fake.npy"):
        np.save(name, np.random.default_rng(0).normal(size=(100, 2)))
    command, *small = TWO_STEPS[config.parent.name]
    if "mnist" in config.stem or config.parent.name == "family":
        # Anywhere, of any size: made files in the published format.
        write_idx(tmp_path / "idx", pack=False)
        where = "data.init_args.data.init_args" if config.stem.endswith("few") else "data.init_args"
        small += [f"--{where}.data_dir={tmp_path / 'idx'}", "--data.init_args.batch_size=16"]
    if config.stem.endswith("few"):
        small += ["--data.init_args.per_class=4"]
    if config.stem == "image_folder":
        write_folder(tmp_path / "images", 300, 0)
        small += ["--data.init_args.batch_size=16"]
    run(monkeypatch, command, *with_base(config), *small, "--wandb.mode=disabled")
    assert list(tmp_path.glob("runs/*/*/*.png"))


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    """Until metrics.csv of the one run in ``folder`` has reached a generator step."""
    for _ in range(2000):
        written = [path.read_text() for path in folder.glob("digits/*/metrics.csv")]
        if written and int((written[0].splitlines()[1:] or ["0"])[-1].split(",")[0] or 0) >= step:
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    pytest.fail(f"the run did not reach step {step}")


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(monkeypatch, tmp_path):
    # Long enough that the kill, which comes when it comes, finds it running.
    long = ["--model.init_args.generator_steps=600", "--exact_w1.every=20", "--checkpoint.every=30"]
    long += ["--wandb.mode=offline"]
    straight = fit(monkeypatch, tmp_path / "straight", *long)
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "wgan_lip", "fit", "-c", str(DIGITS), *SMALL, *long, f"--runs_dir={killed}"]
    # W&B's service of this process must not serve that one, which would outlive its kill there.
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,
    ):
        wait_for_step(killed, 100, process)
        process.send_signal(signal.SIGKILL)
    (folder,) = (killed / "digits").iterdir()
    assert 0 < len(rows(folder)) < len(rows(straight))
    assert fit(monkeypatch, killed, *long, "--ckpt_path=last") == folder
    assert rows(folder) == rows(straight)
    ours, theirs = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (folder, straight))
    assert all(torch.equal(value, theirs["state_dict"][name]) for name, value in ours["state_dict"].items())
    # Both parts of the run have one id, under which W&B will join them.
    assert {path.name.split("-", 3)[3] for path in (folder / "wandb").glob("offline-run-*")} == {
        f"digits-{folder.name}"
    }


def test_terminated_exits_with_the_status_of_a_signal(tmp_path):
    command = [sys.executable, "-m", "wgan_lip", "fit", "-c", str(DIGITS), *SMALL, f"--runs_dir={tmp_path}"]
    command += ["--model.init_args.generator_steps=100000", "--wandb.mode=disabled"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        wait_for_step(tmp_path, 20, process)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    # What there is was reported all the same.
    assert len(list(tmp_path.glob("digits/*/w1.png"))) == 1


POINTS = [
    *("fit", "-c", DIGITS, *SMALL, "--wandb.mode=disabled", "--data=tests.support.points.Points"),
    *("--model.init_args.critic.init_args.input_shape=[2]", "--model.init_args.generator.init_args.output_shape=[2]"),
]


@pytest.mark.filterwarnings("ignore:SampleGrid draws nothing")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_data_of_one_s_own_that_are_no_images(dtype, monkeypatch, tmp_path):
    run(monkeypatch, *POINTS, f"--data.init_args.dtype={dtype}", f"--runs_dir={tmp_path}")
    (folder,) = (tmp_path / "digits").iterdir()
    assert len([row for row in rows(folder) if row["w1/exact"]]) == 5
    assert not (folder / "samples").exists()


@pytest.mark.filterwarnings("ignore:SampleGrid draws nothing")
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("nan", "Points's heldout split holds NaN or infinity"),
        ("split", 'Points.load must return "train" and "heldout"; got [\'heldout\']'),
    ],
)
def test_broken_data_of_one_s_own_is_one_line(broken, message, monkeypatch, tmp_path, capsys):
    arguments = (*POINTS, f"--data.init_args.broken={broken}", "--exact_w1.n=300", f"--runs_dir={tmp_path}")
    assert message in failure(capsys, monkeypatch, *arguments)


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_other_precisions_train_and_stay_certified(precision, monkeypatch, tmp_path):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled", f"--trainer.precision={precision}")
    for row in rows(folder):
        if row["w1/exact"]:
            assert float(row["w1/gap"]) >= 0
            # bfloat16 keeps eight bits, and the certificate says what that costs.
            assert float(row["lipschitz/certified"]) <= (1.1 if precision == "bf16-true" else 1 + 1e-5)


def contents(folder: Path) -> dict[Path, bytes]:
    """Of all files, once W&B's service writes to them no more, which it does for a moment after the run's end."""
    found: dict[Path, bytes] = {}
    for _ in range(60):
        before, found = found, {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        if found == before:
            return found
        time.sleep(0.5)
    pytest.fail(f"{folder} is still written to")


def test_a_named_run_goes_on_and_then_is_finished(monkeypatch, tmp_path, capsys):
    named = ("--wandb.mode=offline", "--run=a")
    folder = fit(monkeypatch, tmp_path, *named)
    assert folder == tmp_path / "digits" / "a"
    before = contents(folder)
    capsys.readouterr()
    fit(monkeypatch, tmp_path, *named)
    assert "a is finished: nothing is left to do." in capsys.readouterr().out
    assert contents(folder) == before
    # A longer training is not; and it is said that it is another one.
    fit(monkeypatch, tmp_path, *named, "--model.init_args.generator_steps=25")
    printed = " ".join(capsys.readouterr().out.split())
    assert "generator step 20" in printed
    assert "Changed since then: model.init_args.generator_steps" in printed
    assert [int(row["generator_step"]) for row in rows(folder) if row["w1/exact"]] == [0, 5, 10, 15, 20, 25]
    run(monkeypatch, "validate", "-c", DIGITS, *SMALL, f"--runs_dir={tmp_path}", "--run=a")
    assert f"W1 exact {float(rows(folder)[-1]['w1/exact']):.3f}" in capsys.readouterr().out
    # One id in Weights & Biases, whatever was run again.
    assert {path.name.split("-", 3)[3] for path in (folder / "wandb").glob("offline-run-*")} == {"digits-a"}


def test_a_named_run_that_was_killed_before_its_first_save_begins_anew(monkeypatch, tmp_path):
    folder = tmp_path / "digits" / "a"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("generator_step,stale\n0,1\n")
    (folder / "config.yaml").write_text("stale: 1\n")
    expected = fit(monkeypatch, tmp_path / "other", "--wandb.mode=disabled")
    assert fit(monkeypatch, tmp_path, "--wandb.mode=disabled", "--run=a") == folder
    assert rows(folder) == rows(expected)
    assert "stale" not in (folder / "config.yaml").read_text()


def test_a_failed_start_leaves_an_existing_folder(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "digits" / "a"
    folder.mkdir(parents=True)
    arguments = ("fit", "-c", DIGITS, f"--runs_dir={tmp_path}", "--wandb.mode=disabled", "--run=a")
    failure(capsys, monkeypatch, *arguments, "--exact_w1.n=598")
    assert folder.is_dir()


def test_one_job_has_one_run_unless_it_names_them(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    for name, value in {"PROCID": "0", "LOCALID": "0", "NODEID": "0", "STEP_ID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled")
    assert folder == tmp_path / "digits" / "slurm-77"
    other = ("fit", "-c", DIGITS, *SMALL, f"--runs_dir={tmp_path}", "--wandb.mode=disabled", "--seed_everything=1")
    line = failure(capsys, monkeypatch, *other)
    assert "is of a run with another config (seed_everything)" in line
    assert "by --run NAME" in line
    monkeypatch.setenv("SLURM_STEP_ID", "1")
    run(monkeypatch, *other)
    assert (tmp_path / "digits" / "slurm-77-1" / "w1.png").is_file()


def test_a_failed_resume_changes_nothing(monkeypatch, tmp_path, capsys):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    arguments = ("fit", "-c", DIGITS, "--wandb.mode=disabled", f"--runs_dir={tmp_path}", "--ckpt_path=last")
    assert "the checkpoint is of another network" in failure(capsys, monkeypatch, *arguments)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("wrong", ["--exact_w1.n=598", "--trainer.accelerator=gpu", "--model.init_args.n_critic=0"])
def test_a_failed_start_leaves_no_folder(wrong, monkeypatch, tmp_path, capsys):
    failure(capsys, monkeypatch, "fit", "-c", DIGITS, f"--runs_dir={tmp_path}", wrong)
    assert list(tmp_path.glob("digits/*")) == []


def test_fast_dev_run_passes(monkeypatch, tmp_path):
    run(monkeypatch, "fit", "-c", DIGITS, *SMALL, f"--runs_dir={tmp_path}", "--trainer.fast_dev_run=true")


def test_wandb_without_a_key_or_with_a_bad_mode_is_one_line(monkeypatch, tmp_path, capsys):
    arguments = ("fit", "-c", DIGITS, f"--runs_dir={tmp_path}")
    assert "Weights & Biases: " in failure(capsys, monkeypatch, *arguments, "--wandb.mode=online")
    monkeypatch.setenv("WANDB_MODE", "foo")
    assert "WANDB_MODE: W&B's mode must be online, offline or disabled; got 'foo'" in failure(
        capsys, monkeypatch, *arguments
    )


@pytest.mark.filterwarnings("ignore:Weights & Biases")
def test_wandb_that_rejects_the_key_leaves_an_offline_run(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_API_KEY", "too short")
    folder = fit(monkeypatch, tmp_path)
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    assert len([row for row in rows(folder) if row["w1/exact"]]) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trainer.acelerator=cpu"], "--trainer.acelerator"),
        (
            ["--model.init_args.n_critics=3"],
            "WassersteinGAN has no key 'n_critics'; its keys are critic, generator, n_critic, ",
        ),
        (["--model.init_args.n_critic=five"], "n_critic must be int; got five"),
        (["--model.init_args.n_critic=0"], "n_critic must be at least 1; got n_critic=0"),
        (
            ["--model.init_args.critic.init_args.activation.init_args.group_size=7"],
            "GroupSort needs channels divisible by group_size; got channels=128, group_size=7",
        ),
        (
            ["--data=mine.Missing"],
            "error: data: Problem with given class_path 'mine.Missing': No module",
        ),
        (["--exact_w1.n=598"], "exact_w1.n must be at most 597, the samples of Digits's heldout split; got 598"),
        (["--data.init_args.batch_size=2000"], "batch_size must be between 1 and the 1200 training samples"),
        (
            ["--model.init_args.critic.init_args.input_shape=[3, 8, 8]"],
            "the critic does not take inputs of shape (1, 1, 8, 8)",
        ),
        (["--trainer.accelerator=gpu"], "trainer: No supported gpu backend found"),
        (["--model.class_path=nowhere.Model"], "Problem with given class_path 'nowhere.Model'"),
        (["--runs_dir={tmp}/file"], "cannot make the run folder {tmp}/file/digits"),
        (["--runs_dir=/proc/1"], "cannot make the run folder /proc/1/digits"),
        (["--name=../up"], "name must consist of letters, digits"),
        (["--ckpt_path={tmp}/none.ckpt"], "{tmp}/none.ckpt: there is no such file"),
        (["--ckpt_path=last"], "there is no run under"),
        (
            ["--run=a", "--ckpt_path=last"],
            "--run a resumes from the run's own checkpoint, so --ckpt_path last cannot",
        ),
        (["--run=../a"], "run must consist of letters, digits"),
        (["--ckpt_path={tmp}/foreign.ckpt"], "foreign.ckpt is not a checkpoint of wgan-lip"),
        (["--ckpt_path={tmp}/file"], "file is truncated, damaged, or not a checkpoint"),
        (["--ckpt_path={tmp}/code.ckpt"], "code.ckpt is truncated, damaged, or not a checkpoint"),
        (
            ["-c", "{tmp}/unknown.yaml"],
            "a config has no key 'modle'; its keys are seed_everything, trainer, model, data, ",
        ),
        (
            ["-c", "{tmp}/missing.yaml"],
            "-c {tmp}/missing.yaml must name a config in YAML; there is no file {tmp}/missing.yaml",
        ),
        (["-c", "{tmp}/runs"], "-c {tmp}/runs must name a config in YAML; {tmp}/runs is a folder"),
        (
            ["-c", "{tmp}/open.yaml"],
            "{tmp}/open.yaml must be a config in YAML, line 3: expected ',' or ']'",
        ),
        (["-c", "{tmp}/file"], "{tmp}/file must be a config in YAML, a mapping of keys; got 'not a folder, nor a"),
        (["--exact_w1.norm=l3"], "error: exact_w1.norm must be one of l2, l1, linf; got l3"),
        (["--trainer.precision=17"], "error: trainer.precision must be one of 64, 32, 16, transformer-engine, "),
    ],
)
def test_bad_input_is_one_line(arguments, message, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder, nor a checkpoint")
    (tmp_path / "runs").mkdir()
    (tmp_path / "open.yaml").write_text("name: a\nmodel: [1, 2\n")
    (tmp_path / "unknown.yaml").write_text("modle: 3")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    torch.save({"wgan_lip": {}, "code": test_bad_input_is_one_line}, tmp_path / "code.ckpt")
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    line = failure(
        capsys, monkeypatch, "fit", "-c", DIGITS, "--wandb.mode=disabled", f"--runs_dir={tmp_path / 'runs'}", *arguments
    )
    assert message.replace("{tmp}", str(tmp_path)) in line
    assert len(line) < 400


def test_a_truncated_checkpoint_is_one_line(monkeypatch, tmp_path, capsys):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled")
    checkpoint = folder / "checkpoints" / "last.ckpt"
    whole = checkpoint.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        checkpoint.write_bytes(whole[:size])
        line = failure(capsys, monkeypatch, "fit", "-c", DIGITS, f"--runs_dir={tmp_path}", "--ckpt_path=last")
        assert "last.ckpt is truncated, damaged" in line


def test_nan_in_the_data_is_one_line(monkeypatch, tmp_path, capsys):
    def broken():
        bunch = load_digits()
        bunch.images[7, 0, 0] = np.nan
        return bunch

    monkeypatch.setattr(digits, "load_digits", broken)
    arguments = ("fit", "-c", DIGITS, "--wandb.mode=disabled", f"--runs_dir={tmp_path}")
    assert "Digits holds NaN or infinity in 1 of 1797 samples" in failure(capsys, monkeypatch, *arguments)


def test_a_diverged_training_is_one_line(monkeypatch, tmp_path, capsys):
    arguments = ("fit", "-c", DIGITS, *SMALL, "--wandb.mode=disabled", f"--runs_dir={tmp_path}")
    rate = "--model.init_args.critic_optimizer.init_args.lr=1e30"
    assert "the optimiser's step diverged" in failure(capsys, monkeypatch, *arguments, rate)


def test_the_traceback_is_there_for_who_asks(monkeypatch, tmp_path):
    monkeypatch.setenv("WGAN_LIP_TRACEBACK", "1")
    with pytest.raises(ValueError, match="n_critic=0"):
        fit(monkeypatch, tmp_path, "--model.init_args.n_critic=0")
