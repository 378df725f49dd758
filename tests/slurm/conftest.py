"""One Slurm for all tests of this folder; they are skipped where it cannot be started."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, free_ports, missing
from tests.slurm.jobs import submit_script


@pytest.fixture(scope="session")
def cluster():
    if reason := missing():
        pytest.skip(reason)
    # Not among pytest's own folders, where munged, which is another user, may not look.
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = Cluster(folder, free_ports(), guarded=True)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory):
    """The folder of a run of two nodes that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    job = submit_script(cluster, folder)
    job.wait_for("COMPLETED", "FAILED")
    assert job.field("JobState") == "COMPLETED", job.printed
    return folder / "runs" / "digits" / job.number
