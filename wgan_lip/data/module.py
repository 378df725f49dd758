"""The base of all data modules: a training split, and a held-out split that is used for evaluation only."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wgan_lip.data.loader import ResumableLoader, SampleLoader, collate, position_of, take
from wgan_lip.parts import Part

Split = Literal["train", "heldout"]


class SampleDataModule(LightningDataModule, ABC):
    """Samples of a distribution in two fixed splits.

    The training split is shuffled by ``seed``; the held-out split is both the validation and the test set, since no
    choice is made on it.

    Args:
        batch_size: samples in a training batch, all ranks together.
        num_workers: processes that read ahead.
        seed: determines the order of the training batches; the splits do not depend on it.
    """

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got batch_size={batch_size}")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self._splits: dict[Split, Dataset[Tensor]] = {}
        self._loader: ResumableLoader | None = None
        self._position: dict[str, int] | None = None

    @property
    @abstractmethod
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch axis."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval that holds every coordinate of the distribution; None if unknown."""
        return None

    @abstractmethod
    def load(self) -> dict[Split, Dataset[Tensor]]:
        """Read both splits as map-style datasets of tensors."""

    def setup(self, stage: str | None = None) -> None:
        if not self._splits:
            splits = self.load()
            if set(splits) != {"train", "heldout"}:
                raise ValueError(f'{type(self).__name__}.load must return "train" and "heldout"; got {sorted(splits)}')
            self._splits = splits

    def split(self, name: Split) -> Dataset[Tensor]:
        """Return a split as a map-style dataset.

        Args:
            name: "train" or "heldout".
        """
        self.setup()
        return self._splits[name]

    def size(self, name: Split) -> int:
        """Return the number of samples in a split."""
        return len(self.split(name))  # type: ignore[arg-type]

    def draw(self, name: Split, n: int, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """Draw ``n`` samples of a split without replacement.

        Args:
            name: "train" or "heldout".
            n: the number of samples, at most ``size(name)``.
            generator: a CPU generator.
            part: the part of the n samples to read; None for all.

        Returns:
            Shape ``(n, *sample_shape)``; for a part, its rows.

        Raises:
            ValueError: the split holds fewer than n samples, or a sample holds NaN or infinity.
        """
        size = self.size(name)
        if not 1 <= n <= size:
            raise ValueError(
                f"n must be between 1 and the {size} samples in {type(self).__name__}'s {name} split; got n={n}"
            )
        chosen = torch.randperm(size, generator=generator)[:n]
        drawn = take(self.split(name), (chosen if part is None else part.of(chosen)).tolist())
        check_samples(f"{type(self).__name__}'s {name} split", drawn)
        return drawn

    def train_dataloader(self) -> ResumableLoader:
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        loader = ResumableLoader(self.split("train"), self.batch_size, self.seed, self.num_workers, rank, ranks)
        if self._position is not None:
            loader.load_state_dict(self._position)
            self._position = None
        self._loader = loader
        return loader

    def state_dict(self) -> dict[str, Any]:
        # Lightning also saves the loader's state, but does not restore it if a run was resumed at the end of an epoch
        # and stopped again in the next one.
        return {} if self._loader is None else dict(self._loader.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._position = {"position": position_of(state_dict)} if state_dict else None

    def val_dataloader(self) -> DataLoader[Tensor]:
        return SampleLoader(self.split("heldout"), self.batch_size, num_workers=self.num_workers, collate_fn=collate)

    def test_dataloader(self) -> DataLoader[Tensor]:
        return self.val_dataloader()


def check_samples(name: str, samples: Tensor) -> None:
    """Raise ValueError unless ``samples`` are finite.

    Args:
        name: the name of the data in the error.
        samples: shape ``(n, ...)``.
    """
    bad = ~torch.isfinite(samples.flatten(1)).all(dim=1)
    if bad.any():
        raise ValueError(f"{name} holds NaN or infinity in {int(bad.sum())} of {len(samples)} samples that were read")
