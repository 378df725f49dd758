"""Images in .tar files, as webdataset writes them."""

import tarfile
from pathlib import Path

from wgan_lip.data.encoded import EncodedImages
from wgan_lip.data.folder import Classes, FolderImages
from wgan_lip.files import IMAGE_SUFFIXES

_BLOCK = 512


class _Shards:
    """Images by where they lie in their archives; of each also the number in ``<key>.cls``, or None."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.tar"))
        self.places: list[tuple[int, str, int, int]] = []
        self.labels: list[int | None] = []
        for number, path in enumerate(self.paths):
            self._index(number, path)
        if not self.places:
            raise ValueError(f"{folder} holds no .tar files with images in them ({', '.join(IMAGE_SUFFIXES)})")

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> tuple[str, bytes]:
        number, name, offset, size = self.places[index]
        return f"{self.paths[number]}:{name}", _bytes(self.paths[number], offset, size)

    def _index(self, number: int, path: Path) -> None:
        labels: dict[str, int] = {}
        keys: list[str] = []
        end = 0
        try:
            # "r:" opens nothing compressed, where a member could not be reached by its offset.
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                    folder, _, name = member.name.rpartition("/")
                    stem, _, extension = name.partition(".")
                    key = f"{folder}/{stem}"
                    if not member.isfile() or name.startswith("."):
                        continue
                    if extension == "cls":
                        labels[key] = _number(path, member)
                    elif f".{extension.lower()}" in IMAGE_SUFFIXES:
                        self.places.append((number, member.name, member.offset_data, member.size))
                        keys.append(key)
        except tarfile.TarError as error:
            raise ValueError(f"{path} is damaged, or not an uncompressed .tar file: {error}") from None
        # An archive ends with a block of zeros; Python takes one that was cut off between two members for whole.
        if _bytes(path, end, _BLOCK) != bytes(_BLOCK):
            raise ValueError(f"{path} is damaged: it ends before its end mark")
        self.labels += [labels.get(key) for key in keys]


class ImageShards(FolderImages):
    """The images in a folder's .tar files, decoded when they are wanted: ``x / 127.5 - 1``.

    Archives are read in place, at any position, so they must not be compressed. If the folder has ``train/``, its
    archives train, and those in the first of ``heldout/``, ``test/`` and ``val/`` are held out. Otherwise a share of
    all images is held out, drawn once and for all: by their number and ``heldout``, nothing else. The class of
    ``KEY.png`` is the number that ``KEY.cls`` in the same archive holds as text; classes are sorted by number.

    Args:
        data_dir: the folder with the .tar files; .png, .jpg, .jpeg, .bmp and .webp in them are read.
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
        ValueError: an argument out of its range; when the folder is read: no images, a damaged or compressed archive,
            labels wanted of images without .cls; when an image is read: damaged, animated, of another size or mode
            than the first.
        FileNotFoundError: when the folder is read: there is none.

    Source:
        Aizman, Maltby, Breuel, "High performance I/O for large scale deep learning", 2020 (webdataset).
    """

    def find(self, folder: Path) -> tuple[EncodedImages, Classes | None]:
        shards = _Shards(folder)
        if not self.labels:
            return shards, None
        labels = [label for label in shards.labels if label is not None]
        if len(labels) < len(shards):
            name, _ = shards.read(shards.labels.index(None))
            raise ValueError(f"labels=True needs a .cls beside every image; {name} has none")
        return shards, labels


def _bytes(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _number(path: Path, member: tarfile.TarInfo) -> int:
    text = _bytes(path, member.offset_data, min(member.size, _BLOCK)).strip()
    if not text.isdigit():
        raise ValueError(f"{path}:{member.name} must hold the number of a class, from 0; got {text[:20]!r}")
    return int(text)
