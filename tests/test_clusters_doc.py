"""Every command of docs/clusters.md is one that its program takes."""

import re
import shlex
from pathlib import Path

import pytest

from scripts import random_search, sync_wandb
from tests.cli import run

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "clusters.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]


def of(program: str) -> list[list[str]]:
    return [words for command in COMMANDS if (words := shlex.split(command))[0] == program]


@pytest.mark.parametrize(
    "arguments",
    [words[1:] for words in of("wgan-lip") if words[1] == "fit"]
    + [words[words.index("wgan_lip") + 1 :] for words in of("torchrun")],
    ids=" ".join,
)
def test_fit_takes_it(arguments, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, *arguments, "--print_config")
    assert exit_.value.code in (0, None), capsys.readouterr().err


def test_submit_takes_it(monkeypatch, tmp_path, capsys):
    pytest.importorskip("submitit", reason="the extra cluster is not installed")
    monkeypatch.chdir(ROOT)
    lines = tmp_path / "search.txt"
    for words in of("python"):
        if "--write" in words:
            assert random_search.main([*words[2 : words.index("--write")], "--write", str(lines)]) == 0
    submissions = [words for words in of("wgan-lip") if words[1] == "submit"]
    assert len(submissions) == 3
    for words in submissions:
        named = [str(lines) if word == "search.txt" else word for word in words[1:]]
        # A machine without GPUs reads the config all the same.
        run(monkeypatch, *named, "--dry-run", f"--logs={tmp_path / 'logs'}")
        assert "--run=" in capsys.readouterr().out


def test_scripts_and_files_that_it_names_are_there(capsys):
    for words in of("python"):
        assert (ROOT / words[1]).is_file()
        main = {"scripts/random_search.py": random_search.main, "scripts/sync_wandb.py": sync_wandb.main}[words[1]]
        with pytest.raises(SystemExit) as exit_:
            main([*words[2:], "--help"])
        assert exit_.value.code == 0
        capsys.readouterr()
    for words in of("sbatch"):
        assert (ROOT / words[1]).is_file()
    for name in re.findall(r"`((?:tests|scripts|configs)/[\w/.]+\.(?:py|yaml|sbatch))`", TEXT):
        assert (ROOT / name).is_file(), name
    for words in of("wandb"):
        if words[1] == "sweep":
            assert (ROOT / words[2]).is_file()
    programs = {shlex.split(command)[0] for command in COMMANDS}
    assert programs == {"wgan-lip", "torchrun", "sbatch", "python", "wandb"}
