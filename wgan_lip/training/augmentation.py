"""What is done to training images anew each time that they are seen."""

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan_lip.parts import Part


class RandomShift:
    """Moves each image by up to so many pixels, and mirrors half of them; what comes in from outside is 0.

    Args:
        pixels: largest shift, up, down, left and right; each is equally likely.
        mirror: whether left and right are exchanged with probability one half.

    Raises:
        ValueError: a negative shift.
    """

    def __init__(self, pixels: int = 1, mirror: bool = False) -> None:
        if pixels < 0:
            raise ValueError(f"pixels must be at least 0; got pixels={pixels}")
        self.pixels = pixels
        self.mirror = mirror

    def __call__(self, x: Tensor, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """The images, each changed by itself.

        Args:
            x: shape (N, C, H, W).
            generator: source of the shifts; all are drawn for the whole batch.
            part: which part of the batch x is; all of it if None.
        """
        part = part or Part(0, len(x), len(x))
        n, device = part.total, x.device
        height, width = x.shape[2:]
        if self.mirror:
            turned = torch.rand(n, generator=generator, device=generator.device).to(device) < 0.5
            x = torch.where(part.of(turned)[:, None, None, None], x.flip(3), x)
        if not self.pixels:
            return x
        drawn = torch.randint(2 * self.pixels + 1, (n, 2, 1), generator=generator, device=generator.device)
        n, shifts = len(x), part.of(drawn).to(device).unbind(1)
        rows = shifts[0] + torch.arange(height, device=device)
        columns = shifts[1] + torch.arange(width, device=device)
        padded = F.pad(x, 4 * (self.pixels,)).movedim(1, 3)
        sample = torch.arange(n, device=device)[:, None, None]
        return padded[sample, rows[:, :, None], columns[:, None, :]].movedim(3, 1)
