"""What torch.save wrote is read as it was; nothing of a file with a single changed bit, or of a crafted one."""

import io
import pickletools
import random
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from tests.saved.archives import members_of, rewritten, saved
from tests.training.builders import fit, tiny_gan
from tests.training.estimators import tiny_estimator
from tests.training.test_resume import same_state
from wgan_lip.distributions.funnels import read_funnels
from wgan_lip.files import load_samples
from wgan_lip.runs.checkpoint import load_checkpoint
from wgan_lip.saved import load_saved
from wgan_lip.training.callbacks.feature_quality import load_features

WHAT = "a file of this test"
REFUSED = f"is truncated, damaged, or not {WHAT}: "
SMALL = {"x": torch.arange(6.0).reshape(2, 3), "step": 3, "name": "é", "none": None, "empty": torch.zeros(0, 2)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> bytes:
    """A run's."""
    folder = tmp_path_factory.mktemp("saved")
    fit(folder, gan=tiny_gan(generator_steps=2))
    return (folder / "checkpoints" / "last.ckpt").read_bytes()


def load(content: bytes, path: Path) -> Any:
    path.write_bytes(content)
    return load_saved(path, WHAT)


VALUES = {
    "strided": torch.arange(20.0).reshape(4, 5).T[1:, ::2],
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(True),
    "bfloat16": torch.ones(3, dtype=torch.bfloat16),
    "complex": torch.ones(2, dtype=torch.complex64),
    "uint16": torch.zeros(3, dtype=torch.uint16),
    "float8": torch.ones(2).to(torch.float8_e4m3fn),
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "module": torch.nn.BatchNorm1d(3).state_dict(),
    "optimiser": torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict(),
    "plain": {"a": (1, (-(2**40), [1e300, None, True, "\x1b"])), 3: torch.Size([2]), "d": torch.device("cpu")},
    "dtype": [torch.float16, torch.int64],
}


@pytest.mark.parametrize("name", VALUES)
def test_what_was_saved_is_what_is_loaded(name, tmp_path):
    content = saved(VALUES[name])
    (tmp_path / "theirs.pt").write_bytes(content)
    ours, theirs = load(content, tmp_path / "a.pt"), torch.load(tmp_path / "theirs.pt", weights_only=True)
    assert type(ours) is type(theirs)
    assert same_state(ours, theirs)
    assert getattr(ours, "_metadata", None) == getattr(theirs, "_metadata", None)
    assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)


def test_tensors_that_share_memory_still_do(tmp_path):
    whole = torch.zeros(4)
    loaded = load(saved([whole, whole[2:]]), tmp_path / "a.pt")
    loaded[0][3] = 7.0
    assert loaded[1].tolist() == [0.0, 7.0]


def test_a_checkpoint_of_a_plain_trainer_is_loaded(tmp_path):
    """Of Lightning's own callback, without what this package's keeps in it."""
    module = tiny_estimator(steps=3)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        logger=False,
        callbacks=[pl.callbacks.ModelCheckpoint(tmp_path)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    loaded = load_checkpoint(tmp_path / "last.ckpt")
    assert loaded["wgan_lip"]["critic_step"] == 3
    assert same_state(dict(loaded["state_dict"]), dict(module.state_dict()))
    assert any(name.startswith("ModelCheckpoint") for name in loaded["callbacks"])


def test_no_bit_of_a_file_can_be_flipped_in_silence(tmp_path):
    """Each bit: of contents, headers, padding, the list of members and the end."""
    content, path = bytearray(saved({"x": torch.arange(3.0)})), tmp_path / "a.pt"
    assert load(bytes(content), path)["x"].tolist() == [0, 1, 2]
    for bit in range(8 * len(content)):
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=REFUSED):
            load(bytes(content), path)
        content[bit // 8] ^= 1 << bit % 8


def test_300_random_bits_of_a_checkpoint(checkpoint, tmp_path):
    bits = random.Random(19)  # noqa: S311
    path = tmp_path / "last.ckpt"
    path.write_bytes(checkpoint)
    load_checkpoint(path)
    for _ in range(300):
        flipped = bytearray(checkpoint)
        flipped[bits.randrange(len(flipped))] ^= 1 << bits.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"last\.ckpt is truncated, damaged, or not a checkpoint of wgan-lip: "):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (load_samples, torch.arange(8.0)),
        (read_funnels, {"net.centers": torch.zeros(2, 3), "net.bias": torch.zeros(2)}),
        (load_features, {"input_shape": [1, 8, 8], "features": 4, "state": {}}),
    ],
)
def test_every_reader_sees_a_flipped_bit(read, content, tmp_path):
    """A weight times 2^128, say: the last bit but one of the first number."""
    path = tmp_path / "a.pt"
    whole = bytearray(saved(content))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        last = max(archive.infolist(), key=lambda member: member.header_offset if "/data/0" in member.filename else -1)
        name = last.filename.encode() if "/data/0" in last.filename else b"archive/data.pkl"
    at = whole.index(name) + len(name) + 100
    whole[at] ^= 1 << 6
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.pt.*truncated, damaged, or not"):
        read(path)


def test_bytes_cut_off_or_added_are_seen(checkpoint, tmp_path):
    path = tmp_path / "a.pt"
    for content in (
        *(checkpoint[:n] for n in (0, 3, 100, len(checkpoint) // 2, len(checkpoint) - 1)),
        *(checkpoint + b"x", checkpoint + checkpoint, b"x" + checkpoint, checkpoint[:2000] + b"Z" + checkpoint[2000:]),
    ):
        with pytest.raises(ValueError, match=REFUSED):
            load(content, path)


def test_random_bytes_are_one_error(tmp_path):
    """And nothing else, whatever the unpickler would have raised: bytes, archives of them, and pickles of them."""
    bits, path = random.Random(19), tmp_path / "a.pt"  # noqa: S311
    base = saved(SMALL)
    for i in range(2000):
        content = bits.randbytes(bits.randrange(200))
        made = (content, b"PK\x03\x04" + content, b"\x80\x02" + content + b".")[i % 3]
        with pytest.raises(ValueError, match=REFUSED):
            load(made, path)
        pickled = rewritten(base, {"data.pkl": b"\x80\x02" + content + b"."})
        assert loads_or_is_refused(pickled, path)


def test_random_operations_are_one_error_or_plain_values(tmp_path):
    """Pickles with other operations and arguments, and checksums that are right: a good many still load."""
    bits, path = random.Random(19), tmp_path / "a.pt"  # noqa: S311
    base = saved(SMALL)
    whole = members_of(base)["data.pkl"]
    operations = [one.code.encode("latin1") for one in pickletools.opcodes]
    loaded = 0
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(bits.choice((1, 1, 2, 4))):
            at = bits.randrange(len(content))
            kind = bits.randrange(3)
            if kind == 0:
                content[at] ^= 1 << bits.randrange(8)
            elif kind == 1:
                content[at : at + 1] = bits.choice(operations)
            else:
                del content[at : at + bits.randrange(1, 20)]
        with warnings.catch_warnings(action="error"):
            done = loads_or_is_refused(rewritten(base, {"data.pkl": bytes(content)}), path)
        assert done
        loaded += done == "loads"
    assert 50 < loaded < 1500


def loads_or_is_refused(content: bytes, path: Path) -> str:
    """Whatever is neither fails the test."""
    try:
        value = load(content, path)
    except ValueError as error:
        return "is refused" if REFUSED in str(error) else ""
    return "loads" if _is_plain(value) else ""


def _is_plain(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.layout == torch.strided and value.device.type == "cpu" and value.numel() <= 6
    if isinstance(value, dict | list | tuple):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        return all(map(_is_plain, parts))
    return value is None or isinstance(value, bool | int | float | str | torch.dtype)


def crafted(operations: bytes) -> bytes:
    return rewritten(saved(torch.arange(4.0)), {"data.pkl": b"\x80\x02" + operations + b"."})


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
HOOKS = b"\x89ccollections\nOrderedDict\n)RtR"


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (b"cbuiltins\nbytearray\n\x8a\x08" + bytes(6) + b"\x10\x00\x85R", "it holds builtins.bytearray"),
        (b"cos\nsystem\nX\x01\x00\x00\x00x\x85R", "it holds os.system"),
        (b"ctorch\nTensor\nK\x09\x85R", "it holds torch.Tensor"),
        (b"ccollections\nOrderedDict\n]\x85R", "it makes an ordered mapping from another value"),
        (b"ccollections\nOrderedDict\n", "it does not end with one value"),
        (b"]ctorch\nFloatStorage\na", "which is neither a tensor nor a plain value"),
        (b"]" + b"\x85" * 200000 + b"", "nested more than 100 deep"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x09\x85K\x01\x85" + HOOKS, "ends at number 8 of"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x09\x85K\x00\x85" + HOOKS, "of 9 numbers, of"),
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00J\xff\xff\xff\xff\x85K\x01\x85" + HOOKS,
            "impossible shape",
        ),
        (STORAGE.replace(b"K\x04", b"K\x05"), "is missing, or not of the size that the pickle says"),
        (STORAGE.replace(b"cpu", b"c\x1bu"), r"it has a storage on the unknown device 'c\x1bu'"),
        (STORAGE.replace(b"Float", b"Bogus"), "it holds torch.BogusStorage"),
        (b"}X\x01\x00\x00\x00a]q\x00sh\x00K\x01a", "holds itself, or is changed after"),
    ],
)
def test_what_is_not_built(operations, message, tmp_path):
    with pytest.raises(ValueError, match=REFUSED) as error:
        load(crafted(operations), tmp_path / "a.pt")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_archives_of_other_programs_are_refused(tmp_path):
    """Compressed, they could be a thousand times larger than they look."""
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", how) as archive:
            for name, member in members_of(saved(SMALL)).items():
                archive.writestr(f"archive/{name}", member)
        with pytest.raises(ValueError, match=r"is not as torch\.save writes it"):
            load(file.getvalue(), tmp_path / "a.pt")


def test_files_of_before_the_zip_format_are_named_as_such(tmp_path):
    torch.save(SMALL, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"not a zip archive, which torch\.save has written since PyTorch 1\.6"):
        load_saved(tmp_path / "a.pt", WHAT)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="must be a regular file"):
        load_saved(tmp_path, WHAT)
    with pytest.raises(FileNotFoundError):
        load_saved(tmp_path / "none.pt", WHAT)
