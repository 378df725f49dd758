"""The lock of a run's or a comparison's folder: one process at a time writes there, and others are refused."""

import errno
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_warn

from wgan_lip.replaced import check_no_link
from wgan_lip.runs.launcher import in_slurm, process_identity

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Note [what a lock is]
# The lock is the operating system's, on the file ``lock`` in the folder. It ends with the process that holds it,
# however that ends, so the file of a killed process locks nothing, even if another process has the same pid now. It
# holds across machines where the file system supports locks (NFS, Lustre with -o flock). The content of the file is
# for users, and for three cases: a file system without locks, where a holder on this machine is recognised by its pid
# and start time; a machine that went down while its lock is still held on the server, which a requeued job recognises
# as its own; and the processes that Lightning's launcher starts, which find their run as the one that their parent
# locks.
_FILE = "lock"
# Processes that look at the lock hold it for a moment.
_PATIENCE_SECONDS = 1.0
_HELD = (errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        host: the machine's name.
        pid: of the process.
        process: its ``process_identity``.
        since: the time at which it took the lock.
        job: the Slurm job and step that it belongs to, whose processes train together; None outside of Slurm.
        restarts: how often that job was requeued before.
        checkpoint: from which the run in the folder resumes; None if from none.
    """

    host: str
    pid: int
    process: str
    since: str
    job: str | None
    restarts: int
    checkpoint: str | None = None

    @classmethod
    def this(cls, environ: Mapping[str, str], checkpoint: Path | None = None) -> "Holder":
        """Describe this process.

        Args:
            environ: its environment.
            checkpoint: from which its run resumes.
        """
        pid = os.getpid()
        restarts = environ.get("SLURM_RESTART_COUNT", "")
        return cls(
            socket.gethostname(),
            pid,
            process_identity(pid),
            time.strftime("%Y-%m-%d %H:%M:%S"),
            f"{environ['SLURM_JOB_ID']}.{environ.get('SLURM_STEP_ID', '0')}" if in_slurm(environ) else None,
            int(restarts) if restarts.isdecimal() else 0,
            None if checkpoint is None else str(checkpoint),
        )

    @property
    def is_alive_here(self) -> bool:
        """True if it still runs on this machine; processes of other machines cannot be seen."""
        return self.host == socket.gethostname() and "-" in self.process and process_identity(self.pid) == self.process


@contextmanager
def locked(folder: Path, environ: Mapping[str, str], checkpoint: Path | None = None) -> Iterator[None]:
    """Hold the lock of a folder, which ends with this process at the latest.

    Args:
        folder: in which no other process is to write.
        environ: of this process.
        checkpoint: from which the run in the folder resumes, for ``locked_by``.

    Raises:
        ValueError: another process holds it.
        OSError: there can be no lock.
    """
    path, us = folder / _FILE, Holder.this(environ, checkpoint)
    descriptor = _taken(path, us)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(us)).encode(), 0)
        yield
    finally:
        # While it is still held, so that only our own is removed.
        with suppress(OSError):
            if _is_at(descriptor, path):
                path.unlink()
        os.close(descriptor)


def locked_by(process: str, parent: Path) -> tuple[Path, Path | None] | None:
    """Find the folder of which a process of this machine holds the lock, and the checkpoint from which it resumes.

    Args:
        process: its ``process_identity``.
        parent: of the folders that are searched.

    Returns:
        None if it holds none of their locks.
    """
    for path in parent.glob(f"*/{_FILE}"):
        holder = _read(path)
        if holder is not None and (holder.host, holder.process) == (socket.gethostname(), process):
            return path.parent, Path(holder.checkpoint) if holder.checkpoint else None
    return None


def check_not_locked(folder: Path, environ: Mapping[str, str]) -> None:
    """Check that the lock of a folder is not another job's; for the tasks of a Slurm job other than rank 0.

    Other launchers end all processes when rank 0 is refused.

    Args:
        folder: in which rank 0 of the job is to write.
        environ: of this process.

    Raises:
        ValueError: a process of another job, or of none, holds its lock.
    """
    path, us = folder / _FILE, Holder.this(environ)
    end = time.monotonic() + _PATIENCE_SECONDS
    while us.job is not None and _is_held(path):
        holder = _read(path)
        if holder is not None and holder.job == us.job:
            return
        # Rank 0 may hold it, and not have written the file yet.
        if time.monotonic() > end:
            raise ValueError(_refusal(path, holder))
        time.sleep(0.05)


def _taken(path: Path, us: Holder) -> int:
    """Open the file and take its lock; returns the descriptor."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            held = not _lock(descriptor, path, "LOCK_EX")
            if not held and _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        holder = _read(path) if held else None
        if holder is not None and holder.job is not None and holder.job == us.job and holder.restarts < us.restarts:
            # Slurm restarts a job only after it ended: the lock is left of a machine that went down.
            path.unlink(missing_ok=True)
        elif held and time.monotonic() > end:
            raise ValueError(_refusal(path, holder))
        elif held:
            time.sleep(0.05)


def _lock(descriptor: int, path: Path, kind: str) -> bool:
    """Try to take the lock; returns whether it was taken."""
    if fcntl is not None:
        try:
            fcntl.lockf(descriptor, getattr(fcntl, kind) | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in _HELD:
                return False
        rank_zero_warn(f"{path.parent} is on a file system without locks: let no other machine train in it")
    holder = _read(path)
    return holder is None or holder.pid == os.getpid() or not holder.is_alive_here


def _is_held(path: Path) -> bool:
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor, path, "LOCK_SH")
    finally:
        os.close(descriptor)


def _opened(path: Path, flags: int) -> int:
    check_no_link(path)
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether the open file is still the one at the path: it was not removed in the meantime."""
    try:
        there, ours = path.stat(follow_symlinks=False), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _read(path: Path) -> Holder | None:
    """Read who holds the lock; None if the file does not say."""
    try:
        holder = Holder(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    kinds = (str, int, str, str, str | None, int, str | None)
    values = (holder.host, holder.pid, holder.process, holder.since, holder.job, holder.restarts, holder.checkpoint)
    return holder if all(map(isinstance, values, kinds)) and (holder.host + holder.since).isprintable() else None


def _refusal(path: Path, holder: Holder | None) -> str:
    who = f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"
    return (
        f"{path.parent} is in use by {who}: wait until that ends, or choose another name (if its machine is gone, "
        f"remove {path})"
    )
