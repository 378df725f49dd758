"""Two nodes train the digits GAN by the shipped scripts; what ends them on the way leaves no trace in the numbers."""

import os
import signal
import time

import pytest
import torch

from tests.slurm.cluster import URGENT
from tests.slurm.jobs import LONG, STEPS, client, rows, same_end, submit_script, wandb_ids
from tests.support.commands import run

pytestmark = pytest.mark.slurm


def test_two_nodes_end_with_the_metrics_of_one_process(undisturbed, tmp_path, monkeypatch):
    run(monkeypatch, "fit", *LONG, f"--runs_dir={tmp_path}", "--run=one")
    one = rows(tmp_path / "digits" / "one")
    two = rows(undisturbed)
    assert len(one) == len(two) > STEPS
    for ours, theirs in zip(one, two, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            if value != theirs[name]:
                assert float(theirs[name]) == pytest.approx(float(value), rel=1e-5), (name, ours)
    assert len(wandb_ids(undisturbed)) == 1


def test_signalled_before_the_time_is_up_it_is_requeued_and_goes_on(cluster, undisturbed, tmp_path):
    job = submit_script(cluster, tmp_path)
    folder = tmp_path / "runs" / "digits" / job.number
    job.wait_for_step(folder, 20)
    job.send("USR1")
    job.wait_for_requeue(1)
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["wgan_lip"]
    assert 20 <= saved["generator_step"] < STEPS
    assert rows(folder) == rows(undisturbed)[: len(rows(folder))]
    job.wait_for("COMPLETED", "FAILED")
    assert f"SIGUSR1: saved at generator step {saved['generator_step']}." in job.printed
    assert f"last.ckpt, generator step {saved['generator_step']}" in job.printed
    assert job.printed.count(f"Job {job.number} is requeued") == 1
    assert job.field("Restarts") == "1"
    same_end(folder, undisturbed)
    assert wandb_ids(folder) == 2 * [f"digits-{job.number}"]


def test_a_more_urgent_job_is_let_through_and_then_it_goes_on(cluster, undisturbed, tmp_path):
    job = submit_script(cluster, tmp_path, script="fit")
    folder = tmp_path / "runs" / "digits" / job.number
    job.wait_for_step(folder, 20)
    urgent = client(
        cluster, "sbatch", "--parsable", f"--partition={URGENT}", "--output=/dev/null", "--wrap=true"
    ).strip()
    job.wait_for_requeue(1)
    job.wait_until("the urgent job", lambda: "COMPLETED" in client(cluster, "scontrol", "show", "job", urgent))
    job.wait_for("COMPLETED", "FAILED")
    assert "SIGTERM: saved at generator step" in job.printed
    assert job.field("Restarts") == "1"
    same_end(folder, undisturbed)
    assert wandb_ids(folder) == 2 * [f"digits-{job.number}"]


def test_one_rank_killed_ends_the_job_soon_and_the_same_job_goes_on_from_the_last_checkpoint(
    cluster, undisturbed, tmp_path
):
    job = submit_script(cluster, tmp_path)
    folder = tmp_path / "runs" / "digits" / job.number
    # The first checkpoint is behind it.
    job.wait_for_step(folder, 55)
    os.kill(job.task(1), signal.SIGKILL)
    began = time.monotonic()
    job.wait_for("FAILED", patience=60)
    assert time.monotonic() - began < 60
    assert "task 1: Killed" in job.printed
    assert "Traceback" not in job.printed
    client(cluster, "scontrol", "requeue", job.number)
    job.wait_for_requeue(1)
    job.wait_for("COMPLETED", "FAILED")
    assert "last.ckpt, generator step 45" in job.printed
    same_end(folder, undisturbed)
