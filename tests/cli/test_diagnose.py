"""``wgan-lip diagnose``: tables, JSON and figure of checkpoints, and every kind of bad input."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.commands import ABSOLUTE, SMALL_ESTIMATOR, failure, fit, run
from wgan_lip.cli.rebuild import load_module
from wgan_lip.data import Digits
from wgan_lip.lipschitz import gradient_profile
from wgan_lip.training import gan_points, pair_points


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """Of a GAN, and of estimators with two activations."""
    folder = tmp_path_factory.mktemp("diagnosed")
    relu = "--model.init_args.critic.init_args.activation=torch.nn.ReLU"
    with pytest.MonkeyPatch.context() as patch:
        gan = fit(patch, folder, "--wandb.mode=disabled")
        for name, extra in (("maxmin", []), ("relu", [relu])):
            arguments = (*SMALL_ESTIMATOR, *extra, f"--runs_dir={folder}", f"--run={name}", "--wandb.mode=disabled")
            run(patch, "fit", "-c", ABSOLUTE, *arguments)
    made = {"gan": gan, **{name: folder / "absolute_value" / name for name in ("maxmin", "relu")}}
    return {
        name: Path(shutil.copy(path / "checkpoints" / "last.ckpt", folder / f"{name}.ckpt"))
        for name, path in made.items()
    }


def diagnosis(monkeypatch, capsys, *arguments: object) -> list[dict]:
    capsys.readouterr()
    run(monkeypatch, "diagnose", *arguments, "--json")
    return json.loads(capsys.readouterr().out)["networks"]


def test_a_gan_from_its_checkpoint_alone(monkeypatch, capsys, checkpoints, tmp_path):
    monkeypatch.chdir(tmp_path)
    (network,) = diagnosis(monkeypatch, capsys, checkpoints["gan"], "-n", 100)
    assert network["label"] == "gan"
    gan = load_module(checkpoints["gan"])
    expected = gan_points(gan, Digits(), 100, 0)
    assert [points["kind"] for points in network["points"]] == ["real", "generated", "between"]
    for points in network["points"]:
        profile = gradient_profile(gan.critic, expected[points["kind"]])
        assert points["n"] == 100
        assert [layer["mean"] for layer in points["layers"]] == pytest.approx([one.mean for one in profile.shown])
    assert len(network["weights"]) == 5
    assert all(weight["smallest"] == pytest.approx(1, abs=1e-5) for weight in network["weights"])
    assert [units["kind"] for units in network["units"]] == ["GroupSort"] * 4
    # No more than are held out.
    assert diagnosis(monkeypatch, capsys, checkpoints["gan"], "-n", 5000)[0]["points"][0]["n"] == 597
    assert not list(tmp_path.iterdir())


def test_two_stand_beside_each_other(monkeypatch, capsys, checkpoints, tmp_path):
    out = tmp_path / "gradients.png"
    monkeypatch.setenv("COLUMNS", "80")
    run(monkeypatch, "diagnose", checkpoints["relu"], checkpoints["maxmin"], "-n", 50, "-o", out)
    printed = capsys.readouterr().out
    for text in ("relu", "maxmin", "output", "W1", "ReLU", "MaxMin", "input", "between", "never switch", f"  {out}"):
        assert text in printed
    with Image.open(out) as image:
        assert min(image.size) > 500
    relu, maxmin = diagnosis(monkeypatch, capsys, checkpoints["relu"], checkpoints["maxmin"], "-n", 50)
    # The points are those of the pair, and the networks those that were trained.
    pair = load_module(checkpoints["relu"]).pair
    x = pair_points(pair, 50, 0)["between"]
    for network, name in ((relu, "relu"), (maxmin, "maxmin")):
        wanted = gradient_profile(load_module(checkpoints[name]).final_critic(), x).input.mean
        assert network["points"][2]["layers"][-1]["mean"] == pytest.approx(wanted)
    assert relu["units"][0]["dead"] is not None
    assert maxmin["units"][0]["dead"] is None
    # Other points by another seed.
    (other,) = diagnosis(monkeypatch, capsys, checkpoints["relu"], "-n", 50, "--seed", 1)
    assert other["points"][2]["layers"][-1]["mean"] != relu["points"][2]["layers"][-1]["mean"]


def test_unlike_networks_and_the_same_one_twice(monkeypatch, capsys, checkpoints, tmp_path):
    out = tmp_path / "gradients.png"
    networks = diagnosis(
        monkeypatch, capsys, checkpoints["gan"], checkpoints["maxmin"], checkpoints["maxmin"], "-n", 20, "-o", out
    )
    assert [network["label"] for network in networks] == ["gan", "maxmin (1)", "maxmin (2)"]
    assert out.stat().st_size > 0


CLASSIFIER = """\
name: classifier
model:
  class_path: wgan_lip.training.RobustClassifier
  init_args:
    network: {class_path: wgan_lip.networks.MLPClassifier, init_args: {input_shape: [1, 8, 8], hidden: [16, 16]}}
    steps: 4
data: {class_path: wgan_lip.data.Digits, init_args: {labels: true}}
certified_accuracy: {every: 4, n: 20, eps: [0.1]}
trainer: {accelerator: cpu}
"""


def test_a_classifier_on_held_out_images(monkeypatch, capsys, tmp_path):
    (tmp_path / "config.yaml").write_text(CLASSIFIER)
    arguments = ("-c", tmp_path / "config.yaml", f"--runs_dir={tmp_path}", "--run=a", "--wandb.mode=disabled")
    run(monkeypatch, "fit", *arguments)
    (network,) = diagnosis(monkeypatch, capsys, tmp_path / "classifier" / "a", "-n", 30)
    assert network["label"] == "classifier/a"
    (points,) = network["points"]
    assert (points["kind"], points["n"]) == ("held out", 30)
    assert points["of"] == "a random unit combination of 10 outputs"
    assert points["jacobian_complete"]
    # From 64 pixels to 16 channels and 10 logits: orthogonal layers and MaxMin lose nothing on the way back.
    assert points["layers"][-1]["mean"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", 1], "argument -n/--n: must be a whole number from 2; got '1'"),
        (["--seed", -1], "argument --seed: must be a whole number from 0; got '-1'"),
        (["-o", "figure.pdf"], "argument -o/--output: must end in .png; got figure.pdf"),
        (["-o", "/nowhere/figure.png"], "argument -o/--output: there is no folder /nowhere"),
        (["nothing.ckpt"], "CKPT nothing.ckpt: there is no such file"),
        (["--what"], "unrecognized arguments: --what"),
    ],
)
def test_bad_arguments_are_named(monkeypatch, capsys, checkpoints, arguments, message):
    assert message in failure(capsys, monkeypatch, "diagnose", checkpoints["maxmin"], *arguments)


def test_a_checkpoint_is_missing(monkeypatch, capsys):
    assert "the following arguments are required: CKPT" in failure(capsys, monkeypatch, "diagnose")


def test_bad_checkpoints_are_named(monkeypatch, capsys, checkpoints, tmp_path):
    content = torch.load(checkpoints["maxmin"], weights_only=True)
    content["wgan_lip"]["config"] = content["wgan_lip"]["config"].replace("wgan_lip.networks.MLPCritic", "os.system")
    torch.save(content, tmp_path / "foreign.ckpt")
    assert "names os.system" in failure(capsys, monkeypatch, "diagnose", tmp_path / "foreign.ckpt")
    next(iter(content["state_dict"].values())).fill_(float("nan"))
    content["wgan_lip"]["config"] = content["wgan_lip"]["config"].replace("os.system", "wgan_lip.networks.MLPCritic")
    torch.save(content, tmp_path / "diverged.ckpt")
    said = failure(capsys, monkeypatch, "diagnose", tmp_path / "diverged.ckpt", "-n", 10)
    assert "diverged.ckpt: the checkpoint's critic.1.weight holds NaN or infinity" in said
