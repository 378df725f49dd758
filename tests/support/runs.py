"""Folders of runs, made without training."""

import csv
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

GAN_CONFIG = {
    "name": "digits",
    "model": {"class_path": "wgan_lip.training.WassersteinGAN", "init_args": {"n_critic": 3, "generator_steps": 20}},
    "exact_w1": {"every": 10, "n": 500, "confidence": 0.9},
    "gradient_norms": {"n": 256},
}


def gan_rows() -> list[dict[str, Any]]:
    """A row of training and three evaluations, of which the second's time budget was spent."""
    floor = {"w1/noise_floor": 2.0, "w1/noise_floor_standard_error": 0.125}
    common = {**floor, "w1/seconds": 0.25, "lipschitz/certified": 1.0000012}
    first = {"w1/exact": 6.0, "w1/exact_standard_error": 0.05, "w1/critic": -1.0, "w1/gap": 7.0}
    last = {"w1/exact": 3.0, "w1/exact_standard_error": 0.25, "w1/critic": 0.79999, "w1/gap": 2.20001}
    gradients = {"gradient_norm/real/input": 0.75, "gradient_norm/real/input_standard_error": 0.01}
    layer = {"gradient_norm/real/1_GroupSort": 0.875, "gradient_norm/real/1_GroupSort_standard_error": 0.02}
    bracket = {"w1/population_lower": 0.6004, "w1/population_upper": 4.0001}
    return [
        {"generator_step": 0, "critic_step": 0, **first, **bracket, **common},
        {"generator_step": 5, "critic_step": 15, "train/w1_critic": 1.5},
        {"generator_step": 10, "critic_step": 30, "w1/exact_lower": 2.5, "w1/exact_upper": 3.5, **common},
        {"generator_step": 20, "critic_step": 60, **last, **bracket, **common},
        {"generator_step": 20, "critic_step": 60, **gradients, **layer},
    ]


def estimator_rows() -> list[dict[str, Any]]:
    """Two evaluations of a pair whose W1 is 1."""
    errors = {"w1/exact_standard_error": 0.02, "w1/noise_floor_standard_error": 0.01}
    common = {"w1/truth": 1.0, "w1/truth_standard_error": 0.0, "w1/exact": 1.05, "w1/noise_floor": 0.08, **errors}
    return [
        {"critic_step": 0, "gradient/norm": 0.2, "w1/critic": 0.25, "w1/standard_error": 0.01, **common},
        {
            "critic_step": 40,
            "gradient/norm": 0.99,
            "w1/critic": 0.9625,
            "w1/standard_error": 0.004,
            "w1/error": -0.0375,
            "w1/gap": 0.08,
            "gradient/cosine": 0.975,
            "gradient/l2": 0.05,
            "lipschitz/certified": 1.0000003,
            "w1/seconds": 0.1,
            **common,
        },
    ]


def classifier_rows() -> list[dict[str, Any]]:
    """Two evaluations."""
    return [
        {
            "classifier_step": step,
            "lipschitz/certified": 1.0000005,
            "accuracy/clean": clean,
            "accuracy/clean_low": clean - 0.01,
            "accuracy/clean_high": clean + 0.01,
            "accuracy/certified_0.5": clean / 2,
            "accuracy/certified_0.5_low": clean / 2 - 0.01,
            "accuracy/certified_0.5_high": clean / 2 + 0.01,
            "accuracy/median_radius": 0.4,
            "accuracy/median_radius_low": 0.375,
            "accuracy/median_radius_high": 0.425,
        }
        for step, clean in ((0, 0.1), (40, 0.8))
    ]


def write_run(
    folder: Path,
    rows: list[dict[str, Any]],
    config: dict[str, Any] | None = None,
    pictures: dict[str, int] | None = None,
    finished: int | None = None,
) -> Path:
    """A run's folder.

    Args:
        folder: where; it is made.
        rows: of metrics.csv.
        config: of config.yaml; none if None.
        pictures: grey levels by the files' names in samples/.
        finished: the step at which it was.
    """
    folder.mkdir(parents=True)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    if config is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for name, grey in (pictures or {}).items():
        (folder / "samples").mkdir(exist_ok=True)
        Image.new("L", (4, 4), grey).save(folder / "samples" / name)
    if finished is not None:
        (folder / "finished").write_text(f"{finished}\n")
    return folder
