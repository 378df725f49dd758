"""The critics that are trained and diagnosed."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import yaml
from pytorch_lightning import LightningModule
from torch import nn

from scripts.shared.processes import ROOT
from wgan_lip.cli.config import OneLineParser
from wgan_lip.data import Digits
from wgan_lip.distributions import AbsoluteValue, HighDimensionalCone, Pair, SphericalShells, ThreeCones
from wgan_lip.evaluation import score_heldout
from wgan_lip.evaluation.heldout import draw_heldout
from wgan_lip.lipschitz import GroupSort
from wgan_lip.networks import MLPCritic
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import summarize_gradients
from wgan_lip.training import W1Estimator, WassersteinGAN, gan_points, pair_points, plain_fit

DIGITS = ROOT / "configs" / "gan" / "digits.yaml"
GAN = "digits GAN"
POINTS = 2048
GAN_POINTS = 512


@dataclass(frozen=True)
class Case:
    """A pair, and the critics that are trained on it.

    Attributes:
        name: in the table.
        pair: builds it.
        width: of both critics.
        depth: of both critics.
        group_size: of GroupSort.
        share: steps, as a part of ``--steps``.
    """

    name: str
    pair: Callable[[], Pair]
    width: int
    depth: int
    group_size: int
    share: float = 1.0


CASES = (
    Case("absolute value", AbsoluteValue, 32, 3, 4, 0.5),
    Case("shells in R¹⁶", partial(SphericalShells, [[0.0] * 16], 2.0, 1.0), 64, 3, 4),
    Case("three cones in R²", ThreeCones, 64, 4, 4),
    Case("cone in R¹²⁸", HighDimensionalCone, 256, 3, 16, 0.3),
)
ACTIVATIONS = ("ReLU", "GroupSort")


def activation(name: str, group_size: int) -> Callable[[], nn.Module]:
    """What builds an activation."""
    return nn.ReLU if name == "ReLU" else partial(GroupSort, group_size)


def train_on_pair(case: Case, name: str, seed: int, steps: int) -> dict[str, Any]:
    """Train a critic on a pair and diagnose it; returns what is kept of it."""
    pair = case.pair()
    critic = partial(MLPCritic, width=case.width, depth=case.depth, activation=activation(name, case.group_size))
    steps = max(1, round(case.share * steps))
    estimator = W1Estimator(pair, critic, steps=steps, batch_size=128, decay="cosine", seed=seed)
    plain_fit(estimator)
    trained = estimator.final_critic()
    estimate = score_heldout(trained, draw_heldout(pair, 4096, 0, seed))
    summary = summarize_gradients(name, trained, pair_points(pair, POINTS, seed), keyed_generator(seed))
    truth = pair.w1().value
    return {"case": case.name, "seed": seed, "steps": steps, "w1": estimate.critic, "truth": truth, **summary.record()}


def train_gan(name: str, seed: int, steps: int) -> dict[str, Any]:
    """Train the GAN of the digits config with this activation in its critic, and diagnose that."""
    model = yaml.safe_load(DIGITS.read_text(encoding="utf-8"))["model"]
    arguments = model["init_args"]
    arguments.update(generator_steps=steps, seed=seed)
    if name == "ReLU":
        arguments["critic"]["init_args"]["activation"] = "torch.nn.ReLU"
    torch.manual_seed(seed)
    parser = OneLineParser()
    parser.add_subclass_arguments(LightningModule, "model", required=True)
    gan: WassersteinGAN = parser.instantiate_classes(parser.parse_object({"model": model}))["model"]
    data = Digits(seed=seed)
    plain_fit(gan, data)
    summary = summarize_gradients(
        name, gan.critic, gan_points(gan.eval(), data, GAN_POINTS, seed), keyed_generator(seed)
    )
    return {"case": GAN, "seed": seed, "steps": steps, "w1": None, "truth": None, **summary.record()}


def task(case: str, name: str, seed: int, steps: int) -> dict[str, Any]:
    """One training, in a process of its own."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    if case == GAN:
        return train_gan(name, seed, steps)
    return train_on_pair(next(one for one in CASES if one.name == case), name, seed, steps)
