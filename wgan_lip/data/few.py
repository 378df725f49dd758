"""Classification with few training images of each class."""

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from wgan_lip.data.images import ImageDataModule
from wgan_lip.data.loader import take
from wgan_lip.data.module import Split
from wgan_lip.labels import split_labels
from wgan_lip.randomness import keyed_generator

_CHUNK = 4096


class FewPerClass(ImageDataModule):
    """Another data module's images, with a limited number of each class to train on; the held-out split is whole.

    Args:
        data: labelled images (``labels: true``).
        per_class: images of each class in the training split, drawn without replacement.
        subset_seed: determines which these are, so that runs of different ``seed`` train on the same images.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: determines the order of the training batches.

    Raises:
        ValueError: data without labels, or a count below 1; when the data are read: a class with fewer images.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, appendix (classification with
        limited data).
    """

    def __init__(
        self,
        data: ImageDataModule,
        per_class: int,
        subset_seed: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(True, data.label_distance if data.labels else None, batch_size, num_workers, seed)
        if not data.labels:
            raise ValueError(f"data must have labels=True; got a {type(data).__name__} with labels=False")
        if per_class < 1:
            raise ValueError(f"per_class must be at least 1; got per_class={per_class}")
        self.data = data
        self.per_class = per_class
        self.subset_seed = subset_seed

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.data.image_shape

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.data.class_names

    def prepare_data(self) -> None:
        self.data.prepare_data()

    def load(self) -> dict[Split, Dataset[Tensor]]:
        train = self.data.split("train")
        labels = self._labels(train)
        order = torch.randperm(len(labels), generator=keyed_generator(self.subset_seed, "few per class"))
        chosen = []
        for index, name in enumerate(self.class_names):
            found = order[labels[order] == index]
            if len(found) < self.per_class:
                raise ValueError(
                    f"per_class must be at most the number of training images of each class; got per_class="
                    f"{self.per_class} and {len(found)} images of class {name!r}"
                )
            chosen.append(found[: self.per_class])
        return {
            "train": Subset(train, torch.cat(chosen).sort().values.tolist()),
            "heldout": self.data.split("heldout"),
        }

    def _labels(self, dataset: Dataset[Tensor]) -> Tensor:
        size = len(dataset)  # type: ignore[arg-type]
        parts = (range(start, min(start + _CHUNK, size)) for start in range(0, size, _CHUNK))
        return torch.cat([split_labels(take(dataset, list(part)), len(self.class_names))[1] for part in parts])
