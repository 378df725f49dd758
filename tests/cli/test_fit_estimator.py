"""``wgan-lip fit`` and ``validate`` on one pair of distributions."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.image import imread

from tests.support.commands import ABSOLUTE, CONFIGS, DIGITS, SMALL_ESTIMATOR, failure, run
from tests.support.metrics import rows

SMALL_FILES = [*("--heldout_w1.n=64", "--heldout_w1.exact_n=8", "--model.init_args.steps=5", "--wandb.mode=disabled")]


def fit(monkeypatch: pytest.MonkeyPatch, runs: Path, *arguments: object) -> Path:
    """A small run of the absolute value's config; returns its folder, the newest there is."""
    run(monkeypatch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, "--wandb.mode=disabled", f"--runs_dir={runs}", *arguments)
    return max((runs / "absolute_value").iterdir())


def test_a_run_writes_its_folder_and_prints_its_table(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    folder = fit(monkeypatch, tmp_path)
    printed = capsys.readouterr()
    for word in ("critic ≥", "error", "gap", "L ≤", "cosine", "l2", "truth 1.0000", "exact W1 of samples"):
        assert word in printed.out
    for name in ("w1.png", "critic/0000020.png", "metrics.csv", "config.yaml", "checkpoints/last.ckpt"):
        assert (folder / name).is_file()
        assert str(folder / name) in printed.out
    steps = [f"critic step {step}/20: critic ≥" for step in (0, 5, 10, 15, 20)]
    assert [line.split(" ≥")[0] + " ≥" for line in printed.err.splitlines()] == steps
    assert sorted(path.name for path in (folder / "critic").iterdir()) == ["0000000.png", "0000010.png", "0000020.png"]
    assert imread(folder / "w1.png").shape[:2] == (675, 1200)
    evaluated = [row for row in rows(folder) if row["w1/critic"]]
    assert [row["critic_step"] for row in evaluated] == ["0", "5", "10", "15", "20"]
    for row in evaluated:
        assert float(row["w1/gap"]) >= 0
        assert float(row["w1/truth"]) == 1
        assert float(row["lipschitz/certified"]) <= 1.00001
        assert float(row["w1/error"]) == pytest.approx(float(row["w1/critic"]) - 1)
    assert "generator_step" not in evaluated[0]


def test_the_saved_config_makes_the_same_run_again_and_another_seed_another(monkeypatch, tmp_path):
    first = fit(monkeypatch, tmp_path / "a", "--seed_everything=3")
    run(monkeypatch, "fit", "-c", first / "config.yaml", f"--runs_dir={tmp_path / 'b'}")
    (second,) = (tmp_path / "b" / "absolute_value").iterdir()
    assert rows(first) == rows(second)
    assert rows(first) != rows(fit(monkeypatch, tmp_path / "c", "--seed_everything=4"))


def test_a_run_is_resumed_and_validated(monkeypatch, tmp_path, capsys):
    straight = fit(monkeypatch, tmp_path / "straight", "--model.init_args.decay=none")
    folder = fit(monkeypatch, tmp_path / "parts", "--model.init_args.decay=none", "--model.init_args.steps=10")
    again = fit(monkeypatch, tmp_path / "parts", "--model.init_args.decay=none", "--ckpt_path=last")
    assert again == folder
    assert rows(folder) == rows(straight)
    capsys.readouterr()
    run(monkeypatch, "validate", "-c", ABSOLUTE, *SMALL_ESTIMATOR, "--ckpt_path", folder)
    printed = capsys.readouterr().out
    assert "critic step 20" in printed
    assert f"critic ≥ {float(rows(folder)[-1]['w1/critic']):.4f}" in printed
    assert "truth 1.0000" in printed


def test_every_option_of_the_estimator_can_be_set(monkeypatch, tmp_path):
    (tmp_path / "options.yaml").write_text(
        yaml.safe_dump(
            {
                "model": {
                    "init_args": {
                        "average": {"class_path": "wgan_lip.training.ExponentialAverage", "init_args": {"decay": 0.5}},
                        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
                        "decay": "cosine",
                    }
                }
            }
        )
    )
    folder = fit(monkeypatch, tmp_path, "-c", tmp_path / "options.yaml")
    config = yaml.safe_load((folder / "config.yaml").read_text())["model"]["init_args"]
    assert config["decay"] == "cosine"
    assert config["average"]["init_args"] == {"decay": 0.5}


def test_files_are_a_pair(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "real.npy", rng.normal(size=(60, 2)) + 3)
    np.savez(tmp_path / "fake.npz", points=rng.normal(size=(50, 2)), labels=np.zeros(50))
    pair = "--model.init_args.pair.init_args"
    arguments = [f"{pair}.real={tmp_path}/real.npy", f"{pair}.fake={tmp_path}/fake.npz:points", *SMALL_FILES]
    run(monkeypatch, "fit", "-c", CONFIGS / "w1" / "files.yaml", *arguments, f"--runs_dir={tmp_path / 'runs'}")
    printed = capsys.readouterr()
    # Fifteen and twelve points are held out; the floor needs as many again of the first.
    assert "W1 of 7 samples" in printed.err
    assert "truth" not in printed.out
    assert len(list(tmp_path.glob("runs/files/*/critic/*.png"))) == 2


def test_a_critic_without_constraints_has_an_uncertified_estimate(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    folder = fit(
        monkeypatch,
        tmp_path,
        "--model.init_args.critic.init_args.linear=torch.nn.Linear",
        "--model.init_args.critic.init_args.depth=2",
        "--model.init_args.optimizer=torch.optim.Adam",
        "--model.init_args.optimizer.init_args.lr=0.1",
        "--model.init_args.penalty=wgan_lip.lipschitz.GradientPenalty",
        "--model.init_args.penalty.init_args.weight=1",
    )
    last = rows(folder)[-1]
    assert float(last["lipschitz/certified"]) > 1.01
    assert float(last["w1/uncertified"]) == pytest.approx(
        float(last["w1/critic"]) * float(last["lipschitz/certified"]), rel=1e-9
    )
    assert "uncertified" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.init_args.steps=0"], "steps must be at least 1; got steps=0"),
        (["--model.init_args.stepps=3"], "W1Estimator has no key 'stepps'"),
        (["--model.init_args.decay=fast"], "decay"),
        (["--model.init_args.pair=wgan_lip.distributions.Nothing"], "Nothing"),
        (
            ["--model.init_args.pair=wgan_lip.distributions.ThreeCones", "--model.init_args.pair.init_args.radius=-1"],
            "radius must be positive and finite; got radius=-1.0",
        ),
        (["--heldout_w1.exact_n=60"], "n must be at least 2 and exact_n between 0 and n / 2; got n=100, exact_n=60"),
        (["--heldout_w1.confidence=2"], "confidence must lie between 0 and 1; got confidence=2"),
        (["--exact_w1.n=7"], "exact_w1 is for a WassersteinGAN, but the model is a W1Estimator: leave it out"),
        (["--data=wgan_lip.data.Digits"], "and takes no data; got Digits"),
        (["--model=torch.nn.Identity"], "Identity"),
        (["--ckpt_path={tmp}/none.ckpt"], "{tmp}/none.ckpt: there is no such file"),
    ],
)
def test_bad_input_is_one_line(arguments, message, monkeypatch, tmp_path, capsys):
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    runs = f"--runs_dir={tmp_path / 'runs'}"
    line = failure(
        capsys, monkeypatch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, "--wandb.mode=disabled", runs, *arguments
    )
    assert message.replace("{tmp}", str(tmp_path)) in line
    assert len(line) < 500
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("config", "pair", "message"),
    [
        ("files", {"real": "none.npy"}, "none.npy: there is no such file or folder"),
        ("files", {"real": "empty.npz", "fake": "empty.npz"}, "empty.npz"),
        ("funnels", {"dim": 0}, "dim and funnels must be at least 1; got dim=0"),
    ],
)
def test_a_pair_that_cannot_be_had_is_one_line(config, pair, message, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty.npz").write_bytes(b"no archive")
    arguments = [f"--model.init_args.pair.init_args.{name}={value}" for name, value in pair.items()]
    line = failure(capsys, monkeypatch, "fit", "-c", CONFIGS / "w1" / f"{config}.yaml", *arguments)
    assert message in line


def test_a_published_pair_is_loaded_from_its_file(monkeypatch, tmp_path):
    np.savez(tmp_path / "pair.npz", centers=np.array([[0.5, -1.0, 2.0]], "float32"), bias=np.zeros(1, "float32"))
    (tmp_path / "pair.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "loaded",
                "model": {
                    "class_path": "wgan_lip.training.W1Estimator",
                    "init_args": {
                        "pair": {
                            "class_path": "wgan_lip.distributions.Funnels.load",
                            "init_args": {"path": str(tmp_path / "pair.npz")},
                        },
                    },
                },
                "trainer": {"accelerator": "cpu"},
            }
        )
    )
    run(monkeypatch, "fit", "-c", tmp_path / "pair.yaml", *SMALL_FILES, f"--runs_dir={tmp_path / 'runs'}")
    (folder,) = (tmp_path / "runs" / "loaded").iterdir()
    assert float(rows(folder)[-1]["w1/truth"]) > 0
    # Three dimensions cannot be drawn.
    assert not (folder / "critic").exists()


def test_settings_of_the_other_kind_and_missing_data_are_one_line(monkeypatch, tmp_path, capsys):
    gan = ("fit", "-c", DIGITS, "--wandb.mode=disabled", f"--runs_dir={tmp_path}")
    assert "heldout_w1 is for a W1Estimator" in failure(capsys, monkeypatch, *gan, "--heldout_w1.n=7")
    config = yaml.safe_load(DIGITS.read_text())
    del config["data"]
    (tmp_path / "without.yaml").write_text(yaml.safe_dump(config))
    line = failure(capsys, monkeypatch, "fit", "-c", tmp_path / "without.yaml", f"--runs_dir={tmp_path}")
    assert "data" in line
    assert not list(tmp_path.glob("digits/*"))
