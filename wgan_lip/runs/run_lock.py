"""One process at a time writes to a folder; whoever comes second is told who does."""

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
from wgan_lip.runs.launched import agent_of, in_slurm

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Note [what a lock is]
# The lock is the operating system's, on the file ``lock`` in the folder: it ends with the process that holds it,
# however it ends, so a file that a killed process left locks nothing, whoever has its number now. It holds across
# machines where the file system carries locks (NFS, Lustre with -o flock). What the file says is for people, and for
# two cases: a file system without locks, where a holder on this machine is looked for by its number and its start;
# and a machine that went down and holds a lock on its server still, which a requeued job knows to be its own.
_FILE = "lock"
# Others look at the lock, for which they hold it for a moment.
_PATIENCE_SECONDS = 1.0
_HELD = (errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: the machine's name.
        pid: of the process.
        process: what tells it from all others of that machine, before and after it.
        since: the time at which it took the lock.
        job: the job and the step of Slurm that it is of, all of whose processes write together; None if of none.
        restarts: how often that job was requeued before.
    """

    host: str
    pid: int
    process: str
    since: str
    job: str | None
    restarts: int

    @classmethod
    def this(cls, environ: Mapping[str, str]) -> "Holder":
        """This process.

        Args:
            environ: its environment.
        """
        pid = os.getpid()
        restarts = environ.get("SLURM_RESTART_COUNT", "")
        return cls(
            socket.gethostname(),
            pid,
            agent_of(pid),
            time.strftime("%Y-%m-%d %H:%M:%S"),
            f"{environ['SLURM_JOB_ID']}.{environ.get('SLURM_STEP_ID', '0')}" if in_slurm(environ) else None,
            int(restarts) if restarts.isdecimal() else 0,
        )

    @property
    def is_alive_here(self) -> bool:
        """Whether it is a process of this machine that runs still; another machine's processes are not seen."""
        return self.host == socket.gethostname() and "-" in self.process and agent_of(self.pid) == self.process


@contextmanager
def locked(folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Hold the lock of a folder, which ends with this process at the latest.

    Args:
        folder: in which nobody else is to write.
        environ: of this process.

    Raises:
        ValueError: another process holds it.
        OSError: there can be no lock.
    """
    path, us = folder / _FILE, Holder.this(environ)
    descriptor = _taken(path, us)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(us)).encode(), 0)
        yield
    finally:
        # While it is held, so that nobody's but ours is removed.
        with suppress(OSError):
            if _is_at(descriptor, path):
                path.unlink()
        os.close(descriptor)


def check_not_locked(folder: Path, environ: Mapping[str, str]) -> None:
    """See that a folder is not another job's; for the processes of a job of Slurm that take no lock themselves.

    Launchers but Slurm end all processes when the first is refused.

    Args:
        folder: in which the first process of the job is to write.
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
        # The first process may hold it, and not have said so yet.
        if time.monotonic() > end:
            raise ValueError(_refusal(path, holder))
        time.sleep(0.05)


def _taken(path: Path, us: Holder) -> int:
    """A descriptor of the file, with its lock."""
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
            # Slurm starts a job again only when it has ended: its machine is gone, with the lock.
            path.unlink(missing_ok=True)
        elif held and time.monotonic() > end:
            raise ValueError(_refusal(path, holder))
        elif held:
            time.sleep(0.05)


def _lock(descriptor: int, path: Path, kind: str) -> bool:
    """Whether the lock was got."""
    if fcntl is not None:
        try:
            fcntl.lockf(descriptor, getattr(fcntl, kind) | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in _HELD:
                return False
        rank_zero_warn(f"{path.parent} lies where there are no locks: see that no other machine trains in it")
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
    """Whether the open file is the one that others find there, and was not removed in the meantime."""
    try:
        there, ours = path.stat(follow_symlinks=False), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _read(path: Path) -> Holder | None:
    """Who holds the lock, if that is written there."""
    try:
        holder = Holder(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    kinds = (str, int, str, str, str | None, int)
    values = (holder.host, holder.pid, holder.process, holder.since, holder.job, holder.restarts)
    return holder if all(map(isinstance, values, kinds)) and (holder.host + holder.since).isprintable() else None


def _refusal(path: Path, holder: Holder | None) -> str:
    who = f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"
    return (
        f"{path.parent} is in use by {who}: wait until that ends, or choose another name (if its machine is gone, "
        f"remove {path})"
    )
