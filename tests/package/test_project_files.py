"""The files of the project agree with each other: checks, make targets, versions."""

import re
import subprocess
import sys
import tomllib

import yaml

from tests.support.commands import CONFIGS
from wgan_lip import __version__

REPOSITORY = CONFIGS.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def read(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / name).read_text())


def recipe(target: str) -> list[str]:
    """The commands of a make target."""
    text = (REPOSITORY / "Makefile").read_text()
    lines = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)[1].splitlines()
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines]


def test_hooks_before_a_commit_run_the_commands_of_make_check():
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == recipe("check")
    for hook in local["hooks"]:
        # On the whole project, by what is installed: nothing is fetched.
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


def test_the_hosted_workflow_makes_the_targets_of_ci():
    script = (REPOSITORY / ".ci" / "run").read_text()
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    commands = [step.get("run", "") for step in job["steps"]]
    made = [command.split()[1] for command in commands if command.startswith("make ")]
    assert made == re.findall(r"^step (\S+)$", script, re.MULTILINE)
    # The same packages of Debian.
    (packages,) = (command for command in commands if "apt-get install" in command)
    assert set(re.findall(r"missing\+=\((\S+)\)", script)) <= set(packages.split())


def test_the_citation_is_of_this_version_and_names_the_paper():
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert {"message", "title"} <= set(citation)
    (paper,) = citation["references"]
    authors = ", ".join(f"{author['given-names']} {author['family-names']}" for author in paper["authors"])
    source = " ".join((REPOSITORY / "README.md").read_text().split("## Source")[1].split())
    assert f'{authors}: "{paper["title"]}", ICML {paper["year"]}' in source


def test_the_metadata_are_valid():
    code = "from setuptools.config.pyprojecttoml import read_configuration; read_configuration('pyproject.toml')"
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=REPOSITORY, check=True)
