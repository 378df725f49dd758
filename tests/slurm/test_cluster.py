"""The Slurm of the tests: it runs jobs on both nodes, beside another one, and leaves nothing behind."""

import shutil
import tempfile
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import NODES, Cluster, free_ports
from tests.slurm.jobs import client

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
