"""Data modules of images, with the labels beside the pixels where they are wanted."""

import math
from abc import abstractmethod

from wgan_lip.data.module import SampleDataModule
from wgan_lip.labels import default_label_distance, label_value


class ImageDataModule(SampleDataModule):
    """Images whose pixels lie in [-1, 1]; with ``labels``, images and labels together.

    With labels, a sample is the image and K further constant channels, one for each class (``wgan_lip.labels``): two
    samples of equal pixels and different labels are exactly ``label_distance`` apart in l2. A conditional Wasserstein
    GAN is then an ordinary one on the joint distribution of image and label, and every certificate and every exact W1
    holds as it stands, in the joint space.

    Args:
        labels: whether a sample holds its label.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: what the order of the training batches is drawn from.

    Raises:
        ValueError: a label distance that is not positive and finite, or one without labels; a batch below 1.
    """

    def __init__(
        self,
        labels: bool = False,
        label_distance: float | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if label_distance is not None and not labels:
            raise ValueError(f"label_distance is for labels=True; got label_distance={label_distance}, labels=False")
        if label_distance is not None and not 0 < label_distance < math.inf:
            raise ValueError(f"label_distance must be positive and finite; got label_distance={label_distance}")
        self.labels = labels
        self._label_distance = label_distance

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image, without label planes."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes that the data know, whether or not samples hold them; empty where there are none."""

    @property
    def image_channels(self) -> int:
        """The channels of a sample that are the image's; label planes follow them."""
        return self.image_shape[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """The class of each label plane, by name; empty where samples hold no labels."""
        return self.class_names if self.labels else ()

    @property
    def label_distance(self) -> float:
        """What two samples of equal pixels and different labels are apart in l2."""
        return default_label_distance(*self.image_shape) if self._label_distance is None else self._label_distance

    @property
    def sample_shape(self) -> tuple[int, ...]:
        channels, height, width = self.image_shape
        return channels + len(self.classes), height, width

    @property
    def bounds(self) -> tuple[float, float]:
        _, height, width = self.image_shape
        return -1.0, max(1.0, label_value(height, width, self.label_distance)) if self.labels else 1.0
