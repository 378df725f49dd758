"""Data of a user's own: points in the plane, named in a config by their class path."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wgan_lip.data import SampleDataModule, Split, TensorSamples


class Points(SampleDataModule):
    """Two shifted Gaussians; optionally broken, as a user's might be.

    Args:
        broken: a sample that is NaN, or a split that is missing.
        dtype: of the samples.
        seed: of the order.
    """

    def __init__(self, broken: str = "", dtype: str = "float32", seed: int = 0) -> None:
        super().__init__(batch_size=50, seed=seed)
        self.broken = broken
        self.dtype = dtype

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (2,)

    def load(self) -> dict[Split, Dataset[Tensor]]:
        points = torch.randn(600, 2, generator=torch.Generator().manual_seed(0)).to(getattr(torch, self.dtype))
        if self.broken == "nan":
            points[3] = float("nan")
        splits: dict[Split, Dataset[Tensor]] = {"heldout": TensorSamples(points[:300])}
        if self.broken != "split":
            splits["train"] = TensorSamples(points[300:])
        return splits
