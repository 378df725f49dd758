"""Pictures of generated samples during training, from fixed noise."""

from pathlib import Path
from typing import cast

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import make_grid, save_image

from wgan_lip.data import SampleDataModule
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.every_steps import EverySteps
from wgan_lip.training.loggers import log_picture
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import WassersteinGAN


class SampleGrid(EverySteps):
    """Saves a grid of generated images, from the same noise each time, and one of real images.

    ``samples/<generator_step>.png`` and ``samples/real.png`` (held-out) in the trainer's
    ``default_root_dir``; both also go to Weights & Biases. Pixels in [-1, 1] become black to white.
    Samples that are not images of 1 or 3 channels are not drawn.

    Args:
        every: generator steps between two grids.
        n: images in a grid.
        seed: what the noise and the real images are drawn from.

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, every: int = 500, n: int = 64, seed: int = 0) -> None:
        if every < 1 or n < 1:
            raise ValueError(f"every and n must be at least 1; got every={every}, n={n}")
        super().__init__(every)
        self.n = n
        self.seed = seed
        self._draws = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, SampleDataModule) or not isinstance(pl_module, WassersteinGAN):
            raise ValueError("SampleGrid draws the samples of a WassersteinGAN beside those of a SampleDataModule")
        self._draws = len(data.sample_shape) == 3 and data.sample_shape[0] in (1, 3)
        if not self._draws:
            rank_zero_warn(f"SampleGrid draws nothing: samples of shape {data.sample_shape} are not images")
        super().on_train_start(trainer, pl_module)

    @rank_zero_only
    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if not self._draws:
            return
        gan = cast(WassersteinGAN, module)
        if gan.step == 0:
            data = cast(SampleDataModule, trainer.datamodule)  # type: ignore[attr-defined]
            n = min(self.n, data.size("heldout"))
            self._save(trainer, "real", data.draw("heldout", n, keyed_generator(self.seed, "real grid")), gan)
        self._save(trainer, f"{gan.step:07d}", gan.sample(gan.noise(self.n, "grid", self.seed)), gan)

    def _save(self, trainer: Trainer, name: str, images: Tensor, module: WassersteinGAN) -> None:
        # Small images are enlarged to about 64 pixels, without smoothing.
        factor = max(1, 64 // images.shape[-1])
        grid = make_grid(interpolate(images.float().cpu(), scale_factor=factor), normalize=True, value_range=(-1, 1))
        path = Path(trainer.default_root_dir) / "samples" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(grid, path)
        key = "samples/real" if name == "real" else "samples/generated"
        log_picture(trainer.loggers, key, path, module)
