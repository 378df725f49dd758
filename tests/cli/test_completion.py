"""A shell completes commands, options and files by the script that ``wgan-lip completion`` prints."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import failure
from wgan_lip.cli import main
from wgan_lip.cli.commands import COMMANDS

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory) -> dict[str, Path]:
    """As they are printed."""
    made = {}
    for shell in ("bash", "zsh"):
        with pytest.MonkeyPatch.context() as patch:
            printed: list[str] = []
            patch.setattr("sys.stdout.write", printed.append)
            main(["completion", shell])
        made[shell] = tmp_path_factory.mktemp("completion") / shell
        made[shell].write_text("".join(printed))
    return made


def completed(script: Path, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = f"""
        source {script}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}
        $(complete -p wgan-lip | sed 's/.*-F \\([^ ]*\\).*/\\1/') wgan-lip "${{@: -1}}" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    command = [BASH, "--norc", "-c", line, "bash", "wgan-lip", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_parses_the_script(scripts):
    subprocess.run([BASH, "-n", str(scripts["bash"])], check=True)


def test_bash_completes(scripts, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "real.npy").touch()
    for words, expected in (
        (["ce"], ["certify"]),
        (["co"], ["configs", "completion", "compare"]),
        (["certify", "--rest"], ["--restarts"]),
        (["certify", "--norm", "l"], ["l2", "linf"]),
        (["certify", "ru"], ["runs"]),
        (["w1", "re"], ["real.npy"]),
        (["w1", "--norm", "li"], ["linf"]),
        (["fit", "--seed"], ["--seed_everything"]),
        (["fit", "-c", "re"], ["real.npy"]),
        (["compare", "--launch"], ["--launcher"]),
        (["sample", "runs", "--out"], ["--output"]),
    ):
        assert completed(scripts["bash"], tmp_path, *words) == expected, words
    assert completed(scripts["bash"], tmp_path, "") == list(COMMANDS)


def test_zsh_s_script_tells_what_commands_are_for(scripts):
    text = scripts["zsh"].read_text()
    assert text.startswith("#compdef wgan-lip")
    for name, command in COMMANDS.items():
        assert f"{name}:{shlex.quote(command.line)}\n" in text
    if zsh := shutil.which("zsh"):
        subprocess.run([zsh, "-n", str(scripts["zsh"])], check=True)


def test_another_shell_is_one_line(monkeypatch, capsys):
    assert "invalid choice: 'fish'" in failure(capsys, monkeypatch, "completion", "fish")
