"""The README says what is true: its code runs as written, its table is what a run gave, its commands parse."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.bench_image_critics import markdown_table as contest_table
from scripts.bench_image_critics import read_contest
from scripts.bench_robustness import PAGES, with_tables
from scripts.bench_transport import markdown_table as transport_table
from scripts.update_readme import DOCS, markdown_table
from tests.cli import SMALL, run
from tests.data.made import made_images, write_folder, write_idx
from wgan_lip.cli import main
from wgan_lip.report import read_history

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROBUSTNESS = (ROOT / "docs" / "robustness.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_first_example_prints_an_estimate_beside_the_exact_value(capsys):
    exec(compile(blocks("python")[0], "README.md", "exec"), {})  # noqa: S102
    match = re.fullmatch(r"critic: at least (\d\.\d+)   exact W1: (\d\.\d+)\n", capsys.readouterr().out)
    assert match
    estimate, exact = map(float, match.groups())
    assert 0.8 * exact < estimate <= exact


def test_second_example_prints_the_constant(capsys):
    exec(compile(blocks("python")[1], "README.md", "exec"), {})  # noqa: S102
    assert float(capsys.readouterr().out) == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("name", DOCS.values())
def test_the_table_is_the_committed_run_s(name):
    rows = read_history(ROOT / "docs" / name / "metrics.csv")
    assert markdown_table(rows) in README
    assert len(rows) >= 10
    assert all(row.critic <= row.exact for row in rows)


def test_pictures_and_make_targets_exist():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / path).is_file()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", README):
        if target != "different":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("command", [line for line in blocks("sh")[1].splitlines() if line])
def test_every_command_parses(command, monkeypatch, tmp_path):
    words = shlex.split(command, comments=True)
    assert Path(words[0]).name == "wgan-lip"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    small = [] if "--print_config" in words else ["--wandb.mode=disabled"]
    if words[1] == "fit":
        small.append("--model.init_args.generator_steps=1")
    if "last" in words:
        # A run to go on with.
        run(monkeypatch, "fit", "-c", "configs/gan/digits.yaml", "--model.init_args.generator_steps=1", *small)
    if "--print_config" in words:
        with pytest.raises(SystemExit) as exit_:
            run(monkeypatch, *words[1:])
        assert not exit_.value.code
    else:
        run(monkeypatch, *words[1:], *small)
        assert list(tmp_path.glob("runs/digits/*/w1.png"))


def test_the_commands_for_images_run_one_after_the_other(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    write_idx(tmp_path / "idx", pack=False)
    write_folder(tmp_path / "photos", 300, 0)
    (tmp_path / "real_28x28").mkdir()
    for i, image in enumerate(made_images(30, 28, 28, 1, 2)):
        Image.fromarray(image[..., 0]).save(tmp_path / "real_28x28" / f"{i}.png")
    for line in blocks("sh")[2].splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "fit":
            # One step, of the set's own format or of the folder that the line names.
            words += ["--model.init_args.generator_steps=1", "--data.init_args.batch_size=8", "--exact_w1.n=20"]
            words += [] if "photos/" in words else ["--data.init_args.data_dir=idx"]
            words += ["--wandb.mode=disabled"]
        if words[0] == "sample":
            words[1] = str(next(Path("runs/fashion_mnist").iterdir()))
        capsys.readouterr()
        run(monkeypatch, *words)
    assert "exact for these points" in capsys.readouterr().out
    names = {"fashion_mnist", "fashion_mnist_gp", "image_folder"}
    assert {path.name for path in Path("runs").iterdir()} == names


def test_third_example_brackets_the_distance_of_the_distributions(capsys):
    torch.manual_seed(0)
    exec(compile(blocks("python")[2], "README.md", "exec"), {})  # noqa: S102
    match = re.fullmatch(
        r"samples (\d\.\d+), noise floor (\d\.\d+), distributions (\d\.\d+) to (\d\.\d+) \(95%\)\n",
        capsys.readouterr().out,
    )
    assert match
    exact, floor, lower, upper = map(float, match.groups())
    assert floor < exact
    assert lower <= 0.5 * 8**0.5 <= upper


@pytest.mark.parametrize("command", [line for line in blocks("sh")[3].splitlines() if line])
def test_every_comparison_runs(command, monkeypatch, tmp_path, capsys):
    words = shlex.split(command)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(20, 4, 4), dtype=np.uint8)
    np.save("real.npy", rng.normal(size=(30, 16)))
    np.savez("fake.npz", images=rng.normal(size=(20, 16)), labels=np.zeros(20))
    torch.save(torch.from_numpy(pixels), "samples.pt")
    Path("photos").mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(f"photos/{i}.png")
    main(words[1:])
    printed = capsys.readouterr().out
    assert json.loads(printed)["exact"] if "--json" in words else "exact for these points" in printed


def test_the_contest_of_image_critics_is_a_printed_one():
    table = README.split("<!-- contest -->\n")[1].split("<!-- end of contest -->")[0]
    assert table.startswith(contest_table(read_contest(ROOT / "docs" / "image_critics.json")))


def test_the_comparison_with_other_solvers_is_a_printed_one():
    table = README.split("<!-- transport table -->\n")[1].split("<!-- end of transport table -->")[0]
    results = json.loads((ROOT / "docs" / "transport.json").read_text())
    assert table == transport_table(results)


def test_the_commands_for_clusters_run_one_after_the_other(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for line in blocks("sh")[6].splitlines():
        words = shlex.split(line, comments=True)
        if words[1] == "fit":
            # Two processes are started by the script that runs, which here is pytest: see test_ranks_cli.py.
            words = [word for word in words if word not in ("--trainer.devices", "2")]
            run(monkeypatch, *words[1:], *SMALL, "--wandb.mode=disabled")
            assert (tmp_path / "runs" / "digits" / "two" / "w1.png").is_file()
        elif words[1] == "submit":
            capsys.readouterr()
            run(monkeypatch, *words[1:])
            printed = capsys.readouterr().out
            assert printed.startswith("#!/bin/bash")
            assert printed.count("# wgan-lip fit") == (8 if "--array" in words else 1)
        else:
            assert Path(words[0]).name == "python"
            words[1] = str(ROOT / words[1])
            subprocess.run([sys.executable, *words[1:]], check=True, timeout=120)
            assert len(Path("search.txt").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    "commands", [blocks("sh")[5], blocks("sh", ROBUSTNESS)[0]], ids=["README", "docs/robustness.md"]
)
def test_the_commands_for_classifiers_run_one_after_the_other(commands, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    write_idx(tmp_path / "idx", pack=False)
    done = []
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "fit":
            words += ["--model.init_args.steps=2", "--data.init_args.batch_size=8", "--wandb.mode=disabled"]
            words += ["--model.init_args.network.init_args.hidden=[16]", "--data.init_args.data_dir=idx"]
        if words[0] == "diagnose":
            words += ["-n", "20"]
        capsys.readouterr()
        run(monkeypatch, *words)
        done.append(words[0])
        if words[0] == "certify":
            assert "there none changed a class" in capsys.readouterr().out
    assert done == ["fit", "certify", "export", "diagnose"]
    assert Path("classifier.pt2").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_robustness_are_printed_ones(page):
    results = json.loads((ROOT / "docs" / "robustness.json").read_text())
    assert with_tables(page.read_text(), results) == page.read_text()
    for cell in results["cells"]:
        assert cell["seconds"] < 360
        for norm in ("l2", "linf"):
            for row in cell.get(norm, {"at": {}})["at"].values():
                shares = [row["certified"] or 0.0, row["pgd"], row["fgsm"], cell[norm]["clean"]]
                assert shares == sorted(shares)
