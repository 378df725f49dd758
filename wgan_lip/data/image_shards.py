"""Images in .tar files, as webdataset writes them, or anyone."""

import posixpath
import tarfile
from collections import Counter
from pathlib import Path

from wgan_lip.data.archives import MemberName, followed, members_of
from wgan_lip.data.folder import FolderImages, Found
from wgan_lip.files import IMAGE_SUFFIXES, TO_NOWHERE, describe_left_out, kind_by_name, list_files, read_regular, shown

# A class's number has fewer digits.
_LONGEST = 512


class _Shards:
    """Images by where they lie in their archives; of each also the number in its ``.cls``, or None."""

    def __init__(self, folder: Path) -> None:
        listing = list_files(folder, (".tar",))
        self.paths = listing.paths
        self.left_out = Counter(listing.left_out)
        self.places: list[tuple[int, str, int, int]] = []
        self.labels: list[int | None] = []
        self._versions = [_version(path) for path in self.paths]
        for number, path in enumerate(self.paths):
            self._index(number, path)
        if not self.places:
            left_out = describe_left_out(self.left_out)
            raise ValueError(
                f"{shown(folder)} holds no .tar files with images in them ({', '.join(IMAGE_SUFFIXES)})"
                + (f"; {left_out}" if left_out else "")
            )

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> tuple[str, bytes]:
        number, name, offset, size = self.places[index]
        path = self.paths[number]
        if _version(path) != self._versions[number]:
            raise ValueError(f"{shown(path)} has changed since the images in it were listed")
        return shown(f"{path}:{name}"), read_regular(path, offset, size)

    def _index(self, number: int, path: Path) -> None:
        members = members_of(path)
        named = {posixpath.normpath(member.name): member for member in members}
        images: list[tuple[MemberName, tarfile.TarInfo]] = []
        labels: dict[tuple[str, str], int] = {}
        for member in members:
            name, file = MemberName(member.name), followed(member, named)
            if file is None:
                self.left_out[name.hidden or TO_NOWHERE] += 1
            elif file.isdir():
                continue
            elif odd := name.hidden or _odd(file):
                self.left_out[odd] += 1
            elif name.suffix == ".cls":
                labels[name.folder, name.stem] = _number(path, file)
            elif name.suffix in IMAGE_SUFFIXES:
                images.append((name, file))
            else:
                self.left_out[kind_by_name(name.name)] += 1
        whole = {(name.folder, name.key) for name, _ in images if not name.between}
        for name, file in images:
            if name.is_part and (name.folder, name.key) in whole:
                self.left_out[f"{name.between.lower()}{name.suffix}"] += 1
                continue
            self.places.append((number, name.path, file.offset_data, file.size))
            self.labels.append(labels.get((name.folder, name.stem), labels.get((name.folder, name.key))))


class ImageShards(FolderImages):
    """The images in a folder's .tar files, decoded when they are wanted: ``x / 127.5 - 1``.

    Archives are read in place, at any position, so they must not be compressed. If the folder has ``train/``, its
    archives train, and those in the first of ``heldout/``, ``test/`` and ``val/`` are held out; they may also be called
    ``Training``, ``TEST`` or ``validation`` (``split_names``). Otherwise a share of all images is held out, drawn once
    and for all: by their number and ``heldout``, nothing else.

    Every image in an archive is read, whatever dots its name has: ``crop_0.7.png``, ``0001.input.png``. Only beside
    ``KEY.png``, where KEY has no dot, further images such as ``KEY.seg.png`` are parts of the same sample, as
    webdataset has it, and left out; not so where but numbers come between. The class of ``NAME.png`` is the number that
    ``NAME.cls`` in the same archive holds as text, or that of its KEY, which is NAME up to the first dot; classes are
    sorted by number.

    Args:
        data_dir: the folder with the .tar files, also in folders within it; files in them that are named as images
            (``wgan_lip.files.IMAGE_SUFFIXES``) are read, others are counted and left out.
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
            labels wanted of images without .cls, one split alone, two folders for one split, or splits deeper than the
            folder; when an image is read: damaged, of another size or mode than the first, or in an archive that has
            changed since.
        FileNotFoundError: when the folder is read: there is none.

    Source:
        Aizman, Maltby, Breuel, "High performance I/O for large scale deep learning", 2020 (webdataset).
    """

    def find(self, folder: Path) -> Found:
        shards = _Shards(folder)
        if not self.labels:
            return Found(shards, None, shards.paths, shards.left_out)
        labels = [label for label in shards.labels if label is not None]
        if len(labels) < len(shards):
            name, _ = shards.read(shards.labels.index(None))
            raise ValueError(f"labels=True needs a .cls beside every image; {name} has none")
        return Found(shards, labels, shards.paths, shards.left_out)


def _odd(file: tarfile.TarInfo) -> str:
    """What a member is counted as whose content does not lie in one piece, if any; otherwise nothing."""
    if file.issparse():
        return "sparse"
    return "" if file.isreg() else "named pipe" if file.isfifo() else "device"


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _number(path: Path, member: tarfile.TarInfo) -> int:
    text = read_regular(path, member.offset_data, min(member.size, _LONGEST)).strip()
    if not text.isdigit():
        name = shown(f"{path}:{member.name}")
        raise ValueError(f"{name} must hold the number of a class, from 0; got {text[:20]!r}")
    return int(text)
