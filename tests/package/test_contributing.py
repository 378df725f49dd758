"""The changes that CONTRIBUTING.md shows are applied to a copy of the repository, where its commands must pass."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.commands import CONFIGS

REPOSITORY = CONFIGS.parent
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = ("wgan_lip", "tests", "configs", "docs", "scripts", "examples", "README.md", "pyproject.toml")


@dataclass
class Change:
    """What a section shows: new files, changes of files, and commands."""

    title: str
    new: dict[str, str] = field(default_factory=dict)
    changed: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, title: str, text: str) -> "Change":
        change, path = cls(title), ""
        for found in re.finditer(r"^`(?P<path>[\w/.]+)`|^```(?P<kind>\w+)\n(?P<block>.*?)^```$", text, re.M | re.S):
            if found["path"]:
                path = found["path"]
            elif found["kind"] == "sh":
                change.commands += found["block"].replace("\\\n", " ").splitlines()
            elif found["kind"] == "diff":
                change.changed.append((path, found["block"]))
            else:
                change.new[path] = found["block"]
        return change

    def apply(self, folder: Path) -> None:
        for name, content in self.new.items():
            path = folder / name
            assert not path.exists(), f"{name} is there already"
            path.write_text(content, encoding="utf-8")
        for name, lines in self.changed:
            path, kept = folder / name, [line[1:] for line in lines.splitlines() if line[0] == " "]
            wanted = [line[1:] for line in lines.splitlines() if line[0] in " +"]
            text, before = path.read_text(encoding="utf-8"), "\n".join(kept)
            assert text.count(f"\n{before}\n") == 1, f"{name} must have these lines once:\n{before}"
            after = "\n".join(wanted)
            path.write_text(text.replace(f"\n{before}\n", f"\n{after}\n"), encoding="utf-8")


SECTIONS = [
    Change.of(title, text)
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    if title.startswith("A ")
]


def test_every_kind_of_addition_is_shown():
    titles = " ".join(change.title for change in SECTIONS)
    for what in ("layer", "pair", "data set", "member of the GAN family", "kind of training"):
        assert what in titles
    assert all(change.commands and (change.new or change.changed) for change in SECTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("change", SECTIONS, ids=lambda change: change.title.replace(" ", "-"))
def test_the_change_as_shown_passes_its_tests(change, tmp_path):
    for name in COPIED:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "_build", "generated"))
        else:
            shutil.copy(path, tmp_path / name)
    change.apply(tmp_path)
    python = shlex.quote(sys.executable)
    replaced = {".venv/bin/python": python, ".venv/bin/wgan-lip": f"{python} -m wgan_lip"}
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "WANDB_MODE": "disabled"}
    for command in change.commands:
        first, _, rest = command.partition(" ")
        words = shlex.split(f"{replaced[first]} {rest}")
        if "pytest" in words:
            words += ["-n", "0", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", timeout=280)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        if "pytest" in words:
            passed = re.search(r"(\d+) passed", done.stdout)
            assert passed
            assert int(passed[1]) > 0
