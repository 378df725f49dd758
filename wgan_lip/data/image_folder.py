"""Any folder of images."""

from collections.abc import Sequence
from pathlib import Path

from wgan_lip.data.folder import FolderImages, Found
from wgan_lip.files import list_images, read_regular, shown


class _Files:
    """Images, each a file of its own."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> tuple[str, bytes]:
        path = self.paths[index]
        try:
            return shown(path), read_regular(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"{shown(path)} has been removed since the folder was listed") from None


class ImageFolder(FolderImages):
    """The images in a folder and in those within it, decoded when they are wanted: ``x / 127.5 - 1``.

    If the folder has ``train/``, that trains, and the first of ``heldout/``, ``test/`` and ``val/`` is held out; they
    may also be called ``Training``, ``TEST`` or ``validation`` (``split_names``), but are never classes. Otherwise a
    share of all images is held out, drawn once and for all: by their number and ``heldout``, nothing else. An image's
    class is the topmost folder that it lies in (below ``train/`` and so on); classes are sorted by name.

    Args:
        data_dir: the folder; files named as images (``wgan_lip.files.IMAGE_SUFFIXES``) are read, others are counted and
            left out; links are followed.
        image_size: height and width: images are cropped to the square in the middle and resized, bilinear with
            antialiasing. None leaves them as they are; they must then be of one size.
        channels: convert to grey (1) or RGB (3), as Pillow does, but 16 bits scaled to 8; None takes images that are
            all grey or all RGB.
        labels: whether a sample holds its label, as a constant channel for each class beside the image.
        label_distance: between two labels, in l2; None is half the square root of the number of pixel values.
        batch_size: samples in a training batch.
        num_workers: processes that read ahead.
        seed: what the order of the training batches is drawn from.
        heldout: how much is held out, as a share or a number of images; None is a tenth. Not for a folder that has
            a held-out split of its own.

    Raises:
        ValueError: an argument out of its range; when the folder is read: no images, labels wanted of images in no
            class folder, one split alone, two folders for one split, or splits deeper than the folder; when an image is
            read: damaged, of another size or mode than the first.
        FileNotFoundError: when the folder is read: there is none.
    """

    def find(self, folder: Path) -> Found:
        listing = list_images(folder)
        images = _Files(listing.paths)
        if not self.labels:
            return Found(images, None, listing.paths, listing.left_out)
        for path in listing.paths:
            if path.parent == folder:
                raise ValueError(
                    f"labels=True needs every image in a folder named by its class; {shown(path)} is in none"
                )
        classes = [path.relative_to(folder).parts[0] for path in listing.paths]
        return Found(images, classes, listing.paths, listing.left_out)
