"""Pictures of critics, by what is plotted in them."""

import numpy as np
import pytest
import torch

from tests.training.builders import tiny_gan
from tests.training.estimators import LinearCritic, fit_estimator, tiny_estimator
from wgan_lip.distributions import AbsoluteValue, Gaussians, HighDimensionalCone, SamplePair, ThreeCones
from wgan_lip.report import DrawCritic, critic_figure, save_figure


def drawn(pair, critic=None):
    x, y = pair.sample(200, torch.Generator().manual_seed(0), heldout=True)
    return critic_figure(critic or LinearCritic(torch.ones(pair.dim)), pair, x, y, "title")


def test_on_the_line_the_potential_is_shifted_to_the_critic():
    figure = drawn(Gaussians(1, shift=2.0), LinearCritic(torch.ones(1)))
    upper, lower = figure.axes
    lines = {line.get_label(): line for line in upper.lines}
    # f(x) = x is an optimal potential: both lines are one.
    np.testing.assert_allclose(
        lines["critic f"].get_ydata(), lines["optimal potential, shifted"].get_ydata(), atol=1e-5
    )
    np.testing.assert_allclose(lower.lines[-1].get_ydata(), 1)
    assert {"x ~ P", "y ~ Q"} < set(lines)


def test_in_the_plane_there_are_surface_level_lines_and_gradient_norms():
    figure = drawn(ThreeCones(), LinearCritic(torch.tensor([3.0, 4.0]), slope=0.5))
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert [axes.name for axes in panels] == ["3d", "rectilinear", "rectilinear"]
    (image,) = (mesh for mesh in panels[2].collections if mesh.get_array() is not None)
    np.testing.assert_allclose(image.get_array(), 0.5, rtol=1e-6)
    assert image.get_clim() == (0, 1)
    assert "potential" in panels[1].get_title()


def test_pairs_of_samples_are_drawn_without_a_potential(tmp_path):
    pair = SamplePair(torch.randn(40, 2), torch.randn(40, 2))
    figure = drawn(pair)
    assert "potential" not in figure.axes[1].get_title()
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_more_dimensions_are_not_drawn(tmp_path):
    with pytest.raises(ValueError, match=r"drawn in 1 or 2 dimensions; .* has 3"):
        drawn(HighDimensionalCone(3))
    fit_estimator(tmp_path, DrawCritic(), estimator=tiny_estimator(HighDimensionalCone(3), steps=2))
    assert not (tmp_path / "critic").exists()


def test_a_picture_every_so_many_steps_and_at_both_ends(tmp_path):
    fit_estimator(tmp_path, DrawCritic(every=2), estimator=tiny_estimator(AbsoluteValue(), steps=5))
    assert sorted(path.name for path in (tmp_path / "critic").iterdir()) == [f"{step:07d}.png" for step in (0, 2, 4, 5)]


def test_bad_use_is_named(tmp_path):
    with pytest.raises(ValueError, match="every must be at least 1; got every=0"):
        DrawCritic(every=0)
    with pytest.raises(ValueError, match="draws the critic of a W1Estimator; got WassersteinGAN"):
        DrawCritic().act(None, tiny_gan())
