"""Every switch and callback of Lightning's works as its name says, or ends in one line that names what to set."""

import csv
import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.commands import ABSOLUTE, CONFIGS, DIGITS, SMALL, SMALL_ESTIMATOR, failure, run
from wgan_lip.runs.checkpoint import load_checkpoint

STEPS = 4
GAN = [
    *("fit", "-c", DIGITS, *SMALL, f"--model.init_args.generator_steps={STEPS}", "--model.init_args.n_critic=2"),
    *("--exact_w1.every=1", "--exact_w1.n=20", "--sample_grid.every=100", "--checkpoint.every=1"),
    *("--wandb.mode=disabled", "--run=a"),
]
ESTIMATOR = ["fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--model.init_args.steps={STEPS}", "--wandb.mode=disabled"]
_ENDS = rf"this training ends after model.init_args.generator_steps={STEPS}: set that instead"
_EVALUATIONS = "evaluations are made every exact_w1.every steps"
_STREAM = "batches are read from an endless stream"

# By switch, what the one line says.
REFUSED = {
    "max_steps=-2": "max_steps must be at least 0, or -1 for no limit; got max_steps=-2",
    "max_epochs=1": f"trainer.max_epochs=1 counts Lightning's steps; {_ENDS}",
    "max_epochs=0": _ENDS,
    "min_steps=100": _ENDS,
    "min_epochs=2": _ENDS,
    "limit_train_batches=2": _STREAM,
    "limit_train_batches=0": _STREAM,
    "limit_train_batches=0.1": _STREAM,
    "overfit_batches=1": _STREAM,
    "reload_dataloaders_every_n_epochs=1": _STREAM,
    "limit_val_batches=2": _EVALUATIONS,
    "limit_val_batches=0": _EVALUATIONS,
    "limit_test_batches=2": _EVALUATIONS,
    "val_check_interval=2": _EVALUATIONS,
    "check_val_every_n_epoch=2": _EVALUATIONS,
    "check_val_every_n_epoch=null": _EVALUATIONS,
    "num_sanity_val_steps=2": _EVALUATIONS,
    "accumulate_grad_batches=2": "set model.init_args.accumulate instead",
    "gradient_clip_val=0.1": "set model.init_args.gradient_clip instead",
    "gradient_clip_algorithm=value": "set model.init_args.gradient_clip instead",
    "enable_checkpointing=false": "set checkpoint.every to save less often",
    "default_root_dir=here": "set runs_dir, name and run instead",
    "barebones=true": "leaves out callbacks and loggers",
    "model_registry=models": "leave it out",
    "profiler=pytorch": "cannot be copied",
    "devices=0": "devices",
    "accelerator=tpu": "torch_xla",
    "precision=transformer-engine": "transformer_engine",
    "precision=16-true": "train with trainer.precision 16-mixed, bf16-mixed, bf16-true or 32-true",
    "precision=8": "16-true",
    "callbacks+=LearningRateFinder": "LearningRateFinder tries rates",
    "callbacks+=BatchSizeFinder": "set data.init_args.batch_size instead",
    "callbacks+=BackboneFinetuning": "needs a model with a backbone",
    "callbacks+=SpikeDetection": "SpikeDetection needs losses",
    "callbacks+=EMAWeightAveraging": "set model.init_args.generator_average instead",
    "callbacks+=ThroughputMonitor": "batch_size_fn",
    "callbacks+=wgan_lip.training.ExactW1": "more than one stateful callback of type `ExactW1`",
}
REFUSED_WITH_ARGUMENTS = {
    "StochasticWeightAveraging --swa_lrs 0.01": "set model.init_args.generator_average instead",
    "GradientAccumulationScheduler --scheduling '{0: 2}'": "set model.init_args.accumulate instead",
    "ModelPruning --pruning_fn l1_unstructured --amount 0.5": "changes weights that constraints hold",
    "EarlyStopping --monitor nothing": "monitors 'nothing', which this training does not log; it logs lipschitz",
    "ModelCheckpoint --monitor w1/exakt": "monitors 'w1/exakt', which this training does not log",
}
WORKING = [
    *(
        "max_steps=-1",
        "max_steps=1000",
        "max_epochs=-1",
        "limit_train_batches=1.0",
        "log_every_n_steps=5",
        "inference_mode=false",
    ),
    *("detect_anomaly=true", "use_distributed_sampler=true", "sync_batchnorm=true", "deterministic=true"),
    *("benchmark=false", "logger=false", "enable_model_summary=true", "enable_model_summary=false"),
    *("profiler=simple", "precision=bf16-mixed", "precision=64-true", "max_time=00:01:00:00", "num_sanity_val_steps=0"),
    *("enable_progress_bar=false", "callbacks+=RichProgressBar", "callbacks+=TQDMProgressBar"),
    *("callbacks+=LearningRateMonitor", "callbacks+=ModelSummary", "callbacks+=RichModelSummary"),
    *("callbacks+=ModelCheckpoint", "strategy=auto"),
]
FAST = ("max_steps=-2", "max_epochs=1", "min_steps=100", "limit_train_batches=0", "val_check_interval=2")
FAST_REFUSED = (*FAST, "gradient_clip_val=0.1", "enable_checkpointing=false", "precision=transformer-engine")

pytestmark = pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*is deprecated.*")


def _words(callback: str) -> list[str]:
    name, *arguments = shlex.split(callback)
    return [f"--trainer.callbacks+={name}", *(word.replace("--", "--trainer.callbacks.") for word in arguments)]


@pytest.fixture
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "runs" / "digits" / "a"
    torch.use_deterministic_algorithms(False)


def finished(folder: Path) -> bool:
    with (folder / "metrics.csv").open(newline="") as file:
        steps = [row["generator_step"] for row in csv.DictReader(file) if row["w1/exact"]]
    assert (folder / "finished").read_text() == f"{STEPS}\n"
    return steps == [str(step) for step in range(STEPS + 1)]


def check_refused(switch: str, capsys, monkeypatch) -> None:
    assert REFUSED[switch] in failure(capsys, monkeypatch, *GAN, f"--trainer.{switch}")
    assert not list(Path().rglob("metrics.csv"))


@pytest.mark.parametrize("switch", FAST_REFUSED)
def test_some_switches_that_mean_nothing_name_what_to_set(switch, here, capsys, monkeypatch):
    check_refused(switch, capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("switch", [switch for switch in REFUSED if switch not in FAST_REFUSED])
@pytest.mark.filterwarnings("ignore")
def test_every_switch_that_means_nothing_names_what_to_set(switch, here, capsys, monkeypatch):
    check_refused(switch, capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "said"), [("limit_train_batches", _STREAM), ("limit_test_batches", _EVALUATIONS)])
def test_one_batch_is_told_from_all_batches(name, said, here):
    # In a process of its own: if another test made a Union[float, int], typing takes it for Union[int, float], and 1 is
    # read as 1.0.
    words = [sys.executable, "-m", "wgan_lip", *map(str, GAN), f"--trainer.{name}=1"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 2
    assert said in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("callback", REFUSED_WITH_ARGUMENTS)
def test_callbacks_that_cannot_serve_say_so(callback, here, capsys, monkeypatch):
    assert REFUSED_WITH_ARGUMENTS[callback] in failure(capsys, monkeypatch, *GAN, *_words(callback))


@pytest.mark.slow
@pytest.mark.parametrize("switch", WORKING)
@pytest.mark.filterwarnings("ignore")
def test_every_other_switch_trains_to_the_end(switch, here, monkeypatch):
    run(monkeypatch, *GAN, f"--trainer.{switch}")
    assert finished(here)


@pytest.mark.parametrize("switch", ["min_steps=2", "max_epochs=1", "limit_train_batches=2"])
def test_the_option_is_that_of_the_kind_of_model(switch, here, capsys, monkeypatch):
    said = failure(capsys, monkeypatch, *ESTIMATOR, f"--trainer.{switch}")
    assert f"model.init_args.steps={STEPS}" in said or _STREAM in said


@pytest.mark.parametrize(("limit", "last"), [(0, 0), (3, 3)])
def test_max_steps_counts_the_module_s_own_steps_and_the_run_can_go_on(limit, last, here, capsys, monkeypatch):
    run(monkeypatch, *GAN, f"--trainer.max_steps={limit}")
    assert f"Ended at generator step {last} of {STEPS}" in " ".join(capsys.readouterr().out.split())
    assert not (here / "finished").exists()
    run(monkeypatch, *GAN)
    assert finished(here)


@pytest.mark.slow
def test_no_progress_is_shown_where_none_is_wanted(here, capsys, monkeypatch):
    run(monkeypatch, *GAN, "--trainer.enable_progress_bar=false")
    assert finished(here)
    assert "generator step" not in capsys.readouterr().err


@pytest.mark.slow
def test_another_progress_bar_takes_the_place_of_this_package_s(here, capsys, monkeypatch):
    run(monkeypatch, *GAN, "--trainer.callbacks+=TQDMProgressBar")
    assert finished(here)
    assert "generator step" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        "--monitor w1/exact",
        pytest.param("--monitor w1/exact --every_n_train_steps 1", marks=pytest.mark.slow),
    ],
)
def test_the_best_checkpoint_by_an_evaluated_number_is_saved(options, here, monkeypatch):
    run(monkeypatch, *GAN, *_words(f"ModelCheckpoint {options}"))
    assert finished(here)
    (best,) = (path for path in here.rglob("*.ckpt") if path.name != "last.ckpt")
    kept = load_checkpoint(best)
    (score,) = (
        float(state["best_model_score"]) for name, state in kept["callbacks"].items() if name.startswith("ModelCheck")
    )
    with (here / "metrics.csv").open(newline="") as file:
        exact = [float(row["w1/exact"]) for row in csv.DictReader(file) if row["w1/exact"]]
    # The last evaluation is made when the training is done: a monitor by batches does not see it.
    seen = exact[:-1] if "every_n" in options else exact
    assert score == min(seen)
    assert exact[kept["wgan_lip"]["generator_step"]] == score


def test_early_stopping_counts_evaluations_and_says_where_the_run_ended(here, capsys, monkeypatch):
    # Nothing is ever lower than -1: the second evaluation and the third are no better than the first.
    stop = "EarlyStopping --monitor lipschitz/certified --patience 2 --min_delta 10"
    run(monkeypatch, *GAN, *_words(stop))
    said = capsys.readouterr().out
    assert f"Ended at generator step 2 of {STEPS}" in said
    assert f"go on with --ckpt_path {here}" in said
    assert not (here / "finished").exists()


def test_a_run_whose_time_is_up_says_so(here, capsys, monkeypatch):
    run(monkeypatch, *GAN, "--trainer.max_time=00:00:00:00")
    assert (
        f"Ended at generator step 0 of {STEPS}, as a callback, max_time or max_steps asked" in capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_timer_ends_a_run(here, capsys, monkeypatch):
    timer = [{"class_path": "Timer", "init_args": {"duration": {"seconds": 0}}}]
    run(monkeypatch, *GAN, f"--trainer.callbacks={json.dumps(timer)}")
    assert "Ended at generator step 0" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("batches", ["true", "2"])
def test_fast_dev_run_says_what_it_did(batches, here, capsys, monkeypatch):
    run(monkeypatch, *GAN, f"--trainer.fast_dev_run={batches}")
    assert f"tried {1 if batches == 'true' else 2} of its batches, and kept nothing" in capsys.readouterr().out


@pytest.mark.slow
def test_a_profile_is_shown(here, capsys, caplog, monkeypatch):
    run(monkeypatch, *GAN, "--trainer.profiler=simple")
    assert finished(here)
    assert any("Profiler Report" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
def test_what_a_callback_lacks_is_one_line(here, capsys, monkeypatch):
    if importlib.util.find_spec("psutil") is None:
        assert "psutil" in failure(capsys, monkeypatch, *GAN, "--trainer.callbacks+=DeviceStatsMonitor")
    else:
        run(monkeypatch, *GAN, "--trainer.callbacks+=DeviceStatsMonitor")
        assert finished(here)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluating_commands_name_what_to_set_too(command, here, capsys, monkeypatch):
    words = [command, "-c", CONFIGS / "gan" / "digits.yaml", *SMALL, "--exact_w1.n=20"]
    setting = "limit_val_batches" if command == "validate" else "limit_test_batches"
    assert _EVALUATIONS in failure(capsys, monkeypatch, *words, f"--trainer.{setting}=0")
