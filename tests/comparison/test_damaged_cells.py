"""Damaged files of a comparison: each is named in one line, whatever is in it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.comparison.test_comparison import CRITICS, cells, config
from tests.support.commands import failure, run
from wgan_lip.comparison import Outcome, Store, run_cells

REFUSED = r"{}\.json is not a result of a comparison: .*; remove it$"


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Any, str]:
    """A cell, and what its file says."""
    folder = tmp_path_factory.mktemp("cells")
    (cell,) = cells({"MaxMin": CRITICS["MaxMin"]}, seeds=(0,))
    (outcome,) = run_cells([cell], Store(folder))
    assert isinstance(outcome, Outcome)
    return cell, (folder / f"{cell.key}.json").read_text()


def gathered(folder: Path, cell: Any, content: bytes) -> Outcome:
    """What is made of a file."""
    (folder / f"{cell.key}.json").write_bytes(content)
    (outcome,) = run_cells([cell], Store(folder))
    assert isinstance(outcome, Outcome)
    return outcome


def test_a_flipped_bit_changes_no_number_in_silence(kept, tmp_path):
    cell, text = kept
    draw, expected, refused = np.random.default_rng(0), gathered(tmp_path, cell, text.encode()), []
    for _ in range(400):
        content = bytearray(text.encode())
        content[draw.integers(len(content))] ^= 1 << int(draw.integers(8))
        try:
            # In a label, or between two values.
            assert gathered(tmp_path, cell, bytes(content)) == expected
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 150
    assert all(re.search(REFUSED.format(cell.key), said) for said in refused)


def test_a_part_of_it_is_refused(kept, tmp_path):
    cell, text = kept
    for end in range(0, len(text), 23):
        with pytest.raises(ValueError, match=REFUSED.format(cell.key)):
            gathered(tmp_path, cell, text[:end].encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff\xfe",
        b"[" * 100_000,
        b"7",
        b"null",
        b'"text"',
        b"[]",
        b"{}",
        b'{"result": null}',
        b'{"result": []}',
        b'{"result": {"estimate": 3, "seconds": 1}}',
        b'{"result": {"estimate": {}, "seconds": 1}}',
        b'{"result": ' + b"1" * 5000 + b"}",
        np.random.default_rng(1).bytes(3000),
    ],
)
def test_what_is_no_cell_is_refused(content, kept, tmp_path):
    with pytest.raises(ValueError, match=REFUSED.format(kept[0].key)):
        gathered(tmp_path, kept[0], content)


@pytest.mark.parametrize("value", ["text", [1.0], {}, True, 10**400])
def test_a_value_of_another_kind_is_refused(value, kept, tmp_path):
    cell, text = kept
    names = [*json.loads(text)["result"]["estimate"], "of the training"]
    for name in names:
        content = json.loads(text)
        # As older files are, which have no digest.
        del content["digest"]
        (content["result"] if name == "of the training" else content["result"]["estimate"])[
            "seconds" if name == "of the training" else name
        ] = value
        with pytest.raises(ValueError, match=name):
            gathered(tmp_path, cell, json.dumps(content).encode())


def test_a_file_without_a_digest_is_read(kept, tmp_path):
    cell, text = kept
    content = json.loads(text)
    del content["digest"]
    assert gathered(tmp_path, cell, json.dumps(content).encode()) == gathered(tmp_path, cell, text.encode())


def test_the_command_says_it_in_one_line(kept, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "out"
    options = ("compare", "-c", config(tmp_path, CRITICS), "--folder", folder, "--jobs=1", "--wandb.mode=disabled")
    run(monkeypatch, *options)
    path = next((folder / "cells").iterdir())
    path.write_bytes(path.read_bytes()[:-40])
    assert f"{path} is not a result of a comparison" in failure(capsys, monkeypatch, *options)
