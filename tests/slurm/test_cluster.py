"""The Slurm of the tests: it runs jobs on both nodes, beside another one, and leaves nothing behind."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import NODES, Cluster, free_ports
from tests.slurm.jobs import ROOT, client

pytestmark = pytest.mark.slurm


def test_two_live_beside_each_other_and_one_ends_with_its_jobs(cluster):
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    other = Cluster(folder, free_ports())
    other.start()
    try:
        for one in (cluster, other):
            said = client(one, "srun", "--nodes=2", "--ntasks=2", "sh", "-c", "echo $SLURMD_NODENAME")
            assert sorted(said.split()) == list(NODES)
        pid = folder / "pid"
        script = f"trap '' TERM; echo $$ > {pid}.tmp; mv {pid}.tmp {pid}; while true; do sleep 0.1; done"
        client(other, "sbatch", "--output=/dev/null", f"--wrap={script}")
        for _ in range(200):
            if pid.exists():
                break
            time.sleep(0.1)
        job = Path("/proc") / pid.read_text().strip()
        assert job.exists()
    finally:
        other.stop()
    assert not job.exists()
    assert other.processes == []
    assert client(cluster, "sinfo", "-h", "-N", "-o", "%t").split() == 4 * ["idle"]
    shutil.rmtree(folder)


def test_it_ends_with_the_process_that_started_it(cluster):
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    starts = f"""
import os, signal
from pathlib import Path
from tests.slurm.cluster import Cluster
Cluster(Path({str(folder)!r}), {free_ports()}, guarded=True).start()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", starts], cwd=ROOT).returncode == -signal.SIGKILL
    left = Cluster(folder)
    for _ in range(300):
        if not left.processes:
            break
        time.sleep(0.1)
    assert left.processes == []
    shutil.rmtree(folder)
