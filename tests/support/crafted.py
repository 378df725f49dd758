"""Checkpoints that somebody made up: what is done to a good one, and what is said of it."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ALL = ("fit", "validate", "test", "report", "sample", "diagnose", "certify", "export")
# Those that build a checkpoint's own config.
BUILT = ("report", "sample", "diagnose", "certify", "export")
TRAINER = ("fit", "validate", "test")


@dataclass(frozen=True)
class Case:
    """One crafted checkpoint.

    Attributes:
        change: of a good one's content, in place, or what it gives instead.
        message: what the line says.
        commands: that must refuse it.
    """

    change: Callable[[dict[str, Any]], Any]
    message: str
    commands: tuple[str, ...] = ALL


def write_crafted(good: Path, case: Case, path: Path) -> Path:
    """Write a crafted checkpoint.

    Args:
        good: one as ``fit`` wrote it.
        case: what is changed.
        path: where it is written.
    """
    content = torch.load(good, weights_only=True)
    changed = case.change(content)
    if isinstance(changed, bytes):
        path.write_bytes(changed)
    else:
        torch.save(content if changed is None else changed, path)
    return path


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set what is reached by keys; a value that is a function is applied to what is there."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value(content[keys[-1]]) if callable(value) else value

    return change


def drop(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """Remove what is reached by keys."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def weight(value: Any) -> Callable[[dict[str, Any]], None]:
    """Another first weight of the critic; a function of the one that is there, or a value."""
    return put("state_dict", "critic.1.weight", value=value)


def config(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """Another text in the config."""

    def change(content: dict[str, Any]) -> None:
        assert old in content["wgan_lip"]["config"]
        content["wgan_lip"]["config"] = content["wgan_lip"]["config"].replace(old, new)

    return change


def text(value: Any) -> Callable[[dict[str, Any]], None]:
    """Another config altogether."""
    return put("wgan_lip", "config", value=value)


def nested(depth: int) -> list[Any]:
    """Lists within lists."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def doubled(times: int) -> list[Any]:
    """A list that is small as it is shared, and large where it is not."""
    inner: list[Any] = ["x" * 100]
    for _ in range(times):
        inner = [inner, inner]
    return inner


def laughs() -> str:
    """YAML whose aliases make ten to the twelfth values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join([*lines, "model: *a11"])


def archive(members: dict[str, bytes], path: Path, how: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive as other programs write it."""
    with zipfile.ZipFile(path, "w", how) as written:
        for name, content in members.items():
            written.writestr(f"archive/{name}", content)
    return path.read_bytes()


class Subclass(torch.Tensor):
    """A tensor of another class."""


def _sparse(w: torch.Tensor) -> torch.Tensor:
    return w.to_sparse()


def _overlapping(w: torch.Tensor) -> torch.Tensor:
    return torch.zeros(1).expand(10**6, 10**6)


LOOP = ("loops", "fit_loop")
NETWORK = "the checkpoint is of another network: its critic.1.weight"
ESC = "\x1b[31m\x1b]0;owned\x07"
CASES = {
    # What it is.
    "a list": Case(lambda content: [1, 2], "is not a checkpoint of wgan-lip"),
    "a tensor": Case(lambda content: torch.ones(3), "is not a checkpoint of wgan-lip"),
    "of something else": Case(drop("wgan_lip"), "is not a checkpoint of wgan-lip"),
    "kept as a list": Case(put("wgan_lip", value=[1]), "is not a checkpoint of wgan-lip"),
    "bytes": Case(lambda content: bytes(100), "it is not a zip archive"),
    "nothing": Case(lambda content: b"", "it is cut off"),
    # What it is made of.
    "a function": Case(put("wgan_lip", "version", value=lambda _: print), "it holds __builtin__.print"),
    "a set": Case(put("more", value={1, 2}), "it holds __builtin__.set"),
    "bytes within": Case(put("more", value=b"abc"), "it holds _codecs.encode"),
    "a huge integer": Case(put("global_step", value=10**400), "an integer of more than 64 bits"),
    "deep": Case(put("more", value=nested(150)), "nested more than 100 deep"),
    "laughs": Case(
        put("more", value=doubled(60)), "it holds more than 134217728 values, counting shared ones each time"
    ),
    "a tuple for a key": Case(
        put("more", value={(1, 2): 3}), "keys of mappings in it must be text or numbers; got a tuple"
    ),
    # Weights.
    "no weights": Case(drop("state_dict"), "state_dict must hold tensors; got None"),
    "a list of weights": Case(put("state_dict", value=[1]), "state_dict must hold tensors; got a list"),
    "text for a weight": Case(weight("x"), "state_dict must hold tensors"),
    "a number for a weight": Case(weight(1.0), "state_dict must hold tensors"),
    "a missing weight": Case(drop("state_dict", "critic.1.weight"), f"{NETWORK} has shape none"),
    "a weight too many": Case(put("state_dict", "x", value=torch.ones(1)), "its x has shape (1,)"),
    "a number for a name": Case(put("state_dict", 7, value=torch.ones(1)), "its 7 has shape (1,)"),
    "another shape": Case(weight(torch.ones(3, 3)), f"{NETWORK} has shape (3, 3)"),
    "another number of dimensions": Case(weight(lambda w: w[None]), NETWORK),
    "NaN": Case(weight(lambda w: w * torch.nan), "critic.1.weight holds NaN or infinity"),
    "infinity": Case(weight(lambda w: w + torch.inf), "critic.1.weight holds NaN or infinity"),
    "complex": Case(weight(lambda w: w.to(torch.complex64)), f"{NETWORK} is of torch.complex64"),
    "integers": Case(weight(lambda w: w.long()), f"{NETWORK} is of torch.int64"),
    "eight bits": Case(weight(lambda w: w.to(torch.float8_e4m3fn)), f"{NETWORK} is of torch.float8_e4m3fn"),
    "sparse": Case(weight(_sparse), "it holds a sparse tensor"),
    "meta": Case(weight(lambda w: w.to("meta")), "it holds a tensor without numbers"),
    "a subclass": Case(weight(lambda w: w.as_subclass(Subclass)), "it holds a tensor of another class"),
    "overlapping": Case(weight(_overlapping), "it has a tensor of 1000000000000 numbers, of which 1 are stored"),
    # Counters.
    "no counter": Case(drop("wgan_lip", "critic_step"), "critic_step must be a count of steps; got None"),
    "a list for a counter": Case(put("wgan_lip", "critic_step", value=[1]), "must be a count of steps; got a list"),
    "text for a counter": Case(put("wgan_lip", "critic_step", value="9"), "must be a count of steps; got '9'"),
    "half a step": Case(put("wgan_lip", "critic_step", value=1.5), "must be a count of steps; got 1.5"),
    "true for a counter": Case(put("wgan_lip", "critic_step", value=True), "must be a count of steps; got True"),
    "a negative counter": Case(put("wgan_lip", "critic_step", value=-9), "must be a count of steps; got -9"),
    "a huge counter": Case(put("wgan_lip", "critic_step", value=2**60), "must be a count of steps; got 1152921504606"),
    "escapes for a counter": Case(put("wgan_lip", "critic_step", value=ESC), r"got '\x1b[31m"),
    "escapes for a step's name": Case(put("wgan_lip", "step_name", value=ESC), "step_name must be the name of a"),
    "a list for a step's name": Case(put("wgan_lip", "step_name", value=[]), "step_name must be the name of a counter"),
    "another step's name": Case(
        put("wgan_lip", "step_name", value="other"), "does not contain the step at which it was saved", TRAINER
    ),
    "rows": Case(put("wgan_lip", "metrics_rows", value="x"), "metrics_rows must be a number of rows; got 'x'"),
    "negative rows": Case(put("wgan_lip", "metrics_rows", value=-1), "metrics_rows must be a number of rows; got -1"),
    "a number for optimisers": Case(put("wgan_lip", "optimizers", value=3), "optimizers must be a list of names"),
    # Random states.
    "random text": Case(put("wgan_lip", "random_states", value="x"), "random_states must be the states of random"),
    "short random states": Case(
        put("wgan_lip", "random_states", 0, "torch", value=torch.zeros(3, dtype=torch.uint8)), "random_states must be"
    ),
    "a random position": Case(
        put("wgan_lip", "random_states", 0, "numpy", value=lambda s: (s[0], 10**6, *s[2:])), "random_states must be"
    ),
    "python's random state": Case(
        put("wgan_lip", "random_states", 0, "python", value=(3, [2] * 7, None)), "random_states must be the states"
    ),
    # Its config.
    "no config": Case(drop("wgan_lip", "config"), "contains no config with a model", BUILT),
    "a list for a config": Case(text([1]), "its config must be text; got a list"),
    "bad YAML": Case(text("model: [1"), "config is not YAML", BUILT),
    "a scalar": Case(text("3"), "contains no config with a model", BUILT),
    "aliases": Case(text(laughs()), "more than 10000 values or 50 levels in its YAML", BUILT),
    "a value that holds itself": Case(text("model: &a [*a]"), "a value in its YAML that contains itself", BUILT),
    "deep YAML": Case(text("model: " + "[" * 30000), "more than 10000 values or 50 levels in its YAML", BUILT),
    "long YAML": Case(text("model: " + "x" * 10**6), "characters of YAML; at most 65536 are allowed", BUILT),
    "code in YAML": Case(text("model: !!python/object/apply:os.system [x]"), "config is not YAML", BUILT),
    "no such date": Case(text("model: 2001-13-45"), "config is not YAML", BUILT),
    "escapes in YAML": Case(text('model: {class_path: "wgan_lip.\\e[31mx"}'), r"names wgan_lip.\x1b[31mx", BUILT[1:]),
    "aliases in its text": Case(
        config("class_path: wgan_lip.training", f"more: {json.dumps(laughs())}\n  class_path: wgan_lip.training"),
        "more than 10000 values or 50 levels in its YAML",
        BUILT,
    ),
    "another noise": Case(config("noise_dim: 32", "noise_dim: 7"), "is of another network", BUILT),
    "a negative width": Case(config("width: 16", "width: -3"), "got width=-3", BUILT),
    "text for a width": Case(config("width: 16", "width: [a]"), "width must be int; got", BUILT),
    # What Lightning takes up.
    "no loops": Case(drop("loops"), "fit_loop must be a mapping; got None", ("fit",)),
    "a list of loops": Case(put("loops", value=[1]), "fit_loop must be a mapping; got None", ("fit",)),
    "text for an epoch": Case(
        put(*LOOP, "epoch_progress", "current", "completed", value="x"),
        "fit_loop.epoch_progress.current.completed must be a count; got 'x'",
        ("fit",),
    ),
    "a negative batch": Case(
        put(*LOOP, "epoch_loop.batch_progress", "total", "ready", value=-5), "total.ready must be a count", ("fit",)
    ),
    "a number for a flag": Case(
        put(*LOOP, "epoch_loop.batch_progress", "is_last_batch", value=3), "must be true or false; got 3", ("fit",)
    ),
    "no batches": Case(drop(*LOOP, "epoch_loop.batch_progress"), "batch_progress must be a mapping", ("fit",)),
    "another Lightning": Case(put("pytorch-lightning_version", value=[1]), "cannot resume from", TRAINER),
    "Lightning x": Case(put("pytorch-lightning_version", value="x"), "cannot resume from", TRAINER),
    "a list of callbacks": Case(put("callbacks", value=[1]), "cannot resume from", ("fit",)),
    "text for a callback's state": Case(
        put("callbacks", "ExactW1", value="x"), "ExactW1's last_step in the checkpoint must be a step", ("fit",)
    ),
    "text for a callback's step": Case(
        put("callbacks", "SaveCheckpoint", "last_step", value="x"), "SaveCheckpoint's last_step in", ("fit",)
    ),
    "text for potentials": Case(
        put("callbacks", "ExactW1", "real_potentials", value=["x"]), "real_potentials in the checkpoint", ("fit",)
    ),
    "a position in the data": Case(put("Digits", "position", value=-3), "position in the data in the", ("fit",)),
    "no optimiser's state": Case(drop("optimizer_states"), "cannot resume from", ("fit",)),
    "text for an optimiser's state": Case(put("optimizer_states", 0, value="x"), "cannot resume from", ("fit",)),
    "text for a rate": Case(
        put("optimizer_states", 0, "param_groups", 0, "betas", value="xy"), "cannot resume from", ("fit",)
    ),
    "another moment": Case(
        put("optimizer_states", 0, "state", 0, "exp_avg", value=torch.ones(3)), "cannot resume from", ("fit",)
    ),
    "no moment": Case(drop("optimizer_states", 0, "state", 0, "exp_avg"), "cannot resume from", ("fit",)),
    "a list of schedules": Case(put("lr_schedulers", value=[1, 2]), "cannot resume from", ("fit",)),
    "a schedule that overwrites": Case(put("lr_schedulers", 0, "optimizer", value="x"), "cannot resume from", ("fit",)),
}
