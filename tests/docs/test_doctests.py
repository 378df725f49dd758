"""The examples in docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

import wgan_lip

# Only modules that have examples are imported.
MODULES = [
    ".".join(path.relative_to(Path(wgan_lip.__path__[0]).parent).with_suffix("").parts)
    for path in sorted(Path(wgan_lip.__path__[0]).rglob("*.py"))
    if ">>> " in path.read_text()
]
# What a reader meets first.
SHOWN = {
    *("lipschitz.GroupSort", "lipschitz.OrthogonalLinear", "lipschitz.certify", "optim.StiefelMuon"),
    *(
        "transport.wasserstein1",
        "transport.noise_floor",
        "transport.population_bracket",
        "transport.sliced_wasserstein1",
    ),
    *("distributions.Funnels", "distributions.AbsoluteValue", "networks.MLPCritic", "robustness.certify_classifier"),
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, capsys):
    # docs/api/index.rst says that these are taken for granted.
    results = doctest.testmod(importlib.import_module(name), extraglobs={"np": np, "torch": torch, "nn": torch.nn})
    assert results.attempted > 0
    assert results.failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_main_names_have_an_example(name):
    package, member = name.split(".")
    documented = getattr(importlib.import_module(f"wgan_lip.{package}"), member)
    assert doctest.DocTestParser().get_examples(documented.__doc__)
