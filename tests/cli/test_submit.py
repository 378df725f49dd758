"""``wgan-lip submit`` where there is no Slurm: what would be submitted, and every kind of bad input."""

import re
from argparse import ArgumentTypeError

import pytest
import submitit

from tests.support.commands import DIGITS, SMALL, failure, run
from wgan_lip.cli.slurm_job import Resources, minutes, sbatch_script


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def dry(monkeypatch, capsys, *arguments: object) -> str:
    run(monkeypatch, "submit", "-c", DIGITS, *SMALL, "--time=4:00:00", "--dry-run", *arguments)
    return capsys.readouterr().out


def test_a_dry_run_shows_the_script_and_writes_nothing(monkeypatch, capsys, elsewhere):
    printed = dry(
        monkeypatch,
        capsys,
        *("--nodes=2", "--gpus=4", "--cpus=8", "--mem=16G", "--partition=fast", "--account=me", "--constraint=a100"),
        *("--setup", "module load cuda", "--setup=source venv/bin/activate", "--trainer.accelerator=gpu", "--run=r"),
    )
    flags = dict(re.findall(r"#SBATCH --([a-z-]+)(?:=(.*))?", printed))
    assert flags.pop("output").endswith("%j_0_log.out")
    assert flags == {
        "nodes": "2",
        "gpus-per-node": "4",
        "ntasks-per-node": "4",
        "cpus-per-task": "8",
        "mem": "16G",
        "partition": "fast",
        "account": "me",
        "constraint": "a100",
        "time": "240",
        "signal": "USR2@120",
        "job-name": "wgan-lip-digits",
        "open-mode": "append",
        "requeue": "",
        "wckey": "submitit",
    }
    before, _, after = printed.partition("srun ")
    assert "module load cuda\nsource venv/bin/activate\n" in before
    assert "--kill-on-bad-exit=1" in after
    assert re.search(r"# wgan-lip fit --config \S+ --trainer.num_nodes=2 --trainer.devices=4 --run=r$", printed, re.M)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_dry_run_s_script_is_the_one_that_submitit_submits(jobs, monkeypatch, elsewhere):
    """submitit's private function that writes it is called in one place, and as its executor calls it."""
    for name, text in {"srun": "", "sbatch": f'/bin/cp "$1" {elsewhere}/script\necho Submitted batch job 7'}.items():
        (elsewhere / name).write_text(f"#!/bin/sh\n{text}\n")
        (elsewhere / name).chmod(0o755)
    parameters = Resources(time=9, nodes=2, mem="1G", setup=("module load cuda",)).parameters("name", 2)
    executor = submitit.SlurmExecutor(elsewhere / "a b")
    executor.update_parameters(**parameters)
    executor.submit_array([print] * jobs)
    assert (elsewhere / "script").read_text() == sbatch_script(parameters, elsewhere / "a b", jobs)


def test_each_line_of_a_file_is_a_job_with_a_run_of_its_own(monkeypatch, capsys, elsewhere):
    (elsewhere / "seeds.txt").write_text("# seeds\n--seed_everything=1\n\n--seed_everything=2 --name 'two'  # twice\n")
    printed = dry(monkeypatch, capsys, "--array=seeds.txt", "--max-parallel=1")
    assert "#SBATCH --array=0-1%1\n" in printed
    runs = re.findall(r"# wgan-lip fit .*--run=(\S+)$", printed, re.M)
    assert [run.rpartition("-")[2] for run in runs] == ["2", "4"]
    assert len({run.rpartition("-")[0] for run in runs}) == 1


def test_a_checkpoint_that_is_to_be_gone_on_from_is_named_once_and_for_all(monkeypatch, capsys, elsewhere):
    checkpoint = elsewhere / "runs" / "digits" / "20260101-000000" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    (checkpoint.parent.parent / "config.yaml").touch()
    printed = dry(monkeypatch, capsys, "--ckpt_path=last")
    assert printed.rstrip().endswith(f"--trainer.devices=1 --ckpt_path={checkpoint}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("4:30", 5), ("4:00", 4), ("4:00:00", 240), ("1-2", 26 * 60), ("1-2:3", 1563), ("1-2:3:1", 1564)],
)
def test_times_are_slurm_s(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["", "4h", "1:2:3:4", "-3", "1-"])
def test_other_times_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="must be minutes"):
        minutes(text)


def test_one_process_for_each_gpu():
    assert Resources(time=9, gpus=3).devices == 3
    assert Resources(time=9, tasks_per_node=2).devices == 2
    assert Resources(time=9).devices == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nodes=0"], "nodes must be at least 1; got nodes=0"),
        (["--nodes=two"], "argument --nodes: invalid int value: 'two'"),
        (["--gpus=4", "--tasks-per-node=2"], "each of which has one process; got gpus=4, tasks_per_node=2"),
        (["--time=2"], "time must be longer than signal_delay, which is 120 seconds; got 2 minutes"),
        (
            ["--time=soon"],
            "argument --time: must be minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS; got 'soon'",
        ),
        (["--max-parallel=0"], "--max-parallel: must be a whole number from 1; got '0'"),
        (["--trainer.devices=2"], "--trainer.devices follows from --nodes, --gpus and --tasks-per-node: leave it out"),
        (["--gpus=1"], "--gpus is 1, but trainer.accelerator is cpu: pass --trainer.accelerator=gpu"),
        (["--trainer.accelerator=gpu"], "trainer.accelerator is gpu, but --gpus is 0: pass --gpus N"),
        (["--model.init_args.n_critik=3"], "WassersteinGAN has no key 'n_critik'"),
        (["--trainer.acelerator=cpu"], "unrecognized arguments: --trainer.acelerator=cpu"),
        (["-c", "missing.yaml"], "missing.yaml"),
        (["--run=a/b"], "run must consist of letters"),
        (["--ckpt_path=none.ckpt"], "--ckpt_path none.ckpt: there is no such file"),
        (["--array=none.txt"], "none.txt"),
        (["--array=empty.txt"], "--array empty.txt must have a line with arguments; it has none"),
        (["--array=wrong.txt"], "wrong.txt, line 2: "),
        (["--array=quote.txt"], "quote.txt, line 1: No closing quotation"),
        (
            ["--array=two.txt", "--run=a"],
            "2 jobs of the array would write to the same run: each needs its own; got --run a",
        ),
        ([], "submit without --dry-run requires Slurm, whose program sbatch is not found"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_submitted(arguments, message, monkeypatch, capsys, elsewhere):
    for name, text in {
        "empty.txt": "# nothing\n",
        "wrong.txt": "--seed_everything=1\n--seed_everithing=2\n",
        "quote.txt": "--name 'a\n",
        "two.txt": "--seed_everything=1\n--seed_everything=2\n",
    }.items():
        (elsewhere / name).write_text(text)
    time = [] if any(word.startswith("--time") for word in arguments) else ["--time=30"]
    assert message in failure(capsys, monkeypatch, "submit", "-c", DIGITS, *time, *arguments)
    assert not (elsewhere / "runs").exists()


def test_without_submitit_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr("wgan_lip.cli.slurm_job.find_spec", lambda name: None)
    assert "pip install 'wgan-lip[cluster]'" in failure(capsys, monkeypatch, "submit", "-c", DIGITS, "--time=30")


def test_the_scripts_open_with_their_command_and_quote_what_they_are_given():
    for name in ("fit", "fit_many_nodes"):
        lines = (DIGITS.parents[2] / "scripts" / f"{name}.sbatch").read_text().splitlines()
        assert lines[0] == "#!/bin/bash"
        assert lines[1].startswith(f"# sbatch scripts/{name}.sbatch -c configs/")
        assert (DIGITS.parents[2] / lines[1].split()[-1]).is_file()
        assert '"$@"' in "\n".join(lines)
