"""The commands as a whole: what there is, how it is said, and that saying it takes no time."""

import re
import subprocess
import sys
import time

import pytest

from tests.support.commands import failure, run
from wgan_lip import __version__
from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.commands import COMMANDS

PLAIN = [name for name, command in COMMANDS.items() if not command.is_training and name != "compare"]
OF_CHECKPOINTS = ("sample", "diagnose", "certify", "export")


def process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help_names_each_command_once_and_in_order(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    run(monkeypatch, "--help")
    printed = capsys.readouterr().out
    assert re.findall(r"^  ([a-z0-9]+) +[A-Za-z]", printed.partition("examples:")[0], re.M) == list(COMMANDS)
    for line in printed.splitlines():
        assert len(line) <= 80
    # Its examples are of commands that exist.
    assert set(re.findall(r"^  wgan-lip ([a-z0-9]+)", printed, re.M)) <= set(COMMANDS)


def test_help_version_and_configs_import_nothing_large():
    said = "main(['--help']); main(['configs']); main(['--version'])"
    code = f"import sys; from wgan_lip.cli import main; {said}; print(*sys.modules)"
    start = time.perf_counter()
    printed = process(code)
    assert time.perf_counter() - start < 2
    modules = set(printed.splitlines()[-1].split())
    assert not modules & {"torch", "pytorch_lightning", "lightning_fabric", "wandb", "numpy", "scipy", "rich"}
    assert printed.splitlines()[-2] == f"wgan-lip {__version__}"


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [([], "a command is missing"), (["w2", "a"], "there is no command 'w2'"), (["-c"], "there is no command '-c'")],
)
def test_an_unknown_command_is_one_line(arguments, wrong, monkeypatch, capsys):
    line = failure(capsys, monkeypatch, *arguments)
    assert line.startswith(f"wgan-lip: error: {wrong}; choose from {', '.join(COMMANDS)}: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_explains_itself(command, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, command, "--help")
    assert not exit_.value.code
    printed = capsys.readouterr().out
    # jsonargparse's usage is of the subcommand.
    assert re.match(rf"usage: (wgan-lip|.*) .*{command}", printed)


def test_the_same_option_is_called_and_explained_the_same():
    said: dict[str, set[tuple[object, ...]]] = {}
    for name in PLAIN:
        parser = COMMANDS[name].make_parser()
        assert isinstance(parser, CommandParser)
        for action in parser._actions:
            if name in OF_CHECKPOINTS and action.dest in ("checkpoint", "trust"):
                said.setdefault(action.dest, set()).add((action.metavar, action.help))
            if action.dest in ("n", "output", "seed", "json"):
                said.setdefault(action.dest, set()).add((tuple(action.option_strings), action.metavar))
    assert said.keys() == {"checkpoint", "trust", "n", "output", "seed", "json"}
    assert {name: len(ways) for name, ways in said.items()} == dict.fromkeys(said, 1)


@pytest.mark.parametrize("command", OF_CHECKPOINTS)
def test_a_checkpoint_that_is_not_there_is_named_as_the_command_has_it(command, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    output = ["-o", "x.pt2"] if command == "export" else []
    line = failure(capsys, monkeypatch, command, "none.ckpt", *output)
    assert "CKPT none.ckpt: there is no such file" in line
    (tmp_path / "run").mkdir()
    line = failure(capsys, monkeypatch, command, "run", *output)
    assert "CKPT run: there is no run/checkpoints/last.ckpt" in line


def test_underscores_are_understood_as_hyphens(monkeypatch, capsys):
    for words in (["--max_points=0"], ["--max_points", "0"], ["--max-points", "0"]):
        line = failure(capsys, monkeypatch, "w1", "a_b.npy", "c.npy", *words)
        assert "argument --max-points: must be a whole number from 1; got '0'" in line
    parsed = COMMANDS["w1"].make_parser().parse_args(["a_b.npy", "c.npy", "--time_budget=3"])
    assert (parsed.a, parsed.time_budget) == ("a_b.npy", 3)


def test_fit_without_a_config_says_where_there_are_some(monkeypatch, capsys):
    assert "name a config by -c; wgan-lip configs lists the bundled ones" in failure(capsys, monkeypatch, "fit")
