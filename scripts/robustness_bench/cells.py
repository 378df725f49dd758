"""A cell of the table: one training, and what it scores."""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from scripts.robustness_bench.methods import DEEL, EPS, Method, methods
from wgan_lip.data import FashionMNIST
from wgan_lip.lipschitz import Norm
from wgan_lip.robustness import PGD, Attack, measure_robustness
from wgan_lip.training import draw_images, images_and_labels, plain_fit

OPTIONS = ("seconds", "images", "attack_steps", "restarts")
# Steps from whose duration the number of all is found.
PROBE = 40


def options(args: argparse.Namespace) -> dict[str, Any]:
    """What a cell's figures depend on, besides its method and seed."""
    return {name: getattr(args, name) for name in OPTIONS}


def plain(network: nn.Module) -> nn.Module:
    """The trained network in ordinary layers: deel-torchlip's compute their weights anew in each pass."""
    parts = [part.vanilla_export() if hasattr(part, "vanilla_export") else part for part in network.eval()]
    return nn.Sequential(*parts) if any(hasattr(part, "vanilla_export") for part in network) else network


def seconds_a_step(method: Method, data: FashionMNIST, seed: int) -> float:
    """Measured on a module that is thrown away."""
    module = method.build(PROBE, seed)
    start = time.perf_counter()
    plain_fit(module, data)
    begun = time.perf_counter() - start
    module = method.build(2 * PROBE, seed)
    start = time.perf_counter()
    plain_fit(module, data)
    return max(1e-4, (time.perf_counter() - start - begun) / PROBE)


def train_and_score(name: str, seed: int, args: argparse.Namespace, setting: str) -> dict[str, Any]:
    """One cell of the table."""
    torch.set_num_threads(1)
    method = methods(setting)[name]
    data = FashionMNIST(labels=True, batch_size=method.batch, seed=seed)
    data.setup()
    torch.manual_seed(seed)
    steps = max(PROBE, int(args.seconds / seconds_a_step(method, data, seed)))
    torch.manual_seed(seed)
    module = method.build(steps, seed)
    start = time.perf_counter()
    plain_fit(module, data)
    seconds = time.perf_counter() - start
    network = plain(module.network)
    x, y = draw_images(data, args.images, 0)
    train = images_and_labels(torch.stack([data.split("train")[i] for i in range(args.images)]), 10)
    cell: dict[str, Any] = {"method": name, "seed": seed, "seconds": seconds, "steps": steps, "options": options(args)}
    if name == DEEL:
        cell["setting"] = setting
    cell["train_clean"] = float((network(train[0]).argmax(1) == train[1]).double().mean())
    for norm in method.norms:
        attack: Callable[[float, Norm], Attack] = partial(PGD, steps=args.attack_steps, restarts=args.restarts)
        found = measure_robustness(network, x, y, norm, EPS[norm], pgd=attack)
        cell[norm] = {
            "clean": found.clean.value,
            "attacked": found.attacked,
            "lipschitz": None if found.certificate is None else found.certificate.lipschitz.bound,
            "at": {
                str(row.eps): {
                    "certified": None if row.certified is None else row.certified.value,
                    "pgd": row.pgd and row.pgd.value,
                    "fgsm": row.fgsm and row.fgsm.value,
                }
                for row in found.at
            },
        }
    return cell
