"""Cells of a comparison: a critic, a pair, a seed each."""

import copy
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from inspect import signature
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from wgan_lip.evaluation import check_sizes
from wgan_lip.training import W1Estimator

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One short training and its evaluation.

    Attributes:
        critic: the critic's label.
        pair: the pair's label.
        seed: of weights and samples.
        estimator: the arguments of :class:`W1Estimator`, resolved, as YAML.
        n: held-out samples of each distribution.
        exact_n: the exact W1 is that of so many of them.
    """

    critic: str
    pair: str
    seed: int
    estimator: str
    n: int
    exact_n: int

    @property
    def key(self) -> str:
        """A hash of all that the result depends on, which excludes labels."""
        content = json.dumps([self.estimator, self.n, self.exact_n])
        return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()

    @property
    def label(self) -> str:
        """The cell's name in a line of output."""
        return f"{self.critic} on {self.pair}, seed {self.seed}"

    def build(self) -> W1Estimator:
        """Return the estimator, untrained."""
        parser = _parser()
        config = parser.parse_object({"estimator": yaml.safe_load(self.estimator)})
        estimator: W1Estimator = parser.instantiate(config).estimator
        return estimator


def parse_cells(
    critics: Mapping[str, Arguments] | Sequence[Mapping[str, Arguments]],
    pairs: Mapping[str, Any],
    seeds: Sequence[int],
    estimator: Arguments,
    n: int,
    exact_n: int,
    overrides: Arguments | None = None,
) -> list[Cell]:
    """Return all cells of a comparison, critics × pairs × seeds, each checked before the first is trained.

    Args:
        critics: by label, a critic's own arguments of :class:`W1Estimator`: ``critic`` itself, and whatever else
            differs (``optimizer``, ``penalty``, ``project``, ``steps``). Of several such mappings, all combinations.
        pairs: by label, the argument ``pair``: a class path, or a mapping with class_path and init_args.
        seeds: of the repetitions.
        estimator: arguments of :class:`W1Estimator` that all have in common; a critic's own are merged into them.
        n: held-out samples of each distribution.
        exact_n: the exact W1 is that of so many of them.
        overrides: arguments of :class:`W1Estimator` that replace all others.

    Raises:
        ValueError: nothing to compare, a seed given twice, too few samples, or arguments that :class:`W1Estimator`
            does not take; the critic and the pair are named.
    """
    chosen_critics = product_of(critics)
    for name, value in (("critics", chosen_critics), ("pairs", pairs), ("seeds", seeds)):
        if not value:
            raise ValueError(f"{name} must name at least one; got none")
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds must differ; got seeds={list(seeds)}")
    check_sizes(n, exact_n)
    _check_names("estimator", estimator)
    _check_names("set", overrides or {})
    for label, own in chosen_critics.items():
        _check_names(f"critics.{label}", own)
    parser = _parser()
    cells: list[Cell] = []
    for pair_label, pair in pairs.items():
        for critic_label, own in chosen_critics.items():
            # A copy: the parser writes into what it is given.
            common = {**merged(estimator, own), **(overrides or {})}
            chosen = copy.deepcopy({**common, "pair": pair, "seed": seeds[0]})
            try:
                config = parser.parse_object({"estimator": chosen})
            except Exception as error:
                # Whatever the parser and the classes' own checks raise.
                raise ValueError(f"{critic_label} on {pair_label}: {error}") from error
            resolved = yaml.safe_load(parser.dump(config))["estimator"]
            for seed in seeds:
                arguments = yaml.safe_dump({**resolved, "seed": seed}, sort_keys=True)
                cells.append(Cell(critic_label, pair_label, seed, arguments, n, exact_n))
    return cells


def _check_names(place: str, arguments: Arguments) -> None:
    known = list(signature(W1Estimator).parameters)
    for name in arguments:
        if name not in known:
            raise ValueError(f"{place} must name arguments of W1Estimator; got {name!r}; these are {', '.join(known)}")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(W1Estimator, "estimator")
    return parser


def product_of(critics: Mapping[str, Arguments] | Sequence[Mapping[str, Arguments]]) -> dict[str, Arguments]:
    """Return arguments by label; of several mappings all combinations, ``label, label``, with their arguments merged.

    Args:
        critics: one mapping, or a sequence of them, such as one of activations and one of constraints.

    Raises:
        ValueError: anything else, or two combinations of one label.
    """
    axes = [critics] if isinstance(critics, Mapping) else list(critics)
    for axis in axes:
        if not isinstance(axis, Mapping):
            raise ValueError(f"critics must be a mapping from labels to arguments, or a list of them; got {axis!r}")
        for label, own in axis.items():
            if not isinstance(own, Mapping):
                raise ValueError(f"critics.{label} must be a mapping such as {{critic: ...}}; got {own!r}")
    found: dict[str, Arguments] = {}
    for chosen in itertools.product(*(axis.items() for axis in axes)) if axes else ():
        label = ", ".join(str(name) for name, _ in chosen)
        if label in found:
            raise ValueError(f"critics must have different labels; got {label!r} twice")
        found[label] = reduce(merged, (own for _, own in chosen), {})
    return found


def merged(base: Arguments, over: Arguments) -> dict[str, Any]:
    """Return the arguments of both, the second's where they differ; nested mappings are merged likewise.

    A mapping that names another class replaces the first one's, whose arguments that class does not take.

    Args:
        base: arguments.
        over: further arguments.
    """
    result = dict(base)
    for name, value in over.items():
        old = base.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _is_same_class(old, value):
            result[name] = merged(old, value)
        else:
            result[name] = value
    return result


def _is_same_class(old: Arguments, new: Arguments) -> bool:
    return "class_path" not in new or new["class_path"] == old.get("class_path")
