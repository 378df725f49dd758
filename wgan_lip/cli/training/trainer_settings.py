"""Lightning's settings that do not apply to this package's modules, and what to set instead.

A module of this package optimises by itself, ends by its own steps, evaluates by callbacks and reads an endless stream
of batches. Lightning would ignore these settings, or apply them to steps and epochs that are not the module's.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
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

from wgan_lip.kinds import kind_of
from wgan_lip.training import EvaluateEverySteps, SteppedModule

# By setting, the values that change nothing.
_Settings = Mapping[str, tuple[Any, ...]]
_ENDS: _Settings = {"max_epochs": (-1, None), "min_steps": (None, 0), "min_epochs": (None, 0)}
_STREAM: _Settings = {
    "limit_train_batches": (None, 1.0),
    "overfit_batches": (0.0,),
    "reload_dataloaders_every_n_epochs": (0,),
}
_EVALUATIONS: _Settings = {
    "limit_val_batches": (None, 1.0),
    "limit_test_batches": (None, 1.0),
    "limit_predict_batches": (None, 1.0),
    "val_check_interval": (None, 1.0),
    "check_val_every_n_epoch": (1,),
    "num_sanity_val_steps": (None, 0),
}
_CLIPPING: _Settings = {"gradient_clip_val": (None,), "gradient_clip_algorithm": (None,)}


def check_trainer_settings(config: Any, model: SteppedModule, callbacks: Iterable[Callback]) -> None:
    """Refuse settings and callbacks of Lightning that do not apply to a module.

    Args:
        config: of the trainer, as it was parsed.
        model: to be trained.
        callbacks: those that the config adds.

    Raises:
        ValueError: a setting would be ignored or misunderstood, or a callback does not work with a module that
            optimises by itself.
    """
    for settings, why in _refused(model):
        for name, unchanged in settings.items():
            value = config.get(name)
            # By type too: 1 is a number of batches, 1.0 is all of them.
            if not any(value == good and type(value) is type(good) for good in unchanged):
                raise ValueError(f"trainer.{name}={value} {why}")
    if config.get("profiler") == "pytorch" or isinstance(config.get("profiler"), PyTorchProfiler):
        raise ValueError("trainer.profiler=pytorch records in networks, which cannot be copied then for a certificate")
    for callback in callbacks:
        for kind, why in _refused_callbacks(model).items():
            if isinstance(callback, kind):
                raise ValueError(f"trainer.callbacks: {type(callback).__name__} {why}")


def _refused(model: SteppedModule) -> Iterator[tuple[_Settings, str]]:
    names = kind_of(model).callbacks.items()
    evaluation = next((name for name, callback in names if issubclass(callback, EvaluateEverySteps)), None)
    made = (
        "nothing is evaluated by batches: leave it out"
        if evaluation is None
        else f"evaluations are made every {evaluation}.every steps, of {evaluation}.n samples: set those"
    )
    steps = f"model.init_args.{_parameter(model, 'generator_steps', 'steps')}={model.total_steps}"
    yield _ENDS, f"counts Lightning's steps; this training ends after {steps}: set that instead"
    yield _STREAM, "has no effect, because batches are read from an endless stream: leave it out"
    yield _EVALUATIONS, f"has no effect, because {made}"
    theirs = "is for modules that Lightning optimises"
    yield {"accumulate_grad_batches": (1,)}, f"{theirs}: {_instead(model, 'accumulate')}"
    yield _CLIPPING, f"{theirs}: {_instead(model, 'gradient_clip')}"
    yield (
        {"enable_checkpointing": (None, True)},
        "would leave a run that cannot be resumed: set checkpoint.every to save less often",
    )
    yield {"default_root_dir": (None,)}, "is not the folder of a run: set runs_dir, name and run instead"
    yield {"barebones": (False,)}, "leaves out callbacks and loggers, which a run requires: leave it out"
    yield {"model_registry": (None,)}, "has no effect on this package's checkpoints: leave it out"


def _refused_callbacks(model: SteppedModule) -> dict[type[Callback], str]:
    average = (
        f"would average constrained weights without projecting them: {_instead(model, 'generator_average', 'average')}"
    )
    accumulate = f"is for modules that Lightning optimises: {_instead(model, 'accumulate')}"
    return {
        LearningRateFinder: "tries rates in steps that Lightning takes; this module takes its own: leave it out",
        BatchSizeFinder: "tries batches in steps that would be counted: set data.init_args.batch_size instead",
        GradientAccumulationScheduler: accumulate,
        StochasticWeightAveraging: average,
        WeightAveraging: average,
        BackboneFinetuning: f"needs a model with a backbone; a {type(model).__name__} has none: leave it out",
        ModelPruning: "changes weights that constraints hold, on which a certificate rests: leave it out",
        SpikeDetection: "needs losses that a training step returns; this module logs its own: leave it out",
        ThroughputMonitor: "counts Lightning's steps; train/seconds in metrics.csv is the time of one: leave it out",
    }


def _instead(model: SteppedModule, *names: str) -> str:
    name = _parameter(model, *names)
    return "leave it out" if name is None else f"set model.init_args.{name} instead"


def _parameter(model: SteppedModule, *names: str) -> str | None:
    """Return the first of the names that the module's constructor takes."""
    taken = inspect.signature(type(model)).parameters
    return next((name for name in names if name in taken), None)
