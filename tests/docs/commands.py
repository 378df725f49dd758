"""A command of the documentation, made small and run, or only parsed."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from scripts import random_search
from tests.docs.pages import ROOT
from tests.support.commands import run
from wgan_lip.cli.configs import config_path

# A step or two of whatever a config trains; only what a command does not say itself.
_FIT: dict[str, dict[str, str]] = {
    "WassersteinGAN": {"model.init_args.generator_steps": "1", "exact_w1.n": "20", "trainer.accelerator": "cpu"},
    "W1Estimator": {"model.init_args.steps": "2", "heldout_w1.n": "64", "heldout_w1.exact_n": "20"},
    "RobustClassifier": {"model.init_args.steps": "2", "model.init_args.network.init_args.hidden": "[16]"},
}
_IMAGES = {"data.init_args.batch_size": "8"}
_COMPARE = ["--set", "steps=2", "--seeds=[0]", "--n=64", "--exact_n=20", "--jobs=1"]
# What a reader fills in.
_PLACEHOLDERS = {"...": "configs/gan/digits.yaml"}
# Targets whose recipes a test runs: what they take twice would be long, or is hours.
_TESTED_TARGETS = {"demo": "tests/scripts/test_demo.py"}
# Runs the tests that CI runs, once more and slower.
_IN_PARTS = {"coverage": "test"}
# Programs of others, which are not ours to run.
_OTHERS = ("wandb", "pip")


def words_of(command: str) -> list[str]:
    """The words of a command: the program without its folder, ``python -m wgan_lip`` as ``wgan-lip``."""
    words = [_PLACEHOLDERS.get(word, word) for word in shlex.split(command)]
    words[0] = words[0].removeprefix(".venv/bin/")
    if words[0].startswith("scripts/") and words[0].endswith(".py"):
        words = ["python", *words]
    if words[:3] == ["python", "-m", "wgan_lip"]:
        words = ["wgan-lip", *words[3:]]
    return words[2:] if words[:3] == ["python", "-m", "pytest"] else words


def execute(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command in this process and in the folder where it is, made small by further options.

    Args:
        command: as it stands in the documentation.
        monkeypatch: restores what it changes.
    """
    program, *words = words_of(command)
    if program == "make":
        _check_target(words)
    elif program == "wgan-lip":
        run(monkeypatch, *_alone(words), *_made_small(words))
    elif program == "python" and words[0] == "scripts/random_search.py":
        trains = not {"--write", "--table"} & {*words}
        small = ["-n", "1", "--wandb.mode=disabled", *_unsaid(_FIT["WassersteinGAN"], words)] if trains else []
        assert random_search.main([*words[1:], *small]) == 0
    elif program == "python" and words[0].startswith("examples/"):
        # tests/docs/test_examples.py runs every file there.
        assert (ROOT / words[0]).is_file()
        assert len(words) == 1
    else:
        pytest.fail(f"nothing is known of {program}: run it here, or say above the block what it needs")


def parse(command: str, monkeypatch: pytest.MonkeyPatch, needs: str | None = None) -> None:
    """See that a command's program and files are there and that it takes its arguments, without running it.

    Args:
        command: as it stands in the documentation.
        monkeypatch: restores what it changes.
        needs: what it is said to need, which the CI may not have.
    """
    program, *words = words_of(command)
    if program == "make":
        _check_target(words, needs)
    elif program in ("wgan-lip", "torchrun"):
        _parse_ours(words[words.index("wgan_lip") + 1 :] if program == "torchrun" else words, monkeypatch)
    elif program == "sbatch":
        assert (ROOT / words[0]).is_file()
        _parse_ours(["fit", *words[1:]], monkeypatch)
    elif program == "python" and words[0].startswith("scripts/"):
        _parse_script(words, monkeypatch)
    elif program == "python" and words[0].startswith("examples/"):
        assert (ROOT / words[0]).is_file()
    elif program == "pytest":
        _check_tests(words)
    elif program.endswith(".sbatch"):
        assert (ROOT / program).is_file()
    else:
        assert program in _OTHERS, f"nothing is known of {program}"
        if words[0] == "sweep":
            assert (ROOT / words[1]).is_file()


def _check_target(words: list[str], needs: str | None = None) -> None:
    """A target of the Makefile, which the CI makes, each on a line of its own; or a test runs its recipe."""
    (target,) = words
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    if needs is not None:
        return
    if target in _TESTED_TARGETS:
        assert f"^{target}: " in (ROOT / _TESTED_TARGETS[target]).read_text()
    else:
        assert f"step {_IN_PARTS.get(target, target)}" in (ROOT / ".ci" / "run").read_text().splitlines(), target


def _check_tests(words: list[str]) -> None:
    names = [word for word in words if word.startswith("tests/")]
    assert names
    for name in names:
        assert (ROOT / name).is_file(), name
    if "-m" in words:
        assert f"pytest.mark.{words[words.index('-m') + 1]}" in "".join((ROOT / name).read_text() for name in names)


def _alone(words: list[str]) -> list[str]:
    """Without further processes, which would run pytest once more; tests/cli/test_fit_ranks.py starts them."""
    if "--trainer.devices" not in words:
        return words
    place = words.index("--trainer.devices")
    return words[:place] + words[place + 2 :]


def _made_small(words: list[str]) -> list[str]:
    command = words[0]
    if command in ("fit", "validate"):
        if "--print_config" in words:
            return []
        kind, images = _of_config(words)
        return ["--wandb.mode=disabled", *_unsaid(_FIT[kind] | (_IMAGES if images else {}), words)]
    return {"compare": _COMPARE, "diagnose": ["-n", "20"], "w1": ["--max-points", "100"]}.get(command, [])


def _of_config(words: list[str]) -> tuple[str, bool]:
    """What the first config of a command trains, and whether on the few images that are made for the test."""
    content = yaml.safe_load(Path(config_path(words[words.index("-c") + 1])).read_text())
    data = content.get("data", {"class_path": "none"})["class_path"]
    return content["model"]["class_path"].rpartition(".")[2], data not in ("none", "wgan_lip.data.Digits")


def _unsaid(options: dict[str, str], words: list[str]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items() if f"--{name}" not in words]


def _parse_ours(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command, rest = words[:1], words[1:]
    if not rest or "--help" in rest:
        _print(monkeypatch, *command, "--help")
    elif command[0] in ("fit", "validate", "compare"):
        _print(monkeypatch, *words, "--print_config")
    elif command == ["submit"]:
        run(monkeypatch, *words, "--dry-run")
    else:
        _stop_when_parsed(monkeypatch)
        with pytest.raises(_Parsed):
            run(monkeypatch, *words)


def _print(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """A command that prints and ends; some do so by an exit."""
    try:
        run(monkeypatch, *words)
    except SystemExit as exit_:
        if exit_.code:
            raise


def _parse_script(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = importlib.import_module(words[0].removesuffix(".py").replace("/", "."))
    monkeypatch.setattr(sys, "argv", words)
    if module is random_search:
        # It hands on what it does not know, and so says nothing of it; this trains nothing.
        assert module.main([*words[1:], "--table"]) == 0
        return
    _stop_when_parsed(monkeypatch)
    with pytest.raises(_Parsed):
        module.main()


class _Parsed(Exception):  # noqa: N818  (no error)
    """The arguments were taken."""


def _stop_when_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parse_args = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> NoReturn:
        parse_args(self, *args, **kwargs)
        raise _Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
