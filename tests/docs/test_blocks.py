"""Every fenced block of README and docs is run, page by page, as a reader would; or says what it needs, and parses."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.made import made_images, write_folder, write_idx, write_shard
from tests.docs.commands import execute, parse, words_of
from tests.docs.pages import NEEDS, PAGES, ROOT, Block, Page
from wgan_lip.data import FashionMNIST


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Reader"]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Reader(tmp_path_factory.mktemp("reader"), monkeypatch)


class Reader:
    """Somebody who types the blocks of one page after another into one folder; what was typed before is not repeated.

    The folder has the repository's configs, and small data where the pages speak of the reader's own.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.done: dict[str, str] = {}
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        # For runs in processes of their own.
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
        for name in ("configs", "scripts"):
            Path(name).symlink_to(ROOT / name)
        write_idx(folder / "idx", pack=True)
        monkeypatch.setattr(FashionMNIST, "debian", folder / "idx")
        write_folder(folder / "photos", 250, 0)
        write_shard(
            folder / "shards" / "000000.tar", {"a.png": b"image", "a.cls": b"3", "b.png": b"other", "b.cls": b"10"}
        )
        torch.save(torch.from_numpy(made_images(40, 32, 32, 3, 5).transpose(0, 3, 1, 2).copy()), "samples.pt")
        Path("real_28x28").mkdir()
        for i, image in enumerate(made_images(30, 28, 28, 1, 2)):
            Image.fromarray(image[..., 0]).save(f"real_28x28/{i}.png")
        rng = np.random.default_rng(0)
        np.save("real.npy", rng.normal(size=(30, 16)))
        np.savez("fake.npz", images=rng.normal(size=(20, 16)), labels=np.zeros(20))

    def type_in(self, block: Block, capsys: pytest.CaptureFixture[str]) -> str:
        """Run a block; returns what it printed."""
        printed = []
        for text in block.commands or [block.text]:
            if text not in self.done:
                do = partial(execute, text, self.monkeypatch) if block.commands else partial(run_python, block)
                capsys.readouterr()
                assert exit_status(do) == 0, (block.page, text, capsys.readouterr())
                self.done[text] = capsys.readouterr().out
                check(text, self.done[text])
            printed.append(self.done[text])
        return "".join(printed)


def exit_status(do: Callable[[], None]) -> object:
    """0 also of a command that ends by itself."""
    try:
        do()
    except SystemExit as exit_:
        return exit_.code or 0
    return 0


def run_python(block: Block) -> None:
    """Run a block, or save it, if its first line names a file."""
    named = re.match(r"# (\w+\.py)\n", block.text)
    if named:
        Path(named[1]).write_text(block.text)
    torch.manual_seed(0)
    exec(compile(block.text, block.page, "exec"), {"__name__": "__main__"})  # noqa: S102


@pytest.mark.filterwarnings("ignore:SampleGrid draws nothing")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_one_after_the_other(page: Page, reader, capsys, monkeypatch):
    for block in page.blocks:
        assert block.language in ("sh", "python", "text"), f"{page.name}: {block.text}"
        if block.needs is not None:
            assert block.needs in NEEDS
            assert block.language == "sh"
            for command in block.commands:
                with monkeypatch.context() as context:
                    parse(command, context, block.needs)
        elif block.language != "text":
            reader.type_in(block, capsys)


# What must be true of what was printed, by a part of the command or the code.
def _estimate_and_exact(printed: str) -> None:
    match = re.fullmatch(r"critic: at least (\d\.\d+)   exact W1: (\d\.\d+)\n", printed)
    assert match
    estimate, exact = map(float, match.groups())
    assert 0.8 * exact < estimate <= exact


def _three(printed: str) -> None:
    assert float(printed) == pytest.approx(3, rel=1e-5)


def _bracket(printed: str) -> None:
    pattern = r"samples (\d\.\d+), noise floor (\d\.\d+), distributions (\d\.\d+) to (\d\.\d+) \(95%\)\n"
    match = re.fullmatch(pattern, printed)
    assert match
    exact, floor, lower, upper = map(float, match.groups())
    assert floor < exact
    assert lower <= 0.5 * 8**0.5 <= upper


def _jobs(printed: str) -> None:
    assert printed.startswith("#!/bin/bash")
    assert printed.count("# wgan-lip fit") >= 1


def _search(printed: str) -> None:
    lines = Path("search.txt").read_text().splitlines()
    assert printed.startswith(f"search.txt: {len(lines)} runs")
    assert len(lines) in (8, 20)


def _proven_and_not(printed: str) -> None:
    assert printed.startswith("1-Lipschitz, to rounding: 1.0000\n")
    assert "Softmax" in printed


def _evaluation(printed: str) -> None:
    described, gap = printed.splitlines()
    assert described.startswith("W1 exact ")
    assert "noise floor" in described
    assert float(gap) > 0


def _behind_maps(printed: str) -> None:
    floors, *behind = printed.splitlines()
    real, generated = map(float, floors.split())
    assert 0.9 < real / generated < 1.1
    assert [line.split()[0] for line in behind] == ["critic_features", "pca_3", "my_map"]


def _exact_of_set(printed: str) -> None:
    assert (json.loads(printed)["exact"] if printed.startswith("{") else "exact for these points" in printed) is True


CHECKS: dict[str, Callable[[str], None]] = {
    "lipschitz.project_(critic)": _estimate_and_exact,
    "print(certify(network).bound)": _three,
    "population_bracket(x, y, diameter=8**0.5": _bracket,
    "nn.Softmax(1)": _proven_and_not,
    "--dry-run": _jobs,
    "--write search.txt": _search,
    "wgan-lip w1 ": _exact_of_set,
    "wgan-lip certify ": lambda printed: _contains(printed, "changed a class."),
    "wgan-lip export ": lambda printed: _contains(printed, "classifier.pt2"),
    "--print_config": lambda printed: _contains(printed, "n_critic"),
    "-m wgan_lip fit": lambda printed: _contains(printed, "exact"),
    "--run first": lambda printed: _contains(printed, "runs/digits/first"),
    "real, fake, other_real)": _evaluation,
    "other_fake, maps=maps)": _behind_maps,
    "evaluate_estimator(": lambda printed: _contains(printed, "truth 0.5000"),
    "archive.extractall(": lambda printed: _labelled_images(),
    "read_history(": lambda printed: _contains(printed, "noise floor"),
    "exact_w1.last.describe()": lambda printed: _contains(printed, "critic ≥"),
}


def _labelled_images() -> None:
    assert Path("labelled/3/000000_a.png").read_bytes() == b"image"
    assert Path("labelled/10/000000_b.png").read_bytes() == b"other"


def _contains(printed: str, part: str) -> None:
    assert part in printed


def check(typed: str, printed: str) -> None:
    for part, is_right in CHECKS.items():
        if part in typed:
            is_right(printed)


def test_every_check_has_a_block_to_check():
    blocks = [block for page in PAGES for block in page.blocks if block.needs is None]
    typed = [text for block in blocks for text in block.commands or [block.text]]
    for part in CHECKS:
        assert any(part in text for text in typed), part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_and_tables_parse(page: Page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "docs", "scripts"):
        Path(name).symlink_to(ROOT / name)
    # The run of which the sentences speak.
    Path("runs/digits/mine").mkdir(parents=True)
    for command in page.mentioned:
        with monkeypatch.context() as context:
            parse(command, context)


def test_a_command_that_is_not_one_is_found(monkeypatch, capsys):
    for wrong in ("python scripts/bench_critics.py --nothing", "wgan-lip w1 a b --nothing", "wgan-lip nothing"):
        with monkeypatch.context() as context, pytest.raises(SystemExit) as exit_:
            parse(wrong, context)
        assert exit_.value.code == 2
    with monkeypatch.context() as context, pytest.raises(ModuleNotFoundError):
        parse("python scripts/nothing.py", context)
    for wrong in ("make nothing", "pytest tests/nothing.py"):
        with monkeypatch.context() as context, pytest.raises(AssertionError):
            parse(wrong, context)


def test_pictures_files_and_extras_that_are_named_exist():
    extras = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
    for page in PAGES:
        for path in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.prose):
            # Those of the API are made by the site.
            assert (page.path.parent / path).is_file(), (page.name, path)
        for name in re.findall(r"`((?:tests|scripts|configs|docs|examples|wgan_lip)/[\w/.]+\.\w+)`", page.prose):
            assert (ROOT / name).is_file(), (page.name, name)
        for extra in re.findall(r"pip install '?-?e? ?'?[\w.-]*\[(\w+)\]", page.prose):
            assert re.search(rf"^{extra} = ", extras, re.MULTILINE), extra


def test_words_of_a_command():
    assert words_of(".venv/bin/python -m wgan_lip fit -c a") == ["wgan-lip", "fit", "-c", "a"]
    assert words_of("scripts/bench_critics.py --rounds 1")[:2] == ["python", "scripts/bench_critics.py"]
