"""A Slurm of two nodes on the loopback, for tests: what it needs lies in one folder, and is gone when it stops.

    python -m tests.slurm.cluster start DIR [--port 17000]     # prints what clients need in their environment
    python -m tests.slurm.cluster stop DIR

It requires root, and Debian's packages slurm-wlm and munge. Clusters on different ports do not disturb each other: each
has a munged of its own, whether or not another one is running, and with whatever key.
"""

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = ("n1", "n2")
PARTITION = "main"
URGENT = "urgent"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
# In the environment of a cluster's processes, also after their parents ended. Clients and jobs do not have it.
_MARK = "WGAN_LIP_TEST_CLUSTER"
# Seconds in which daemons start or end on a busy machine.
_PATIENCE = 60

_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=3600
SlurmdTimeout=300
InactiveLimit=0
Waittime=0
MailProg={true}
PlugStackConfig={folder}/plugstack.conf
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
"""


def missing() -> str | None:
    """Return why no cluster can be started here; None if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install --no-install-recommends slurm-wlm munge"
    if os.geteuid() != 0:
        return "slurmd and munged are started as root, which this process is not"
    return None


class Cluster:
    """Two nodes of one core each, a partition for all and one of higher priority whose jobs requeue those of the first.

    Args:
        folder: where configuration, logs and state go; it is made.
        port: slurmctld's; the nodes take the next two.
        grace: seconds between the SIGTERM and the end of a job that is preempted.
        guarded: whether it is stopped when the process that started it ends, in whatever way.
    """

    def __init__(self, folder: Path, port: int = 17000, grace: int = 60, guarded: bool = False) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.grace = grace
        self.guarded = guarded
        self._guard: subprocess.Popen[bytes] | None = None
        self._daemons: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """Variables that clients of this cluster, and jobs on it, need beside their own environment."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            # The ranks of a job find each other on the loopback.
            "MASTER_ADDR": "127.0.0.1",
            "GLOO_SOCKET_IFNAME": "lo",
        }

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle.

        Raises:
            RuntimeError: it cannot be started here, or did not.
        """
        if reason := missing():
            raise RuntimeError(reason)
        self._write()
        if self.guarded:
            # Its standard input ends when this process does, or closes it.
            command = [sys.executable, "-m", __name__, "guard", str(self.folder), f"--port={self.port}"]
            root = Path(__file__).parent.parent.parent
            self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd=root)
        try:
            munge = self.folder / "munge"
            self._spawn(
                "munged",
                "--foreground",
                f"--socket={munge}/socket",
                f"--key-file={munge}/key",
                f"--log-file={munge}/munged.log",
                f"--pid-file={munge}/pid",
                f"--seed-file={munge}/seed",
                user="munge",
            )
            self._wait("munged", (munge / "socket").exists)
            self._spawn("slurmctld", "-D", "-i")
            for node in NODES:
                self._spawn("slurmd", "-D", "-N", node)
            self._wait("the nodes", lambda: self._ask("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * 4)
        except BaseException:
            self.stop()
            raise

    @property
    def processes(self) -> list[int]:
        """Ids of the processes that it has started, without jobs."""
        return self._processes("")

    def stop(self) -> None:
        """End all jobs, the daemons and their children; the folder stays, with its logs."""
        if self._processes("slurmctld"):
            self._ask("scancel", "--full", "--signal=KILL", "--user=root")
            self._ask("scancel", "--user=root")
            deadline = time.monotonic() + 15
            while self._ask("squeue", "-h", "-t", "running,completing") and time.monotonic() < deadline:
                time.sleep(0.2)
        # Those that start others first; then the children of a step's daemon, which it would not end.
        for name in ("slurmctld", "slurmd"):
            _end(self._processes(name))
        steps = self._processes("slurmstepd")
        _end([*steps, *_descendants(steps)])
        _end(self.processes)
        while self._daemons:
            self._daemons.pop().wait(_PATIENCE)
        if self._guard is not None:
            self._guard.communicate(timeout=_PATIENCE)
            self._guard = None

    def _write(self) -> None:
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        host = socket.gethostname().split(".")[0]
        lines = [
            _CONF.format(
                host=host,
                port=self.port,
                folder=self.folder,
                munge=self.folder / "munge",
                true=shutil.which("true"),
            )
        ]
        lines += [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.port + 1 + i} CPUs=1 RealMemory=1000"
            for i, node in enumerate(NODES)
        ]
        nodes = ",".join(NODES)
        lines += [
            f"PartitionName={PARTITION} Nodes={nodes} Default=YES PriorityTier=1 GraceTime={self.grace}",
            f"PartitionName={URGENT} Nodes={nodes} PriorityTier=2 PreemptMode=OFF",
        ]
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugstack.conf").write_text("")
        munge = self.folder / "munge"
        munge.mkdir(exist_ok=True)
        key = munge / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(64))
        user = pwd.getpwnam("munge")
        for path in (munge, key):
            os.chown(path, user.pw_uid, user.pw_gid)
        # munged requires a path that it can read and only its owner can write to.
        munge.chmod(0o755)
        self.folder.chmod(0o755)

    def _spawn(self, name: str, *arguments: str, user: str | None = None) -> None:
        program = shutil.which(name, path=_PATH)
        command = [str(program), *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        environment |= self.environment | {_MARK: str(self.folder), "PATH": _PATH}
        with (self.folder / f"{name}.out").open("ab") as out:
            daemon = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,
                user=user,
            )
        self._daemons.append(daemon)

    def _ask(self, *command: str) -> str:
        """Return what a client prints; an empty text if slurmctld does not answer."""
        try:
            done = subprocess.run(
                command, env=os.environ | self.environment, capture_output=True, text=True, timeout=_PATIENCE
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"--- {path}\n{path.read_text(errors='replace')[-2000:]}"
                    for pattern in ("*.log", "*.out", "munge/*.log")
                    for path in sorted(self.folder.glob(pattern))
                )
                raise RuntimeError(f"{what} did not come up in {_PATIENCE} s\n{logs}")
            time.sleep(0.1)

    def _processes(self, name: str) -> list[int]:
        """Return the ids of this cluster's processes of a program; of all programs if ""."""
        mark = f"{_MARK}={self.folder}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0") and name in (
                    "",
                    (folder / "comm").read_text().strip(),
                ):
                    found.append(int(folder.name))
            except OSError:
                # It ended meanwhile.
                continue
        return found


def _end(processes: Iterable[int]) -> None:
    """Send SIGTERM, and SIGKILL to those that do not end."""
    left = list(processes)
    for signum, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        for process in left:
            try:
                os.kill(process, signum)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            left = [process for process in left if _runs(process)]
            time.sleep(0.05)


def _descendants(processes: Iterable[int]) -> list[int]:
    """Return processes with all their descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found = list(processes)
    for process in found:
        found += parents.get(process, [])
    return found


def _runs(process: int) -> bool:
    try:
        # One that has ended and that nobody has waited for yet is a zombie.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_ports() -> int:
    """Return the first of as many neighbouring free ports as a cluster takes."""
    count = 1 + len(NODES)
    for first in range(17100, 17900, count):
        if not any(_answers(port) for port in range(first, first + count)):
            return first
    raise RuntimeError("there are no free ports between 17100 and 17900")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "stop", "guard"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=17000)
    parser.add_argument("--grace", type=int, default=60)
    options = parser.parse_args()
    cluster = Cluster(options.folder, options.port, options.grace)
    if options.action == "guard":
        sys.stdin.read()
    if options.action != "start":
        cluster.stop()
        return
    cluster.start()
    for name, value in cluster.environment.items():
        sys.stdout.write(f"export {name}={value}\n")


if __name__ == "__main__":
    main()
