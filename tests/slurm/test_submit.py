"""``wgan-lip submit`` on a real Slurm."""

import re
import signal

import pytest

from tests.slurm.jobs import LONG, Job, environment, same_end, wandb_ids
from tests.support.commands import run

pytestmark = pytest.mark.slurm


@pytest.fixture
def submitting(cluster, monkeypatch, tmp_path):
    """This process is a client of the cluster."""
    for name, value in environment(cluster).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def test_two_nodes_are_requeued_once_by_each_signal(submitting, cluster, undisturbed, monkeypatch, capsys, tmp_path):
    run(monkeypatch, "submit", *LONG, "--nodes=2", "--time=30", "--logs=logs", "--run=a")
    number = re.search(r"Job (\d+): wgan-lip fit", capsys.readouterr().out)[1]
    job = Job(cluster, number, tmp_path / "logs" / f"{number}_0_log.out")
    folder = tmp_path / "runs" / "digits" / "a"
    # Before there is anything to save, it is submitit that requeues,
    job.wait_until("handlers", lambda: job.catches(signal.SIGUSR2))
    job.send("USR2")
    job.wait_for_requeue(1)
    assert not (folder / "metrics.csv").exists()
    assert job.printed.count(f"Requeued job {number}") == 1
    # and while it trains the training, alone.
    job.wait_for_step(folder, 20)
    job.send("USR2")
    job.wait_for_requeue(2)
    job.wait_for("COMPLETED", "FAILED")
    assert job.printed.count(f"Job {number} is requeued") == 1
    assert job.printed.count(f"Requeued job {number}") == 1
    assert job.field("Restarts") == "2"
    same_end(folder, undisturbed)
    assert wandb_ids(folder) == 2 * ["digits-a"]


def test_an_array_is_waited_for_and_a_failure_is_told(submitting, monkeypatch, capsys, tmp_path):
    lines = ["--model.init_args.generator_steps=2 --seed_everything=1", "--data.init_args.batch_size=5000"]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "submit", *LONG, "--array=lines.txt", "--time=30", "--wait")
    assert exit_.value.code == 1
    printed = capsys.readouterr().out
    array = re.search(r"Job (\d+)_0: wgan-lip fit", printed)[1]
    for index, state in enumerate(("COMPLETED", "FAILED")):
        assert f"Job {array}_{index}: {state}" in printed
    (folder,) = (tmp_path / "runs" / "digits").iterdir()
    assert folder.name.endswith("-1")
    assert (folder / "finished").read_text() == "2\n"
    logs = tmp_path / "runs" / "submitted" / folder.name.removesuffix("-1")
    said = (logs / f"{array}_1_0_log.out").read_text()
    assert "wgan-lip: error: batch_size must be between 1 and the 1200 training samples" in said
