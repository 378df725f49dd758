"""The page says what the run's files say, and holds all that it needs."""

import base64
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.runs import GAN_CONFIG, classifier_rows, estimator_rows, gan_rows, write_run
from wgan_lip.kinds import kind_of_steps
from wgan_lip.metrics import Metric
from wgan_lip.page import CheckpointCertificate, write_page
from wgan_lip.page.page import differences
from wgan_lip.report import Row, RunContent, RunRecord, read_history, read_run
from wgan_lip.report.common_panels import thinned
from wgan_lip.report.content import with_error
from wgan_lip.report.panel import interval
from wgan_lip.rounded import at_least, at_most, lipschitz_bound

PICTURES = {"0000000.png": 0, "0000010.png": 100, "0000020.png": 200, "averaged-0000020.png": 50, "real.png": 255}


class Elements(HTMLParser):
    """Attributes of all elements, and the text of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script":
            self.scripts.append(data)
        elif self.elements and self.elements[-1][0] != "style":
            self.text += data


def gan(tmp_path: Path, name: str = "a", **changes) -> Path:
    return write_run(tmp_path / "digits" / name, gan_rows(), {**GAN_CONFIG, **changes}, PICTURES, finished=20)


def page(tmp_path: Path, *folders: Path, certificates=None) -> Elements:
    write_page(tmp_path / "page.html", [read_run(folder) for folder in folders], certificates)
    return Elements((tmp_path / "page.html").read_text())


def content_of(run: RunRecord) -> RunContent:
    kind = kind_of_steps(run.history.step_name)
    return kind.content(run, run.history.having(kind.evaluation))


def figures(found: Elements) -> dict:
    return json.loads(found.scripts[0])


def trace(figure: dict, name: str) -> dict:
    return next(one for one in figure["data"] if one.get("name") == name)


def test_the_curves_of_a_gan_are_those_of_its_metrics(tmp_path):
    main = figures(page(tmp_path, gan(tmp_path)))["run0-w1"]
    assert trace(main, "exact W1")["x"] == [0, 10, 20]
    assert trace(main, "exact W1")["y"] == [6.0, None, 3.0]
    assert trace(main, "critic's proven bound")["y"] == [-1.0, None, 0.79999]
    assert trace(main, "noise floor: real against real")["y"] == [2.0] * 3
    # A band is two lines; the upper one knows the lower.
    bracket = trace(main, "90% bracket of the distributions' W1")
    assert bracket["x"] == [0, 20]
    assert (bracket["customdata"], bracket["y"]) == ([0.6004, 0.6004], [4.0001, 4.0001])
    spent = trace(main, "exact W1, proven to lie between (time budget spent)")
    assert (spent["x"], spent["customdata"], spent["y"]) == ([10], [2.5], [3.5])


def test_the_panels_of_a_gan(tmp_path):
    drawn = figures(page(tmp_path, gan(tmp_path)))
    assert trace(drawn["run0-gap"], "gap")["y"] == [7.0, None, 2.20001]
    assert trace(drawn["run0-ratio"], "exact W1 / noise floor")["y"] == [3.0, None, 1.5]
    assert trace(drawn["run0-certificate"], "L - 1, at most")["y"] == pytest.approx([1.2e-6] * 3)
    gradient = trace(drawn["run0-gradient-input"], "real")
    assert (gradient["y"], gradient["customdata"]) == ([0.75], [[0.73, 0.77]])
    layers = trace(drawn["run0-gradient-layers"], "real")
    assert (layers["x"], layers["y"]) == (["input", "1_GroupSort"], [0.75, 0.875])
    assert trace(drawn["run0-training"], "critic's estimate of a batch")["y"] == [1.5]
    assert trace(drawn["run0-times"], "an evaluation")["y"] == [0.25] * 3
    # What was never logged has no figure.
    assert not [name for name in drawn if name.startswith("run0-features")]


def test_the_sentences_of_a_gan_say_what_is_proven(tmp_path):
    text = " ".join(page(tmp_path, gan(tmp_path)).text.split())
    assert "500 generated and 500 held-out real samples" in text
    # A lower bound is rounded down, an upper one up.
    assert "Critic's bound, ≥ 0.7999: " in text
    # As a double 1.0000012 is a little more than that.
    assert "at most 1.0000013;" in text
    assert "W1 of the distributions, 0.6004 to 4.001: with 90% confidence" in text
    assert "exceeds it by 1," in text
    assert "Finished at generator step 20." in text


def test_without_bounds_there_is_no_bracket_and_the_page_says_why(tmp_path):
    rows = [{k: v for k, v in row.items() if "population" not in k} for row in gan_rows()]
    found = page(tmp_path, write_run(tmp_path / "r", rows))
    assert "There is no bracket of the W1 of the distributions" in found.text
    assert not any("bracket" in str(one.get("name")) for one in figures(found)["run0-w1"]["data"])


def test_a_critic_of_which_nothing_is_proven_is_called_so(tmp_path):
    rows = [
        {
            **{k: v for k, v in row.items() if k not in ("w1/critic", "lipschitz/certified")},
            **({"w1/uncertified": 9.5} if "w1/seconds" in row else {}),
        }
        for row in gan_rows()
    ]
    found = page(tmp_path, write_run(tmp_path / "r", rows))
    assert "Critic's estimate, 9.5: it proves nothing" in found.text
    assert "Critic's bound" not in found.text
    assert ("div", {"class": "unproven"}) in found.elements


def test_an_estimators_page(tmp_path):
    found = page(tmp_path, write_run(tmp_path / "cones" / "a", estimator_rows(), {"heldout_w1": {"exact_n": 64}}))
    main = figures(found)["run0-w1"]
    estimate = trace(main, "critic's proven estimate")
    assert estimate["y"] == [0.25, 0.9625]
    assert estimate["customdata"] == [[0.23, 0.27], pytest.approx([0.9545, 0.9705])]
    assert trace(main, "truth: W1 of the distributions")["y"] == [1.0, 1.0]
    assert "of 64 held-out samples of each side" in " ".join(found.text.split())
    assert trace(figures(found)["run0-gradients"], "cosine")["y"] == [None, 0.975]


def test_a_classifiers_page(tmp_path):
    found = page(tmp_path, write_run(tmp_path / "robust" / "a", classifier_rows()))
    main = figures(found)["run0-accuracy"]
    assert trace(main, "clean")["y"] == pytest.approx([10, 80])
    assert trace(main, "certified at 0.5")["customdata"][1] == pytest.approx([39, 41])
    assert trace(figures(found)["run0-radius"], "median radius")["customdata"][0] == [0.375, 0.425]
    assert "Certified at 0.5, 40.0 ± 1.0 %" in found.text


def test_every_figure_has_its_numbers_as_a_table(tmp_path):
    content = content_of(read_run(gan(tmp_path)))
    headings, rows = content.main.table()
    assert headings == [
        "generator step",
        "90% bracket of the distributions' W1",
        "exact W1, proven to lie between (time budget spent)",
        "noise floor: real against real [± 2 standard errors]",
        "exact W1 [± 2 standard errors]",
        "critic's proven bound",
    ]
    assert rows == [
        ["0", "0.6004 to 4.001", "", "2 [1.75, 2.25]", "6 [5.9, 6.1]", "-1"],
        ["10", "", "2.5 to 3.5", "2 [1.75, 2.25]", "", ""],
        ["20", "0.6004 to 4.001", "", "2 [1.75, 2.25]", "3 [2.5, 3.5]", "0.8"],
    ]


def test_pictures_are_inside_the_page(tmp_path):
    folder = gan(tmp_path)
    images = [attrs for tag, attrs in page(tmp_path, folder).elements if tag == "img"]
    by_name = {attrs["alt"]: attrs for attrs in images}
    assert list(by_name) == [
        *("generated, generator step 0", "generated, generator step 10", "generated, generator step 20"),
        *("averaged", "real"),
    ]
    content = base64.b64decode(by_name["real"]["src"].removeprefix("data:image/png;base64,"))
    assert content == (folder / "samples" / "real.png").read_bytes()
    # The latest is shown, before the slider is touched.
    assert [attrs["alt"] for attrs in images if "hidden" in attrs] == list(by_name)[:2]


def test_of_very_many_pictures_some_are_left_out_and_the_page_says_so(tmp_path):
    pictures = {f"{step:07d}.png": 0 for step in range(100)}
    run = read_run(write_run(tmp_path / "r", gan_rows(), pictures=pictures))
    steps = [picture.step for picture in run.pictures]
    assert (steps[0], steps[-1], len(steps), run.pictures_left_out) == (0, 99, 24, 76)
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 5
    write_page(tmp_path / "page.html", [run])
    assert f"76 more pictures are in {tmp_path / 'r'}" in (tmp_path / "page.html").read_text()


def test_several_runs_are_drawn_together_and_their_configs_set_apart(tmp_path):
    found = page(tmp_path, gan(tmp_path, "a"), gan(tmp_path, "b", seed_everything=7))
    together = figures(found)["all-curve0"]
    assert [one["name"] for one in together["data"]] == ["digits/a", "digits/b"]
    text = " ".join(found.text.split())
    assert "seed_everything" in text
    assert "These runs have the same config" not in text
    same = page(tmp_path, tmp_path / "digits" / "a", tmp_path / "digits" / "a")
    assert "These runs have the same config" in same.text


def test_what_configs_differ_in():
    a, b = {"x": {"y": 1, "z": None}, "w": [1]}, {"x": {"y": 2, "z": None}, "w": [1], "v": {}}
    assert differences([a, b]) == [("x.y", ["1", "2"]), ("v", ["-", "{}"])]
    assert differences([a]) == []


def test_a_hostile_run_puts_nothing_into_the_page(tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    folder = write_run(tmp_path / "r", gan_rows(), {"name": evil, evil: evil})
    rows = [{**row, f"gradient_norm/{evil}/input": 1.0} for row in gan_rows()]
    other = write_run(tmp_path / "s", rows, {"name": "s"})
    certificate = CheckpointCertificate(None, None, evil)
    found = page(tmp_path, folder, other, certificates={folder: certificate})
    # The figures' data, plotly, and the page's own.
    assert [tag for tag, _ in found.elements].count("script") == 3
    assert not [attrs for _, attrs in found.elements if "onerror" in attrs]
    # Nor does plotly find markup in a name.
    layers = [one for one in figures(found)["run1-gradient-layers"]["data"] if one.get("name")]
    assert [one["name"] for one in layers] == ["&lt;", "real"]
    assert layers[0]["x"] == ["script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;/input"]


def test_nothing_is_fetched(tmp_path):
    write_page(tmp_path / "page.html", [read_run(gan(tmp_path))])
    html = (tmp_path / "page.html").read_text()
    found = Elements(html)
    policy = next(a["content"] for t, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    for _, attrs in found.elements:
        for name in ("src", "href", "data"):
            assert (attrs.get(name) or "#").startswith(("data:", "#"))
    assert re.findall(r"'sha256-[^']+'", policy) != []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("generator_step,w1/exact\n", "holds no steps of a training"),
        ("epoch,loss\n1,2\n", "holds no steps of a training"),
        ("generator_step,w1/exact\n1,two\n", "is damaged: could not convert"),
        ("generator_step,w1/exact\n1,nan\n", "holds no numbers yet"),
        ("generator_step,w1/exact\n1,2.0\n", "holds no evaluation: w1/seconds was never logged"),
    ],
)
def test_what_is_no_run_is_named(tmp_path, content, message):
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        content_of(read_run(tmp_path))


def test_a_row_that_is_being_written_is_left_out(tmp_path):
    (tmp_path / "metrics.csv").write_text("generator_step,w1/exact\n1,2.0\n2,3.0\n3,4")
    rows = read_history(tmp_path / "metrics.csv").rows
    assert [(row.step, row["w1/exact"]) for row in rows] == [(1, 2.0), (2, 3.0)]


def test_a_broken_config_is_named(tmp_path):
    folder = gan(tmp_path)
    (folder / "config.yaml").write_text("{unclosed")
    with pytest.raises(ValueError, match=r"config\.yaml is not YAML"):
        read_run(folder)
    (folder / "config.yaml").write_text("- a list")
    with pytest.raises(ValueError, match=r"config\.yaml must hold a mapping of options; got a list"):
        read_run(folder)


def test_bounds_are_never_rounded_to_the_wrong_side():
    assert at_least(2.99999) == "2.999"
    assert at_least(-1.00001) == "-1.001"
    assert at_least(0.0) == at_most(0.0) == "0"
    assert at_most(2.99901) == "3"
    assert at_least(-1.00001, 3) == "-1.01"
    assert interval(0.60049, 12.3401) == "0.6004 to 12.35"
    assert interval(None, 3.0) == "unknown to 3"
    assert lipschitz_bound(1.00000011) == "1.0000002"
    assert lipschitz_bound(1 + 2**-52) == "1.0000001"
    assert lipschitz_bound(150.21) == "150.3"
    assert lipschitz_bound(float("inf")) == "inf"


def test_errors_are_shown_to_two_digits():
    metric = Metric("x", "", "", "", error="x_error")
    assert with_error(Row(0, {"x": 0.96254, "x_error": 0.00423}), metric) == "0.9625 ± 0.0042"
    assert with_error(Row(0, {"x": 12.3456, "x_error": 0.0}), metric) == "12.35"
    assert with_error(Row(0, {"x": 12.3456}), metric) == "12.35"
    assert with_error(Row(0, {}), metric) == "unknown"


@pytest.mark.parametrize("n", [1, 2, 999, 1000, 1001, 100_000])
def test_of_very_many_batches_some_are_left_out_evenly(n):
    steps = [row.step for row in thinned([Row(step, {}) for step in range(n)], 1000)]
    assert min(n, 500) <= len(steps) <= 1000
    assert steps[-1] == n - 1
    assert len({b - a for a, b in itertools.pairwise(steps)}) <= 1
