"""Run folders and the checkpoints in them."""

import pytest
import torch

from wgan_lip.runs.checkpoint import check_checkpoint
from wgan_lip.runs.run_folder import new_run_folder
from wgan_lip.runs.start import find_checkpoint, folder_of_checkpoint


def make_checkpoint(folder):
    (folder / "checkpoints").mkdir()
    (folder / "config.yaml").touch()
    torch.save({"wgan_lip": {"version": "0"}}, folder / "checkpoints" / "last.ckpt")
    return folder / "checkpoints" / "last.ckpt"


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    folders = {new_run_folder(str(tmp_path), "name") for _ in range(20)}
    assert len(folders) == 20
    assert {folder.parent for folder in folders} == {tmp_path / "name"}


def test_last_is_the_newest_run_that_has_a_checkpoint(tmp_path):
    first, second, third = sorted(new_run_folder(str(tmp_path), "name") for _ in range(3))
    with pytest.raises(ValueError, match="there is no run under"):
        find_checkpoint("last", str(tmp_path), "name")
    make_checkpoint(first)
    expected = make_checkpoint(second)
    # The third never began; once it has, it is the newest, whether or not it has a checkpoint.
    assert third.exists()
    assert find_checkpoint("last", str(tmp_path), "name") == expected
    assert find_checkpoint(str(second), str(tmp_path), "name") == expected
    assert find_checkpoint(str(expected), str(tmp_path), "other") == expected
    assert folder_of_checkpoint(expected) == second
    assert check_checkpoint(expected) == {"version": "0"}


def test_an_older_run_is_not_taken_for_the_newest(tmp_path):
    folders = [tmp_path / "name" / f"20261123-031030{suffix}" for suffix in ("", "-2", "-10")]
    for folder in folders:
        folder.mkdir(parents=True)
        make_checkpoint(folder)
    assert find_checkpoint("last", str(tmp_path), "name").parent.parent == folders[-1]
    (folders[-1] / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(ValueError, match=r"the newest run, .*-10, has no checkpoint"):
        find_checkpoint("last", str(tmp_path), "name")


def test_a_checkpoint_elsewhere_has_no_run_folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "last.ckpt"
    path.touch()
    assert folder_of_checkpoint(path) is None


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "-dash"])
def test_names_cannot_leave_the_folder(name, tmp_path):
    with pytest.raises(ValueError, match="name must consist of"):
        new_run_folder(str(tmp_path), name)
