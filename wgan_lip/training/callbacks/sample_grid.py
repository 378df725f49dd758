"""Pictures of generated samples during training, from fixed noise."""

from pathlib import Path
from typing import cast

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor
from torch.nn.functional import interpolate, normalize
from torchvision.utils import make_grid, save_image

from wgan_lip.data import SampleDataModule
from wgan_lip.quality import nearest_neighbours
from wgan_lip.randomness import keyed_generator
from wgan_lip.replaced import own_folder, replacing
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import WassersteinGAN

# Images in a row.
_COLUMNS = 8


class SampleGrid(EverySteps):
    """Saves grids of generated images, from the same noise each time, and one of real images.

    In ``samples/`` of the trainer's ``default_root_dir``: ``<generator_step>.png``; ``averaged-<generator_step>.png``
    if the module keeps an average of the generator; ``interpolations-<generator_step>.png``, with a path from one noise
    to another in each row, by the average if there is one; ``real.png`` (held-out); and, when the training ends,
    ``neighbours-<generator_step>.png``, with a generated image and its nearest training images in l2 in each row, to
    see whether the generator copies them. All are logged to Weights & Biases, too. Pixels in [-1, 1] are black to
    white. Samples that are not images of 1 or 3 channels are not drawn.

    Args:
        every: number of generator steps between two grids.
        n: number of images in a grid.
        seed: of the noise and the choice of real images.
        interpolations: number of rows of interpolations; 0 draws none.
        neighbours: number of rows of nearest neighbours; 0 draws none.
        among: number of training images that are searched for neighbours, drawn at random if there are more.

    Raises:
        ValueError: a count that is too small.
    """

    def __init__(
        self,
        every: int = 500,
        n: int = 64,
        seed: int = 0,
        interpolations: int = 8,
        neighbours: int = 8,
        among: int = 10_000,
    ) -> None:
        if min(every, n, among) < 1 or min(interpolations, neighbours) < 0:
            raise ValueError(
                f"every, n and among must be at least 1, interpolations and neighbours at least 0; got every={every}, "
                f"n={n}, among={among}, interpolations={interpolations}, neighbours={neighbours}"
            )
        super().__init__(every)
        self.n = n
        self.seed = seed
        self.interpolations = interpolations
        self.neighbours = neighbours
        self.among = among
        self._channels = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, SampleDataModule) or not isinstance(pl_module, WassersteinGAN):
            raise ValueError("SampleGrid requires a WassersteinGAN and a SampleDataModule")
        # Channels after the image's own hold its label.
        channels = getattr(data, "image_channels", data.sample_shape[0])
        self._channels = channels if len(data.sample_shape) == 3 and channels in (1, 3) else 0
        if not self._channels:
            rank_zero_warn(f"SampleGrid draws nothing: samples of shape {data.sample_shape} are not images")
        super().on_train_start(trainer, pl_module)

    @rank_zero_only
    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if not self._channels:
            return
        gan = cast(WassersteinGAN, module)
        if gan.step == 0:
            data = cast(SampleDataModule, trainer.datamodule)  # type: ignore[attr-defined]
            n = min(self.n, data.size("heldout"))
            self._save(trainer, "real", "", data.draw("heldout", n, keyed_generator(self.seed, "real grid")), gan)
        noise = gan.noise(self.n, "grid", self.seed)
        step, kept = f"{gan.step:07d}", gan.averaged is not None
        self._save(trainer, "generated", step, gan.sample(noise), gan)
        if kept:
            self._save(trainer, "averaged", step, gan.sample(noise, averaged=True), gan)
        if self.interpolations:
            path = _paths(gan, self.interpolations, self.seed)
            self._save(trainer, "interpolations", step, gan.sample(path, averaged=kept), gan)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if self._channels and self.neighbours and trainer.is_global_zero:
            self._draw_neighbours(trainer, cast(WassersteinGAN, pl_module))

    def _draw_neighbours(self, trainer: Trainer, gan: WassersteinGAN) -> None:
        data = cast(SampleDataModule, trainer.datamodule)  # type: ignore[attr-defined]
        noise = gan.noise(self.neighbours, "grid", self.seed)
        made = gan.sample(noise, averaged=gan.averaged is not None).float().cpu()
        n = min(self.among, data.size("train"))
        known = data.draw("train", n, keyed_generator(self.seed, "neighbours"))
        nearest = nearest_neighbours(made, known, min(_COLUMNS - 1, n)).indices
        rows = torch.cat((made[:, None], known[nearest]), 1).flatten(0, 1)
        self._save(trainer, "neighbours", f"{gan.step:07d}", rows, gan, nearest.shape[1] + 1)

    def _save(
        self, trainer: Trainer, kind: str, step: str, images: Tensor, module: WassersteinGAN, columns: int = _COLUMNS
    ) -> None:
        images = images[:, : self._channels].float().cpu()
        # Small images are enlarged to about 64 pixels, without smoothing.
        factor = max(1, 64 // images.shape[-1])
        grid = make_grid(interpolate(images, scale_factor=factor), nrow=columns, normalize=True, value_range=(-1, 1))
        name = step if kind == "generated" else f"{kind}-{step}".rstrip("-")
        path = own_folder(Path(trainer.default_root_dir) / "samples") / f"{name}.png"
        with replacing(path) as file:
            save_image(grid, file, format="png")
        module.log_picture(f"samples/{kind}", path)


def _paths(gan: WassersteinGAN, rows: int, seed: int) -> Tensor:
    """Return noise along great circles between two draws, ``_COLUMNS`` points each, with the label of the first."""
    start, end = gan.noise(rows, "from", seed), gan.noise(rows, "to", seed)
    a, b = (z[:, None, : gan.noise_dim] for z in (start, end))
    t = torch.linspace(0, 1, _COLUMNS, device=a.device, dtype=a.dtype)[None, :, None]
    # Draws of N(0, I) lie near a sphere; a straight line would pass near its centre, where there are none.
    lengths = torch.lerp(a.norm(dim=2, keepdim=True), b.norm(dim=2, keepdim=True), t)
    a, b = normalize(a, dim=2), normalize(b, dim=2)
    angle = torch.arccos((a * b).sum(2, keepdim=True).clamp(-1 + 1e-6, 1 - 1e-6))
    points = lengths * (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    labels = start[:, None, gan.noise_dim :].expand(-1, _COLUMNS, -1)
    return torch.cat((points, labels), 2).flatten(0, 1)
