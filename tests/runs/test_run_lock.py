"""Locks of folders: who comes second is refused, and whoever is gone holds nothing."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys

import pytest

from tests.runs.lock_holder import content, holding
from wgan_lip.runs import run_lock
from wgan_lip.runs.launcher import process_identity
from wgan_lip.runs.run_lock import check_not_locked, locked

SLURM = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "wgan"}
IN_USE = (
    r"/a is in use by process 4711 on node7, since 2026-11-28 10:00:00: wait until that ends, or choose another name "
    r"\(if its machine is gone, remove .*/a/lock\)$"
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(run_lock, "_PATIENCE_SECONDS", 0.1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


def refused(folder, environ=None):
    with locked(folder, environ or {}):
        pytest.fail("the lock was got")


def test_the_holder_is_named_and_another_folder_is_free(folder, tmp_path):
    with holding(folder, content()):
        with pytest.raises(ValueError, match=IN_USE):
            refused(folder)
        with locked(tmp_path, {}):
            said = json.loads((tmp_path / "lock").read_text())
    assert (said["host"], said["pid"]) == (socket.gethostname(), os.getpid())
    assert not (tmp_path / "lock").exists()


def test_a_killed_holder_holds_nothing(folder):
    with holding(folder, content()) as process:
        process.kill()
        process.wait()
        assert (folder / "lock").exists()
        with locked(folder, {}):
            pass
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("said", [content(), content(host=socket.gethostname(), pid=os.getppid()), "", "[[", "7", "{}"])
def test_a_file_alone_locks_nothing(said, folder):
    # Another machine's, a process whose number another one has now, and what is no holder at all.
    (folder / "lock").write_text(said)
    with locked(folder, {}):
        assert json.loads((folder / "lock").read_text())["pid"] == os.getpid()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "said", ["", "[" * 100_000, '{"host": 3}', content(pid="x"), content(host="\x1b[2J"), "\0\xff"]
)
def test_a_holder_that_says_nothing_is_another_process(said, folder):
    with holding(folder, "" if "\0" in said or len(said) > 1000 else said):
        (folder / "lock").write_text(said)
        with pytest.raises(ValueError, match=r"/a is in use by another process: wait"):
            refused(folder)


@pytest.mark.parametrize(
    ("job", "restarts", "again", "free"),
    [
        ("77.0", 0, "1", True),
        ("77.0", 1, "2", True),
        # The same start of the same job, another step, another job, and none.
        ("77.0", 1, "1", False),
        ("77.0", 0, "", False),
        ("77.1", 0, "1", False),
        ("78.0", 0, "1", False),
        (None, 0, "1", False),
    ],
)
def test_a_requeued_job_does_not_wait_for_the_machine_that_it_lost(job, restarts, again, free, folder):
    environ = {**SLURM, "SLURM_RESTART_COUNT": again}
    with holding(folder, content(job=job, restarts=restarts)):
        if free:
            with locked(folder, environ):
                assert json.loads((folder / "lock").read_text())["restarts"] == int(again)
        else:
            with pytest.raises(ValueError, match=IN_USE):
                refused(folder, environ)


def test_other_processes_of_the_job_pass_and_those_of_another_do_not(folder):
    check_not_locked(folder, SLURM)
    with holding(folder, content(job="77.0")):
        check_not_locked(folder, SLURM)
        with pytest.raises(ValueError, match=IN_USE):
            check_not_locked(folder, {**SLURM, "SLURM_JOB_ID": "78"})
        # Whatever started them, it ends them when the first is refused.
        check_not_locked(folder, {})
    (folder / "lock").write_text(content(job="79.0"))
    check_not_locked(folder, SLURM)


@pytest.mark.filterwarnings("ignore:.* is on a file system without locks")
@pytest.mark.parametrize(
    ("process", "host", "free"),
    [
        (None, socket.gethostname(), False),
        # Its number is another process's now; it is gone; it cannot be seen.
        ("-1", socket.gethostname(), True),
        ("gone", socket.gethostname(), True),
        (None, "node7", True),
    ],
)
def test_without_locks_a_live_process_of_this_machine_alone_is_minded(process, host, free, folder, monkeypatch):
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", unsupported)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        pid = other.pid
        said = content(host=host, pid=pid, process=f"{pid}-1" if process == "-1" else process_identity(pid))
        if process == "gone":
            other.kill()
            other.wait()
        (folder / "lock").write_text(said)
        if free:
            with locked(folder, {}):
                assert json.loads((folder / "lock").read_text())["pid"] == os.getpid()
            assert list(folder.iterdir()) == []
        else:
            with pytest.raises(ValueError, match=f"in use by process {pid} on {host}"):
                refused(folder)
        other.kill()


def test_a_lock_that_somebody_removed_is_not_removed_again(folder):
    with locked(folder, {}):
        (folder / "lock").unlink()
        (folder / "lock").write_text("another's")
    assert (folder / "lock").read_text() == "another's"


def test_a_link_is_not_followed(folder, tmp_path):
    (tmp_path / "keys").write_text("keys")
    (folder / "lock").symlink_to(tmp_path / "keys")
    with pytest.raises(OSError, match=r"lock is a link"):
        refused(folder)
    assert (tmp_path / "keys").read_text() == "keys"


def test_an_error_ends_it_too(folder):
    with pytest.raises(KeyboardInterrupt), locked(folder, {}):
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == []
