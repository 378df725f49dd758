"""Every kind of training is described in one place: its metrics, its callbacks, its page."""

import csv
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from pytorch_lightning import Callback

from tests.support.commands import ABSOLUTE, CONFIGS, SMALL_ESTIMATOR, fit, run
from wgan_lip import kinds
from wgan_lip.kinds import COMMON, KINDS, in_order, kind_of_steps
from wgan_lip.metrics import Metric, Metrics
from wgan_lip.page import write_page
from wgan_lip.report import read_run
from wgan_lip.runs import SaveCheckpoint, StepProgress
from wgan_lip.runs.preemption import NoteSignals, Preemption
from wgan_lip.training import ExactW1, SampleGrid
from wgan_lip.training.callbacks import LastStep, MonitorEvaluations

DOCS = Path(__file__).parents[2] / "docs"
WITH_GRADIENTS = ["--gradient_norms.n=12", "--gradient_norms.every=10", "--wandb.mode=disabled", "--run=small"]
AVERAGE = "--model.init_args.generator_average=wgan_lip.training.ExponentialAverage"
CLASSIFIER = [
    *("--data=wgan_lip.data.Digits", "--data.init_args.labels=true", "--model.init_args.steps=3"),
    *("--model.init_args.network.init_args.input_shape=[1,8,8]", "--model.init_args.network.init_args.hidden=[16]"),
    *("--certified_accuracy.every=3", "--model.init_args.log_every=1"),
]


def trained(kind: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """The folder of a run that logs everything that its kind can log without Inception."""
    if kind == "generator_step":
        features = ["--feature_quality.n=20", "--feature_quality.training_steps=2", "--exact_w1.fit=end", AVERAGE]
        return fit(monkeypatch, folder, *features, *WITH_GRADIENTS)
    if kind == "critic_step":
        run(monkeypatch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, *WITH_GRADIENTS, f"--runs_dir={folder}")
    else:
        config = CONFIGS / "robust" / "fashion_mnist_linf.yaml"
        run(monkeypatch, "fit", "-c", config, *CLASSIFIER, *WITH_GRADIENTS, f"--runs_dir={folder}")
    return next(folder.glob("*/small"))


def find_metric(metrics: Metrics, name: str) -> Metric | None:
    """The metric that a column of metrics.csv belongs to, as the number itself, its error or an end of its interval."""
    # The exact names come first.
    ordered = sorted(metrics.values(), key=lambda metric: "*" in metric.name)
    return next((m for m in ordered if any(fnmatchcase(name, one) for one in (m.name, m.error, *m.ends))), None)


@pytest.mark.parametrize("step_name", [kind.step_name for kind in KINDS])
def test_every_metric_that_is_logged_is_listed_and_every_run_has_a_page(step_name, monkeypatch, tmp_path):
    kind = kind_of_steps(step_name)
    folder = trained(step_name, monkeypatch, tmp_path)
    with (folder / "metrics.csv").open(newline="") as file:
        columns = [name for name in next(csv.reader(file)) if not name.endswith("_step")]
    assert [name for name in columns if find_metric(kind.metrics, name) is None] == []
    assert kind.evaluation in columns
    assert {metric.name for metric in kind.metrics.values() if metric.panel == "training"} < set(columns)
    assert any(name.startswith("gradient_norm/") for name in columns)
    write_page(tmp_path / "page.html", [read_run(folder)])
    text = (tmp_path / "page.html").read_text()
    assert f'<p class="status">{kind.name}.' in text
    assert "Gradient norm layer by layer" in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.step_name)
def test_the_documentation_lists_every_metric(kind):
    lines = (DOCS / "numbers.md").read_text().splitlines()
    for metric in kind.metrics.values():
        errors = " ".join(f"`{name}`" for name in (metric.error, *metric.ends) if name)
        assert f"| `{metric.name}` | {metric.meaning} | {metric.unit} | {errors} |" in lines


def test_errors_and_ends_belong_to_their_metric():
    gan, _, classifier = (kind.metrics for kind in KINDS)
    assert find_metric(gan, "w1/exact_standard_error") is gan["w1/exact"]
    assert find_metric(gan, "w1_averaged/exact") is gan["w1_averaged/exact"]
    assert find_metric(gan, "w1_averaged/gap") is gan["w1_averaged/*"]
    assert find_metric(classifier, "accuracy/certified_0.5_high") is classifier["accuracy/certified_*"]
    assert classifier["accuracy/certified_*"].of("0.5").ends == (
        "accuracy/certified_0.5_low",
        "accuracy/certified_0.5_high",
    )
    assert find_metric(gan, "w1/unheard_of") is None


def test_callbacks_act_in_the_order_that_they_require():
    class Other(Callback):
        """Of another package."""

    signals = NoteSignals()
    ordered = [
        *(signals, Other(), ExactW1(), SampleGrid(), SaveCheckpoint(), LastStep(3)),
        *(StepProgress(), MonitorEvaluations([]), Preemption(signals)),
    ]
    assert in_order(ordered) == ordered
    rotated = [*ordered[5:], *ordered[:5]]
    assert [type(one) for one in in_order(rotated)] == [type(one) for one in ordered]
    assert in_order(reversed(ordered))[0] is signals


def test_a_kind_has_callbacks_of_its_own():
    keys = [key for kind in KINDS for key in kind.callbacks]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(COMMON)


def test_a_fourth_kind_is_one_line(monkeypatch, tmp_path):
    class Fourth(KINDS[1].module):
        counters = ("fourth_step",)

    fourth = replace(KINDS[1], name="fourth kind", module=Fourth)
    monkeypatch.setattr(kinds, "KINDS", (fourth, *KINDS))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("fourth_step,gradient/norm,w1/critic\n0,1.0,0.25\n")
    write_page(tmp_path / "page.html", [read_run(tmp_path / "run")])
    assert "fourth kind." in (tmp_path / "page.html").read_text()
    with pytest.raises(ValueError, match=r"must count the steps of a training \(fourth_step, .*got fifth_step"):
        kind_of_steps("fifth_step")
