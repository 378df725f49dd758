"""What is built and installed works by itself: from an empty folder, with no repository on the path."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import CONFIGS, SMALL

REPOSITORY = CONFIGS.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source distribution, unpacked; built offline, by the setuptools that is installed."""
    folder = tmp_path_factory.mktemp("sdist")
    # A copy, because a build leaves its own files behind.
    copy = shutil.copytree(REPOSITORY, folder / "copy", ignore=ignored)
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(sdist) -> Path:
    """The wheel, built from the source distribution."""
    command = [*pip(), "wheel", str(sdist), "--no-deps", "--no-build-isolation", "-w", str(sdist.parent)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = sdist.parent.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel) -> Path:
    target = wheel.parent / "target"
    command = [*pip(), "install", str(wheel), "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def ignored(folder: str, names: list[str]) -> set[str]:
    """What no checkout has: at the top environments, caches, runs and builds, and everywhere compiled files."""
    at_top = ("runs", "build", "dist", "wandb", "mutants", ".git", ".venv", ".coverage*", ".*_cache", ".hypothesis")
    patterns = ("*.egg-info", "__pycache__", *(at_top if Path(folder) == REPOSITORY else ()))
    return shutil.ignore_patterns(*patterns)(folder, names)


def pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def files_below(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


def test_the_sdist_is_a_whole_checkout(sdist):
    for part, pattern in (
        ("wgan_lip", "*.py"),
        ("configs", "*.yaml"),
        ("tests", "*.py"),
        ("scripts", "*"),
        ("docs", "*.md"),
        ("examples", "*.py"),
        (".ci", "run"),
        (".github", "*.yml"),
    ):
        assert files_below(sdist / part, pattern) >= files_below(REPOSITORY / part, pattern) - {"__pycache__"}
    names = ("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "Makefile", "pyproject.toml", "setup.py")
    for name in (*names, ".gitignore", ".pre-commit-config.yaml"):
        assert (sdist / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_the_wheel_holds_what_is_needed_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = REPOSITORY / "wgan_lip"
    data = ("*.py", "py.typed", "assets/*")
    wanted = {f"wgan_lip/{name}" for pattern in data for name in files_below(package, pattern)}
    wanted |= {f"wgan_lip/configs/{name}" for name in files_below(CONFIGS, "*.yaml")}
    assert inside == wanted


def test_it_works_without_the_repository(installed, tmp_path):
    # Before the paths of this environment, on which the checkout is.
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}

    def command(*words: object) -> str:
        line = [sys.executable, str(installed / "bin" / "wgan-lip"), *map(str, words)]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import wgan_lip, sys; print(wgan_lip.__file__); print(*sys.path)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert where[0] == str(installed / "wgan_lip" / "__init__.py")
    assert str(REPOSITORY) not in where[1].split()
    assert "exact W1 between two sample sets" in command("--help")
    assert "wgan_lip:gan/digits.yaml\n" in command("configs")
    small = [word for word in SMALL if "every" not in word and "_steps" not in word]
    two_steps = ["--model.init_args.generator_steps=2", "--trainer.accelerator=cpu", "--wandb.mode=disabled"]
    assert "exact/floor" in command("fit", "-c", "wgan_lip:gan/digits.yaml", *small, *two_steps, "--run=a")
    command("sample", "runs/digits/a", "-n", 20, "-o", "fake.npz")
    np.save(tmp_path / "real.npy", np.zeros((20, 1, 8, 8), dtype=np.float32))
    compared = json.loads(command("w1", "real.npy", "fake.npz:samples", "--json"))
    assert compared["lower"] <= compared["value"] <= compared["upper"]
