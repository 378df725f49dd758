"""``wgan-lip w1`` as a user meets it: what it prints is what the library says, and bad input is one line."""

import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console

from tests.files.folders import digit_pixels, write_images
from tests.support.commands import run
from wgan_lip.cli.w1.progress import Display
from wgan_lip.randomness import keyed_generator
from wgan_lip.transport import wasserstein1
from wgan_lip.transport.result import Progress
from wgan_lip.transport.statistics.noise_floor import noise_floor
from wgan_lip.transport.statistics.population import population_bracket

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 3)), RNG.normal(size=(90, 3)) + 1


@pytest.fixture
def files(tmp_path, monkeypatch):
    """x.npy and y.npy in the working directory."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", Y)
    return tmp_path


@pytest.fixture
def say(monkeypatch, capsys):
    """Runs ``wgan-lip w1`` and returns what it prints; nothing goes to standard error where that is no terminal."""

    def command(*arguments):
        run(monkeypatch, "w1", *arguments)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return command


@pytest.fixture
def ask(say):
    """The same with --json, parsed; NaN and Infinity would not be JSON."""

    def command(*arguments):
        def refuse(constant):
            pytest.fail(f"{constant} is no JSON")

        return json.loads(say(*arguments, "--json"), parse_constant=refuse)

    return command


def without_cost(record):
    return {name: value for name, value in record.items() if name not in ("seconds", "peak_memory_mib")}


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_json_is_what_the_library_says(norm, files, ask):
    found, expected = ask("x.npy", "y.npy", "--norm", norm), wasserstein1(X, Y, norm=norm)
    assert found["exact"] is True
    assert found["value"] == expected.value
    assert (found["lower"], found["upper"]) == (expected.lower, expected.upper)
    assert found["gap_relative"] < 1e-9
    assert (found["norm"], found["method"]) == (norm, "network-simplex")
    assert found["sliced"]["mean"] <= found["sliced"]["maximum"] <= found["value"]
    for side, points in (("a", X), ("b", Y)):
        floor = noise_floor(
            points, size=len(points) // 2, splits=3, norm=norm, generator=keyed_generator(0, "w1", "noise floor", side)
        )
        record = found[side]["noise_floor"]
        assert record == {"mean": floor.mean, "std": floor.std, "values": list(floor.values), "points": floor.size}
        assert (found[side]["points"], found[side]["compared"]) == (len(points), len(points))
        assert (found[side]["smallest"], found[side]["largest"]) == (points.min(), points.max())


def test_the_population_bracket_is_the_library_s(files, ask):
    for known in ({}, {"sigma": 1.0}, {"diameter": 20.0}):
        options = [word for name, value in known.items() for word in (f"--{name}", value)]
        found = ask("x.npy", "y.npy", "--confidence", 0.9, *options)["population"]
        expected = population_bracket(X, Y, confidence=0.9, **known, generator=keyed_generator(0, "w1", "held out"))
        assert (found["lower"], found["lower_estimate"]) == (expected.lower, expected.lower_bound.estimate)
        assert found["upper"] == (expected.upper if known else None)
        assert (found["lower_guarantee"], found["upper_guarantee"]) == (
            expected.lower_bound.guarantee,
            expected.upper_bound.guarantee,
        )


def test_every_kind_of_file_gives_the_same_numbers(files, ask):
    images = digit_pixels(0, 60)
    write_images(files / "images", images)
    np.save("images.npy", images)
    np.save("flat.npy", (images.reshape(60, 64).astype(np.float32) / np.float32(127.5)) - 1)
    np.savez("images.npz", images=images, other=X)
    torch.save(torch.from_numpy(images), "images.pt")
    torch.save({"images": torch.from_numpy(images), "other": torch.from_numpy(X)}, "two.pt")
    write_images(files / "more", digit_pixels(60, 130))
    kinds = ("images", "images.npy", "flat.npy", "images.npz:images", "images.pt", "two.pt:images")
    found = [ask(kind, "more", "--splits", 0) for kind in kinds]
    assert {record["value"] for record in found} == {found[0]["value"]}
    assert found[0]["value"] > 1
    # All images of 64 pixels lie in a box of this diameter; of floats nothing is known.
    assert [record["a"]["diameter"] for record in found] == [16, 16, None, 16, 16, 16]
    assert [record["population"]["upper"] is None for record in found] == [False, False, True, False, False, False]
    assert found[3]["a"]["key"] == "images"


@pytest.mark.parametrize(("norm", "diameter"), [("l2", 16), ("l1", 128), ("linf", 2)])
def test_the_diameter_of_images_is_that_of_their_box(norm, diameter, files, ask):
    np.save("a.npy", digit_pixels(0, 20))
    np.save("b.npy", digit_pixels(20, 40))
    found = ask("a.npy", "b.npy", "--norm", norm)
    assert (found["a"]["diameter"], found["b"]["diameter"]) == (diameter, diameter)
    assert found["population"]["upper_margin"] == pytest.approx(diameter * math.sqrt(math.log(1 / 0.025) / 20))
    assert ask("a.npy", "b.npy", "--norm", norm, "--diameter", 999)["a"]["diameter"] == diameter


def test_text_says_it_all(files, say):
    text, exact = say("x.npy", "y.npy", "--sigma", 1), wasserstein1(X, Y)
    assert (
        f"W1            {exact.value:.10g} (l2, exact for these points; ± {exact.standard_error:.2g} from draw" in text
    )
    assert "noise floor A" in text
    assert "at 60 against 60 points, 3 splits; lower, in the mean, at the size of the comparison" in text
    assert "at 45 against 45 points" in text
    assert "for floors at the size of the comparison: --max-points 45" in text
    assert "0.95 confidence, if points are independent" in text
    assert "sub-gaussian, finite-sample" in text
    assert "sigma 1" in text
    assert "peak memory" in text
    assert "A             x.npy: 120 points, shape 3, float64, " in text


def test_images_are_said_to_be_scaled(files, say):
    np.save("a.npy", digit_pixels(0, 20))
    text = say("a.npy", "a.npy")
    assert text.count("shape 8x8, uint8 images scaled from 0..255 to [-1, 1], -1 to 1") == 2
    assert "diameter of A 16, all images, diameter of B 16, all images" in text
    assert "W1            0 (l2" in text


def test_what_else_lies_among_images_is_said(files, say, ask):
    write_images(files / "photos", digit_pixels(0, 20))
    for name in (*(f"{i}.txt" for i in range(10)), ".DS_Store", "b/.DS_Store"):
        (files / "photos" / name).touch()
    np.save("a.npy", digit_pixels(0, 20))
    lines = say("photos", "a.npy").splitlines()
    assert lines[0].startswith("A             photos: 20 points")
    assert lines[1] == "              12 files left out: 10 .txt, 2 .DS_Store"
    found = ask("photos", "a.npy")
    assert (found["a"]["left_out"], found["b"]["left_out"]) == ("12 files left out: 10 .txt, 2 .DS_Store", None)


def test_max_points_draws_without_replacement_and_puts_the_floors_at_its_size(files, say, ask):
    found = ask("x.npy", "y.npy", "--max-points", 40)
    for side, points in (("a", X), ("b", Y)):
        assert found[side]["compared"] == found[side]["noise_floor"]["points"] == 40
        assert found[side]["points"] == len(points)
    drawn = [
        points[torch.randperm(len(points), generator=keyed_generator(0, "w1", "points", side)).numpy()[:40]]
        for side, points in (("a", X), ("b", Y))
    ]
    assert found["value"] == wasserstein1(*drawn).value
    text = say("x.npy", "y.npy", "--max-points", 40)
    assert "40 points (of 120, seed 0)" in text
    assert "W1 is" in text
    assert "--max-points" not in text
    # More than there are is all of them.
    assert ask("x.npy", "y.npy", "--max-points", 5000)["value"] == wasserstein1(X, Y).value


def test_the_seed_decides(files, ask):
    first, again, other = (without_cost(ask("x.npy", "y.npy", "--max-points", 40, "--seed", s)) for s in (1, 1, 2))
    assert first == again
    assert first["value"] != other["value"]
    assert first["a"]["noise_floor"] != other["a"]["noise_floor"]


def test_a_spent_budget_is_not_exact_and_still_a_bracket(files, say, ask):
    # Column generation looks at the clock; the network simplex, for few points, does not.
    arguments = ("x.npy", "y.npy", "--time-budget", 0)
    cut = (*arguments, "--method", "column-generation", "--sigma", 1)
    found, exact = ask(*cut), wasserstein1(X, Y).value
    assert found["exact"] is False
    assert found["value"] is None
    assert found["lower"] <= exact <= found["upper"]
    assert found["population"]["upper"] > found["upper"]
    text = say(*cut)
    assert "W1            NOT EXACT: the budget ran out; " in text
    assert "exact for these points" not in text
    assert ask(*arguments)["exact"] is True


def test_splits(files, say, ask):
    assert ask("x.npy", "y.npy", "--splits", 0)["a"]["noise_floor"] is None
    assert ask("x.npy", "y.npy", "--splits", 1)["a"]["noise_floor"]["std"] is None
    assert "none: splits is 0" in say("x.npy", "y.npy", "--splits", 0)
    assert "at 60 against 60 points, 1 split" in say("x.npy", "y.npy", "--splits", 1)


def test_floor_points(files, say, ask):
    found = ask("x.npy", "y.npy", "--max-points", 40, "--floor-points", 30)
    assert (found["a"]["noise_floor"]["points"], found["b"]["noise_floor"]["points"]) == (30, 30)
    text = say("x.npy", "y.npy", "--max-points", 40, "--floor-points", 30)
    assert "for floors at the size of the comparison: --floor-points 40" in text
    assert "W1 is" not in text


def test_few_points_have_no_statistics_and_say_so(files, say, ask):
    np.save("one.npy", X[:1])
    found, text = ask("one.npy", "y.npy"), say("one.npy", "y.npy")
    assert found["value"] == pytest.approx(np.linalg.norm(Y - X[0], axis=1).mean())
    assert (found["a"]["noise_floor"], found["population"]["lower"]) == (None, None)
    assert "unknown: one point cannot be split" in text
    assert "unknown ≤ W1(P, Q) ≤ unknown" in text
    assert "lower: requires 8 points on either side" in text


def test_the_line_and_large_samples_are_solved_by_other_methods(files, ask):
    np.save("line.npy", X[:, 0])
    np.save("other.npy", Y[:, 0])
    assert ask("line.npy", "other.npy")["method"] == "sort"
    points = RNG.normal(size=(2, 1300, 8))
    np.save("a.npy", points[0])
    np.save("b.npy", points[1])
    found = ask("a.npy", "b.npy", "--splits", 1)
    assert (found["method"], found["exact"]) == ("column-generation", True)


def test_a_terminal_is_shown_where_the_solver_is():
    for quiet in (False, True):
        file = io.StringIO()
        with Display(Console(file=file, force_terminal=True, width=100), quiet=quiet) as display:
            display.stage("A against B")
            display.solver(Progress((20, 30), 4, 5678, 1.25, 1.5, 0.1))
        shown = "A against B (20x30): round 4, 5,678 arcs, 1.25 ≤ W1 ≤ 1.5" in file.getvalue()
        assert shown is not quiet
        assert bool(file.getvalue()) is not quiet


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: A, B"),
        (["x.npy"], "the following arguments are required: B"),
        (["x.npy", "y.npy", "z.npy"], "unrecognized arguments: z.npy"),
        (["x.npy", "y.npy", "--max", "3"], "unrecognized arguments: --max"),
        (["x.npy", "none.npy"], "none.npy: there is no such file or folder"),
        (["x.npy", "broken.npy"], "broken.npy is damaged, or is not a .npy file"),
        (["x.npy", "nan.npy"], "nan.npy holds NaN or infinity in 1 of 2 points; the first is point 1"),
        (["x.npy", "int.npy"], "int.npy must hold floating-point numbers"),
        (["x.npy", "plane.npy"], "samples must have the same shape; got (3,) in x.npy and (2,) in plane.npy"),
        (["hwc.npy", "chw.npy"], "samples must have the same shape; got (4, 2, 3) in hwc.npy and (3, 4, 2) in chw.npy"),
        (["x.npy", "empty"], "empty holds no images"),
        (["x.npy", "huge.npy"], "overflow"),
        (["x.npy", "y.npy", "--norm", "l3"], "argument --norm: invalid choice: 'l3'"),
        (["x.npy", "y.npy", "--method", "sort"], "method='sort' needs points on the real line"),
        (["x.npy", "y.npy", "--max-points", "0"], "argument --max-points: must be a whole number from 1; got '0'"),
        (["x.npy", "y.npy", "--max-points", "1.5"], "argument --max-points: must be a whole number from 1"),
        (["x.npy", "y.npy", "--splits", "-1"], "argument --splits: must be a whole number from 0"),
        (["x.npy", "y.npy", "--floor-points", "0"], "argument --floor-points: must be a whole number from 1"),
        (["x.npy", "y.npy", "--seed", "-1"], "argument --seed: must be a whole number from 0"),
        (["x.npy", "y.npy", "--confidence", "95"], "argument --confidence: must be strictly between 0 and 1"),
        (["x.npy", "y.npy", "--time-budget", "nan"], "argument --time-budget: must be seconds, at least 0; got 'nan'"),
        (["x.npy", "y.npy", "--memory-budget", "0"], "argument --memory-budget: must be MiB, more than 0"),
        (["x.npy", "y.npy", "--memory-budget", "0.1"], "more than the 0.0 GiB allowed by memory_budget"),
        (["x.npy", "y.npy", "--diameter", "-1"], "argument --diameter: must be at least 0"),
        (["x.npy", "y.npy", "--diameter", "1"], "diameter of the support of x.npy must be at least the distance"),
        (["x.npy", "y.npy", "--sigma", "inf"], "argument --sigma: must be at least 0; got 'inf'"),
    ],
)
def test_bad_input_is_one_line(arguments, message, files, monkeypatch, capsys):
    np.save("plane.npy", X[:, :2])
    np.save("nan.npy", np.array([[0.0, 0, 0], [0, np.nan, 0]]))
    np.save("int.npy", np.ones((4, 3), dtype=int))
    np.save("huge.npy", np.full((4, 3), 1.7e308))
    np.save("hwc.npy", np.zeros((5, 4, 2, 3)))
    np.save("chw.npy", np.zeros((5, 3, 4, 2)))
    (files / "broken.npy").write_bytes((files / "x.npy").read_bytes()[:-1])
    (files / "empty").mkdir()
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "w1", *arguments)
    assert exit_.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("wgan-lip: error: ")
    assert message in line


def test_the_traceback_is_there_for_who_asks(files, monkeypatch):
    monkeypatch.setenv("WGAN_LIP_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        run(monkeypatch, "w1", "x.npy", "none.npy")


def test_an_interruption_has_its_exit_status(files, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wgan_lip.cli.w1.compare", interrupt)
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "w1", "x.npy", "y.npy")
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "wgan-lip: interrupted\n"


def test_help_explains_the_statistics(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "w1", "--help")
    assert not exit_.value.code
    assert "noise floor" in capsys.readouterr().out


def test_lightning_is_not_waited_for():
    code = "import sys, wgan_lip.cli.w1; print(any(m in sys.modules for m in ('pytorch_lightning', 'wandb')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_images_on_different_scales_get_one_line(tmp_path, monkeypatch, capsys):
    pixels = digit_pixels(0, 20)
    np.save(tmp_path / "bytes.npy", pixels)
    np.save(tmp_path / "unit.npy", pixels / 255.0)
    np.save(tmp_path / "floats.npy", pixels.reshape(20, -1).astype(np.float32))
    np.save(tmp_path / "scaled.npy", pixels / 127.5 - 1)
    options = ("--splits", "0", "--json")
    for other, scale in (("unit", "0..1"), ("floats", "0..255")):
        run(monkeypatch, "w1", str(tmp_path / "bytes.npy"), str(tmp_path / f"{other}.npy"), *options)
        printed = capsys.readouterr()
        assert printed.err.startswith(
            f"wgan-lip: warning: the numbers in {tmp_path}/bytes.npy are on the scale -1..1, "
        )
        assert printed.err.count("\n") == 1
        assert json.loads(printed.out)["warning"] in printed.err
        assert f"on {scale}: if both are images" in printed.err
    run(monkeypatch, "w1", str(tmp_path / "bytes.npy"), str(tmp_path / "scaled.npy"), *options)
    printed = capsys.readouterr()
    assert (printed.err, json.loads(printed.out)["warning"]) == ("", None)


def test_channels_that_come_last_are_moved_and_that_is_said(tmp_path, say):
    colours = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "last.npy", colours)
    np.save(tmp_path / "first.npy", colours.transpose(0, 3, 1, 2))
    text = say(str(tmp_path / "last.npy"), str(tmp_path / "first.npy"), "--splits", "0")
    assert (
        "last.npy: 9 points, shape 3x6x5, uint8 images scaled from 0..255 to [-1, 1], channels moved from last" in text
    )
    assert text.count("channels moved") == 1
    assert "W1            0 (l2" in text


def test_principal_axes_are_a_lower_bound_with_floors_of_their_own(files, say, ask):
    found = ask("x.npy", "y.npy", "--features", "pca-1", "pca-3")
    one, three = found["features"]
    assert [one["name"], three["name"]] == ["pca-1", "pca-3"]
    # All axes together are a rotation.
    assert three["value"] == pytest.approx(found["value"], rel=1e-9)
    assert one["lower"] <= one["value"] <= one["upper"] <= found["value"]
    assert three["noise_floor_a"] == pytest.approx(found["a"]["noise_floor"]["mean"], rel=1e-9)
    assert three["noise_floor_b"] == pytest.approx(found["b"]["noise_floor"]["mean"], rel=1e-9)
    text = say("x.npy", "y.npy", "--features", "pca-1")
    ratio = one["value"] / one["noise_floor_a"]
    assert f"pca-1         W1 {one['value']:.4g} ± {one['standard_error']:.2g}; noise floors A" in text
    assert f"W1 is {ratio:.3g} times that of A" in text
    assert "noise floors" not in say("x.npy", "y.npy", "--features", "pca-1", "--splits", "0")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("critic", "argument --features: must be pca-K, with K a number of axes; got 'critic'"),
        ("pca-4", "features='pca-4' requires more than 4 samples of at least 4 coordinates; got 120 samples of 3"),
    ],
)
def test_axes_that_there_are_not_are_one_line(features, message, files, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, "w1", "x.npy", "y.npy", "--features", features)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
