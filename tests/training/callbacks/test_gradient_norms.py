"""The callback that logs gradient norms: its numbers are those of the diagnosis, and it disturbs nothing."""

import csv
from pathlib import Path

import pytest
import torch

from tests.support.commands import ABSOLUTE, SMALL_ESTIMATOR, run
from tests.training.builders import fit, tiny_gan
from tests.training.estimators import fit_estimator, tiny_estimator
from wgan_lip.data import Digits
from wgan_lip.distributions import AbsoluteValue, SamplePair, ThreeCones
from wgan_lip.lipschitz import gradient_norms, gradient_profile
from wgan_lip.training import GradientNorms, gan_points, pair_points


def records(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of metrics.csv in which a metric is."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.get(name)]


def test_a_gan_is_looked_at_on_real_generated_and_intermediate_points(tmp_path):
    gan = fit(tmp_path, GradientNorms(every=10, n=100), gan=tiny_gan(generator_steps=20))
    rows = records(tmp_path, "gradient_norm/between/input")
    assert [row["generator_step"] for row in rows] == ["0", "10", "20"]
    names = {name.removeprefix("gradient_norm/") for name in rows[0] if name.startswith("gradient_norm/")}
    # Without Flatten, which rearranges, and the output.
    places = {"4_GroupSort", "3_Linear", "2_GroupSort", "1_Linear", "input"}
    places = {place.replace("_Linear", "_OrthogonalLinear") for place in places}
    places |= {f"{place}_standard_error" for place in places}
    assert names == {f"{points}/{place}" for points in ("real", "generated", "between") for place in places}
    for kind, x in gan_points(gan, Digits(), 100, 0).items():
        norms = gradient_norms(gan.critic.double(), x.double())
        assert float(rows[-1][f"gradient_norm/{kind}/input"]) == pytest.approx(float(norms.mean()), rel=1e-6)
        error = float(norms.std() / 100**0.5)
        assert float(rows[-1][f"gradient_norm/{kind}/input_standard_error"]) == pytest.approx(error, rel=1e-4)
        gan.critic.float()
        profile = gradient_profile(gan.critic, x)
        assert float(rows[-1][f"gradient_norm/{kind}/2_GroupSort"]) == pytest.approx(profile.layers[3].mean, rel=1e-6)


def test_an_estimator_agrees_with_what_held_out_samples_say(tmp_path):
    # HeldOutW1 of the trainer takes 64 samples too.
    fit_estimator(tmp_path, GradientNorms(every=15, n=64))
    rows = records(tmp_path, "gradient_norm/x/input")
    figures = {row["critic_step"]: float(row["gradient/norm"]) for row in records(tmp_path, "gradient/norm")}
    assert [row["critic_step"] for row in rows] == ["0", "15", "30"]
    for row in rows:
        assert float(row["gradient_norm/x/input"]) == pytest.approx(figures[row["critic_step"]], rel=1e-9)
        assert all(float(row[f"gradient_norm/{points}/input"]) <= 1 + 1e-5 for points in ("x", "y", "between"))


@pytest.mark.parametrize("what", ["gan", "estimator"])
def test_it_changes_no_step(tmp_path, what):
    trained = []
    for name, extra in (("with", [GradientNorms(every=3, n=20)]), ("without", [])):
        if what == "gan":
            trained.append(fit(tmp_path / name, *extra, gan=tiny_gan(generator_steps=6)))
        else:
            trained.append(fit_estimator(tmp_path / name, *extra, estimator=tiny_estimator(steps=6)))
    states = [module.state_dict() for module in trained]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_off_by_default(tmp_path):
    fit_estimator(tmp_path, GradientNorms(), estimator=tiny_estimator(steps=5))
    assert "gradient_norm" not in (tmp_path / "metrics.csv").read_text()


def test_points_between_lie_on_transport_rays_where_a_plan_is_known():
    pair = ThreeCones()
    found = pair_points(pair, 500, seed=3)
    # An optimal potential falls from 1 on the circle to 0 at its centre; on a ray its gradient has norm 1.
    distance = pair.potential(found["between"])
    assert float(distance.max()) <= 1 + 1e-5
    assert float(distance.mean()) == pytest.approx(0.5, abs=5 * 12**-0.5 / 500**0.5)
    torch.testing.assert_close(pair.potential_gradient(found["between"]).norm(dim=1), torch.ones(500))
    again = pair_points(pair, 500, seed=3)
    assert all(torch.equal(found[kind], again[kind]) for kind in found)


def test_points_between_samples_alone_lie_between_some():
    x, y = torch.zeros(40, 1), torch.ones(80, 1)
    found = pair_points(SamplePair(x, y), 1000, seed=0)
    # As many as are held out.
    assert {kind: len(points) for kind, points in found.items()} == {"x": 10, "y": 20, "between": 10}
    assert ((found["between"] > 0) & (found["between"] < 1)).all()


def test_bad_arguments_are_named(tmp_path):
    for n in (-1, 1):
        with pytest.raises(ValueError, match=f"n must be 0 or at least 2; got n={n}"):
            GradientNorms(n=n)
    with pytest.raises(ValueError, match="every must be at least 1"):
        GradientNorms(every=0, n=5)
    with pytest.raises(ValueError, match="needs n=598 samples of the heldout split; Digits has 597: lower n"):
        fit(tmp_path, GradientNorms(n=598))


def test_the_command_line_takes_it(monkeypatch, tmp_path):
    run(
        monkeypatch,
        "fit",
        *("-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--runs_dir={tmp_path}", "--run=a", "--wandb.mode=disabled"),
        *("--gradient_norms.every=10", "--gradient_norms.n=16"),
    )
    rows = records(tmp_path / "absolute_value" / "a", "gradient_norm/between/input")
    assert [row["critic_step"] for row in rows] == ["0", "10", "20"]
    pair = AbsoluteValue()
    assert float(pair.potential(pair_points(pair, 16, 0)["x"]).min()) == 1
