"""Pictures of a critic on the line and in the plane, and the callback that draws them during training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn

from wgan_lip.distributions import Pair
from wgan_lip.lipschitz import gradient_norms
from wgan_lip.randomness import keyed_generator
from wgan_lip.replaced import own_folder
from wgan_lip.report.figures import add_legend, save_figure, strip_axes
from wgan_lip.training import EverySteps, SteppedModule, W1Estimator

Array = NDArray[np.float64]

_CRITIC, _OPTIMAL, _P, _Q = "tab:orange", "0.15", "tab:blue", "tab:red"
# Points on each axis of the grid on which a critic is drawn, and samples of each distribution that are shown.
_LINE, _PLANE, _SHOWN = 601, 161, 300
# Samples of each distribution that say which region is drawn.
_SAMPLES = 1024


@dataclass(frozen=True)
class _Field:
    """A critic on a grid: the axes, its values, the norms of its gradient and an optimal potential."""

    axes: list[Array]
    values: Array
    norms: Array
    potential: Array | None


def critic_figure(critic: nn.Module, pair: Pair, x: Tensor, y: Tensor, title: str = "") -> Figure:
    """Draw a critic of a pair in one or two dimensions, with samples of both distributions.

    On the line: f with an optimal potential, shifted to match, and the derivative's size. In the plane: f as a
    surface, its level lines with those of an optimal potential, and the norm of its gradient, which an optimal
    critic has at 1 wherever mass is moved.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; in evaluation mode.
        pair: of dimension 1 or 2.
        x: samples of P, shape ``(n, *shape)``.
        y: samples of Q, shape ``(m, *shape)``.
        title: above it all.

    Raises:
        ValueError: another dimension.
    """
    if pair.dim not in (1, 2):
        raise ValueError(f"a critic is drawn in 1 or 2 dimensions; {pair} has {pair.dim}")
    points = torch.cat((x, y)).cpu().flatten(1).double().numpy()
    real, fake = points[: min(len(x), _SHOWN)], points[len(x) :][:_SHOWN]
    field = _field(critic, pair, points)
    return _line(field, real, fake, title) if pair.dim == 1 else _plane(field, real, fake, title)


def _field(critic: nn.Module, pair: Pair, points: Array) -> _Field:
    low, high = points.min(axis=0), points.max(axis=0)
    # The same scale on all axes shows slopes true to scale.
    half, middle = 0.6 * max(float((high - low).max()), 1e-6), (low + high) / 2
    resolution = _LINE if pair.dim == 1 else _PLANE
    axes = [np.linspace(center - half, center + half, resolution) for center in middle]
    grid = np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1).reshape(-1, pair.dim)
    parameter = next(critic.parameters(), torch.empty(0))
    on = torch.from_numpy(grid).to(parameter.device, parameter.dtype).reshape(-1, *pair.shape)
    shape = (resolution,) * pair.dim
    with torch.no_grad():
        values = critic(on).flatten()
    potential = None
    if pair.knows_potential:
        optimal = pair.potential(on.cpu().float()).double()
        # A potential is known up to a constant; the median of the difference fits where most of the mass is.
        optimal += torch.median(values.cpu().double() - optimal)
        potential = optimal.numpy().reshape(shape)
    norms = gradient_norms(critic, on)
    return _Field(axes, _numpy(values).reshape(shape), _numpy(norms).reshape(shape), potential)


def _line(field: _Field, real: Array, fake: Array, title: str) -> Figure:
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    grid = field.axes[0]
    if field.potential is not None:
        upper.plot(grid, field.potential, color=_OPTIMAL, ls="--", lw=1.4, label="optimal potential, shifted")
    upper.plot(grid, field.values, color=_CRITIC, lw=2, label="critic f")
    bottom = float(min(field.values.min(), np.inf if field.potential is None else field.potential.min()))
    span = float(np.ptp(field.values)) or 1.0
    for samples, color, row, label in ((real, _P, 1, "x ~ P"), (fake, _Q, 2, "y ~ Q")):
        height = np.full(len(samples), bottom - 0.06 * row * span)
        upper.plot(samples[:, 0], height, "|", color=color, ms=9, mew=0.8, label=label)
    upper.set_ylabel("f(x)")
    add_legend(figure, upper, 4)
    lower.axhline(1, color="0.6", lw=0.8)
    lower.plot(grid, field.norms, color=_CRITIC, lw=1.5)
    lower.set_ylim(bottom=0, top=max(1.1, 1.05 * float(field.norms.max())))
    lower.set_ylabel("|f '(x)|")
    lower.set_xlabel("x")
    for axes in (upper, lower):
        strip_axes(axes)
        axes.margins(x=0)
    upper.set_title(title, loc="left")
    return figure


def _plane(field: _Field, real: Array, fake: Array, title: str) -> Figure:
    figure = Figure(figsize=(15, 4.9), layout="constrained")
    surface = figure.add_subplot(1, 3, 1, projection="3d")
    if isinstance(surface, Axes3D):
        across, up = np.meshgrid(*field.axes)
        surface.plot_surface(across, up, field.values, cmap="viridis", rcount=81, ccount=81, lw=0, antialiased=True)
        surface.set_box_aspect((1, 1, 0.6))
        surface.view_init(elev=35, azim=-60)
        surface.set_title("critic f")
    levels = figure.add_subplot(1, 3, 2)
    filled = levels.contourf(*field.axes, field.values, levels=16, cmap="viridis", alpha=0.75)
    if field.potential is not None:
        lines = levels.contour(*field.axes, field.potential, levels=filled.levels, colors="k", linewidths=0.6)
        lines.set(linestyle="--")
    name = "level sets of f" + ("" if field.potential is None else " (lines: an optimal potential's)")
    levels.set_title(name)
    figure.colorbar(filled, ax=levels, shrink=0.85)
    norms = figure.add_subplot(1, 3, 3)
    top = max(1.0, float(field.norms.max()))
    image = norms.pcolormesh(*field.axes, field.norms, cmap="magma", vmin=0, vmax=top, shading="nearest")
    norms.set_title("norm of its gradient (1 where mass is moved)")
    figure.colorbar(image, ax=norms, shrink=0.85)
    for axes in (levels, norms):
        axes.set_aspect("equal")
        axes.plot(*real.T, "o", color="white", mec=_P, ms=3.5, mew=0.8, label="x ~ P")
        axes.plot(*fake.T, "o", color="white", mec=_Q, ms=3.5, mew=0.8, label="y ~ Q")
    levels.legend(loc="upper right", fontsize="small")
    figure.suptitle(title)
    return figure


def _numpy(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()


class DrawCritic(EverySteps):
    """Saves ``critic/<critic_step>.png`` in the trainer's ``default_root_dir``, and sends it to Weights & Biases.

    Only pairs of one or two dimensions are drawn. See :func:`critic_figure`.

    Args:
        every: critic steps between two pictures; there is one at the start and at the end.
        seed: what the samples that are shown are drawn from.

    Raises:
        ValueError: ``every < 1``; when training starts: a module that is no ``W1Estimator``.
    """

    def __init__(self, every: int = 500, seed: int = 0) -> None:
        super().__init__(every)
        self.seed = seed

    @rank_zero_only
    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if not isinstance(module, W1Estimator):
            raise ValueError(f"DrawCritic draws the critic of a W1Estimator; got {type(module).__name__}")
        pair = module.pair
        if pair.dim > 2:
            return
        x, y = pair.sample(_SAMPLES, keyed_generator(self.seed, "drawing"), heldout=True)
        with torch.inference_mode(False):
            figure = critic_figure(module.final_critic(), pair, x, y, f"{pair}, critic step {module.step}")
        path = own_folder(Path(trainer.default_root_dir) / "critic") / f"{module.step:07d}.png"
        save_figure(figure, path)
        module.log_picture("critic/picture", path)
