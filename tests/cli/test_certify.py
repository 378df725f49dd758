"""``wgan-lip certify``: what it prints of a trained classifier, and every kind of bad input."""

import json
import re
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from tests.data.made import write_idx
from tests.support.commands import CONFIGS, failure, fit, run
from wgan_lip.robustness import BrokenCertificateError, RobustnessCertificate, measure

SMALL = ["--model.init_args.network.init_args.hidden=[16]", "--model.init_args.steps=30", "--checkpoint.every=30"]
SMALL += ["--certified_accuracy.every=30", "--data.init_args.batch_size=20", "--wandb.mode=disabled"]


@pytest.fixture(scope="module", params=["fashion_mnist_l2", "fashion_mnist_linf", "mnist_linf"])
def trained(request, tmp_path_factory) -> Path:
    """A small run on made images in the published format."""
    folder = tmp_path_factory.mktemp(request.param)
    write_idx(folder / "idx", pack=False)
    config = CONFIGS / "robust" / f"{request.param}.yaml"
    with pytest.MonkeyPatch.context() as patch:
        where = (f"--data.init_args.data_dir={folder / 'idx'}", f"--runs_dir={folder}")
        run(patch, "fit", "-c", config, *SMALL, *where)
    return next(path.parent.parent for path in folder.glob("*/*/checkpoints/last.ckpt"))


def test_what_is_proven_and_what_withstood(monkeypatch, trained, capsys):
    run(monkeypatch, "certify", trained, "--eps", "0.01", "0.1", "--steps", "3", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 60
    assert found["norm"] == ("linf" if "linf" in str(trained) else "l2")
    assert found["layers"][0] == {"name": "0", "kind": "Flatten", "bound": 1.0}
    assert 1 <= found["lipschitz_bound"] <= 1 + 1e-4
    assert found["largest_pair_constant"] <= (2 if found["norm"] == "linf" else 2**0.5) * (1 + 1e-4)
    assert found["attacks"] == 2 * 2 * 60
    assert 0 <= found["attacks_within_certified_radius"] <= 2 * 2 * 60
    assert (found["lipschitz_norm"], found["unproven"]) == (found["norm"], None)
    for row in found["radii"]:
        shares = [row[name]["accuracy"] for name in ("certified", "pgd", "fgsm")] + [found["clean"]["accuracy"]]
        assert shares == sorted(shares)
        assert row["certified"]["low"] <= row["certified"]["accuracy"] <= row["certified"]["high"]
    # The same command gives the same numbers.
    run(monkeypatch, "certify", trained, "--eps", "0.01", "0.1", "--steps", "3", "--json")
    assert json.loads(capsys.readouterr().out) == found


def test_the_tables_for_people(monkeypatch, trained, tmp_path, capsys):
    run(monkeypatch, "certify", trained, "--steps", "2", "--restarts", "1", "--n", "20")
    printed = capsys.readouterr().out
    for text in (
        "difference of two logits",
        "certified ≥",
        "PGD",
        "FGSM",
        "20 held-out images",
        "none of these changed a class",
    ):
        assert text in printed
    run(monkeypatch, "certify", trained, "--no-attacks", "-o", tmp_path / "curve.png")
    assert imread(tmp_path / "curve.png").shape[:2] == (675, 1200)
    assert "attacks" not in capsys.readouterr().out


def test_other_data_of_the_same_kind(monkeypatch, trained, tmp_path, capsys):
    write_idx(tmp_path / "other", pack=True)
    run(monkeypatch, "certify", trained, "--data", tmp_path / "other", "--no-attacks", "--json")
    assert json.loads(capsys.readouterr().out)["images"] == 60
    assert "there is no" in failure(capsys, monkeypatch, "certify", trained, "--data", tmp_path / "missing")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--n", "0"), "argument -n/--n: must be a whole number from 1; got '0'"),
        (("--eps", "-1", "--no-attacks"), "eps must hold positive and finite radii"),
        (("--confidence", "2"), "no such confidence|between 0 and 1"),
        (("--norm", "l1"), "invalid choice"),
        (("--seed", "-1"), "argument --seed: must be a whole number from 0; got '-1'"),
        (("-o", "curve.pdf"), "argument -o/--output: must end in .png; got curve.pdf"),
    ],
)
def test_bad_options_are_named(monkeypatch, trained, capsys, arguments, message):
    assert re.search(message, failure(capsys, monkeypatch, "certify", trained, *arguments))


def test_other_classes_are_refused(monkeypatch, trained, tmp_path, capsys):
    """A classifier of the one set on images of another, of the same size and number of classes."""
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["wgan_lip"]["classes"] = [f"class {i}" for i in range(10)]
    torch.save(checkpoint, tmp_path / "other.ckpt")
    write_idx(tmp_path / "idx", pack=False)
    said = failure(capsys, monkeypatch, "certify", tmp_path / "other.ckpt", "--data", tmp_path / "idx")
    assert "the classifier was trained on class 0, class 1" in said


def test_a_broken_certificate_ends_the_command(monkeypatch, trained):
    honest = measure.certify_classifier

    def boastful(*arguments):
        found = honest(*arguments)
        return RobustnessCertificate(found.lipschitz, found.constants / 1e6)

    monkeypatch.setattr(measure, "certify_classifier", boastful)
    with pytest.raises(BrokenCertificateError, match="This is a bug, please report it"):
        run(monkeypatch, "certify", trained, "--eps", "0.3", "3", "--steps", "5")


def test_a_gan_is_no_classifier(monkeypatch, tmp_path, capsys):
    folder = fit(monkeypatch, tmp_path, "--wandb.mode=disabled", "--model.init_args.generator_steps=5")
    capsys.readouterr()
    line = failure(capsys, monkeypatch, "certify", folder)
    assert "certify requires a checkpoint of a classifier; " in line
    assert "holds a WassersteinGAN" in line
