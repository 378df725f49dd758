"""Lightning's own settings: which mean nothing to a training that counts its own steps, and what to set instead.

A module of this package optimises by itself, ends by its own steps, evaluates by callbacks and reads an endless stream
of batches. Lightning would ignore these settings, or apply them to steps and epochs that are not the module's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import (
    BackboneFinetuning,
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelPruning,
    SpikeDetection,
    StochasticWeightAveraging,
    ThroughputMonitor,
    WeightAveraging,
)
from pytorch_lightning.profilers import PyTorchProfiler

from wgan_lip.training import RobustClassifier, SteppedModule, W1Estimator, WassersteinGAN

# By setting, the values that change nothing.
_UNCHANGED: Mapping[str, tuple[Any, ...]] = {
    "max_epochs": (-1, None),
    "min_steps": (None, 0),
    "min_epochs": (None, 0),
    "limit_train_batches": (None, 1.0),
    "limit_val_batches": (None, 1.0),
    "limit_test_batches": (None, 1.0),
    "limit_predict_batches": (None, 1.0),
    "overfit_batches": (0.0,),
    "val_check_interval": (None, 1.0),
    "check_val_every_n_epoch": (1,),
    "num_sanity_val_steps": (None, 0),
    "reload_dataloaders_every_n_epochs": (0,),
    "accumulate_grad_batches": (1,),
    "gradient_clip_val": (None,),
    "gradient_clip_algorithm": (None,),
    "enable_checkpointing": (None, True),
    "default_root_dir": (None,),
    "barebones": (False,),
    "model_registry": (None,),
}


def check_trainer_settings(config: Any, model: SteppedModule, callbacks: Iterable[Callback]) -> None:
    """Refuse what a training of this package would not do.

    Args:
        config: of the trainer, as it was parsed.
        model: what is trained.
        callbacks: those that the config adds.

    Raises:
        ValueError: a setting that would be ignored or misunderstood, or a callback that cannot serve a module that
            optimises by itself.
    """
    instead = _instead(model)
    for name, unchanged in _UNCHANGED.items():
        value = config.get(name)
        # Of numbers that are equal, 1 is that of batches and 1.0 that of all.
        if not any(value == good and type(value) is type(good) for good in unchanged):
            raise ValueError(f"trainer.{name}={value} {instead[name]}")
    if config.get("profiler") == "pytorch" or isinstance(config.get("profiler"), PyTorchProfiler):
        raise ValueError("trainer.profiler=pytorch records in networks that cannot be copied then, to be certified")
    for callback in callbacks:
        for kind, why in _callbacks(model).items():
            if isinstance(callback, kind):
                raise ValueError(f"trainer.callbacks: {type(callback).__name__} {why}")


def _instead(model: SteppedModule) -> dict[str, str]:
    steps = "model.init_args.generator_steps" if isinstance(model, WassersteinGAN) else "model.init_args.steps"
    evaluations = {WassersteinGAN: "exact_w1", W1Estimator: "heldout_w1", RobustClassifier: "certified_accuracy"}
    callback = next((key for kind, key in evaluations.items() if isinstance(model, kind)), "exact_w1")
    ends = f"counts what Lightning counts; this training ends after {steps}={model.total_steps}: set that instead"
    stream = "has no effect, for batches are read from an endless stream: leave it out"
    loop = f"has no effect, for evaluations are made every {callback}.every steps, of {callback}.n samples: set those"
    gan = isinstance(model, WassersteinGAN)
    accumulate = ": set model.init_args.accumulate instead" if gan else ": leave it out"
    clip = ": set model.init_args.gradient_clip instead" if gan else ": leave it out"
    return {
        **dict.fromkeys(("max_epochs", "min_steps", "min_epochs"), ends),
        **dict.fromkeys(("limit_train_batches", "overfit_batches", "reload_dataloaders_every_n_epochs"), stream),
        **dict.fromkeys(("limit_val_batches", "limit_test_batches", "limit_predict_batches"), loop),
        **dict.fromkeys(("val_check_interval", "check_val_every_n_epoch", "num_sanity_val_steps"), loop),
        "accumulate_grad_batches": f"is for modules that Lightning optimises{accumulate}",
        **dict.fromkeys(
            ("gradient_clip_val", "gradient_clip_algorithm"), f"is for modules that Lightning optimises{clip}"
        ),
        "enable_checkpointing": "would leave a run that cannot go on: set checkpoint.every to save less often",
        "default_root_dir": "is not where a run is kept: set runs_dir, name and run instead",
        "barebones": "leaves out callbacks and loggers, without which there is no run: leave it out",
        "model_registry": "has no effect on this package's checkpoints: leave it out",
    }


def _callbacks(model: SteppedModule) -> dict[type[Callback], str]:
    key = {WassersteinGAN: "generator_average", W1Estimator: "average"}
    name = next((value for kind, value in key.items() if isinstance(model, kind)), None)
    average = f": set model.init_args.{name} instead" if name else ": leave it out"
    averages = "would average weights that constraints hold, and not project them" + average
    accumulate = ": set model.init_args.accumulate instead" if isinstance(model, WassersteinGAN) else ": leave it out"
    return {
        LearningRateFinder: "tries rates in steps that Lightning takes; this module takes its own: leave it out",
        BatchSizeFinder: "tries batches in steps that would be counted: set data.init_args.batch_size instead",
        GradientAccumulationScheduler: f"is for modules that Lightning optimises{accumulate}",
        StochasticWeightAveraging: averages,
        WeightAveraging: averages,
        BackboneFinetuning: f"needs a model with a backbone; a {type(model).__name__} has none: leave it out",
        ModelPruning: "changes weights that constraints hold, of which something is to be proven: leave it out",
        SpikeDetection: "needs losses that a training step returns; this module logs its own: leave it out",
        ThroughputMonitor: "counts Lightning's steps; train/seconds in metrics.csv says what one takes: leave it out",
    }
