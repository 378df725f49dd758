"""Record, table and figure of gradients: what they hold is what was found."""

import io
import json

import pytest
import torch
from rich.console import Console
from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalConv2d, activation_patterns, gradient_profile, jacobian_spectrum
from wgan_lip.networks import ConvCritic, MLPCritic
from wgan_lip.report import (
    GradientPanel,
    NetworkSummary,
    gradient_figure,
    gradient_tables,
    panels_of,
    shared_labels,
    summarize_gradients,
)
from wgan_lip.report.gradient_summary import place_labels


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def points(*shape: int) -> dict[str, torch.Tensor]:
    return {kind: torch.randn(40, *shape, generator=generator()) + i for i, kind in enumerate(("x", "between"))}


def summary(label: str = "MaxMin", activation=MaxMin, depth: int = 2) -> NetworkSummary:
    critic = MLPCritic((3,), 8, depth, activation=activation)
    return summarize_gradients(label, critic, points(3), generator())


def text(network: NetworkSummary) -> str:
    """What a terminal of eighty columns shows of the tables, less the line breaks."""
    console = Console(width=80, file=io.StringIO())
    for table in gradient_tables(network):
        console.print(table)
    return " ".join(console.file.getvalue().split())


def test_a_summary_is_what_was_found():
    critic, at = MLPCritic((3,), 8, 2), points(3)
    found = summarize_gradients("it", critic, at, generator())
    assert found.label == "it"
    assert [one.kind for one in found.points] == ["x", "between"]
    for one in found.points:
        profile = gradient_profile(critic, at[one.kind])
        assert one.layers == profile.shown
        assert (one.n, one.of, one.input) == (40, "the output", profile.input)
        values = jacobian_spectrum(critic, at[one.kind]).values
        assert one.jacobian[0] == float(values.min())
        assert one.jacobian[-1] == float(values.max())
        assert list(one.jacobian) == sorted(one.jacobian)
        assert one.jacobian_complete
    assert found.units == activation_patterns(critic, torch.cat(list(at.values())))
    assert all(weight.smallest <= 1 + 1e-5 and weight.largest >= 1 - 1e-5 for weight in found.weights)
    with pytest.raises(ValueError, match="points must hold at least one kind; got none"):
        summarize_gradients("it", critic, {}, generator())


def test_a_record_comes_back_from_json():
    found = summary()
    assert NetworkSummary.from_record(json.loads(json.dumps(found.record()))) == found


def test_places_are_named_from_the_output_to_the_input():
    found = summary()
    assert place_labels(found, found.points[0].layers) == ["output", "MaxMin", "W2", "MaxMin", "W1", "input"]
    conv = summarize_gradients("c", ConvCritic((1, 8, 8), (4,), (8,)), {"x": torch.randn(4, 1, 8, 8)}, generator())
    assert place_labels(conv, conv.points[0].layers) == ["output", "MaxMin", "W2", "MaxMin", "W1", "input"]
    assert shared_labels([found, conv]) == place_labels(found, found.points[0].layers)
    assert shared_labels([found, summary("ReLU", nn.ReLU)]) == ["output", "act.", "W2", "act.", "W1", "input"]
    assert shared_labels([found, summary(depth=3)]) is None
    # As many layers, but a weight stands beside an activation.
    other = nn.Sequential(nn.ReLU(), nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 1))
    assert shared_labels([found, summarize_gradients("o", other, points(3), generator())]) is None


def test_the_table_has_every_place_with_its_errors():
    found = summary("the ReLU", nn.ReLU)
    printed = text(found)
    for i, layer in enumerate(found.points[0].layers):
        other = found.points[1].layers[i]
        assert f"{layer.mean:.4f} ± {layer.standard_error:.4f}" in printed
        assert f"{other.mean:.4f} ± {other.standard_error:.4f}" in printed
    for units in found.units:
        assert f"│ {units.units} │ {units.constant_share:.1%} │ {units.dead_share:.1%} │" in printed
    assert "the ReLU" in printed
    assert "│ W1 │ 1.0000 to 1.0000 │" in printed
    assert "│ x (40) │ between (40) ┃".replace("│", "┃") in printed


def test_the_table_says_what_is_not_known():
    network = nn.Sequential(OrthogonalConv2d(1, 4, 3, 1, padding_mode="zeros"), nn.Flatten(), nn.Linear(64, 3))
    printed = text(summarize_gradients("it", network, {"x": torch.randn(4, 1, 4, 4)}, generator()))
    assert "not known" in printed
    assert "0 (OrthogonalConv2d): zero padding cuts patches off at the edge" in printed
    assert "a random unit combination of 3 outputs" in printed


def test_bars_are_the_means_and_axes_are_shared():
    networks = [summary("ReLU", nn.ReLU), summary("MaxMin")]
    panels = panels_of(networks)
    assert [panel.title for panel in panels] == ["x", "between"]
    figure = gradient_figure(panels, "both")
    assert len(figure.axes) == 6
    for row, panel in enumerate(panels):
        bars, jacobian, weights = figure.axes[3 * row : 3 * row + 3]
        wanted = [layer.mean for network in networks for layer in network.points[panel.points].layers]
        assert [bar.get_height() for bar in bars.patches] == pytest.approx(wanted)
        assert [label.get_text() for label in bars.get_xticklabels()] == shared_labels(networks)
        lines = [line.get_ydata() for line in jacobian.lines if len(line.get_ydata()) > 2]
        assert [tuple(line) for line in lines] == [network.points[panel.points].jacobian for network in networks]
        assert bars.get_ylim() == jacobian.get_ylim() == weights.get_ylim()
        assert bars.get_ylim()[0] == 0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ReLU", "MaxMin"]
    figure.draw_without_rendering()


def test_networks_that_do_not_correspond_get_rows_of_their_own():
    networks = [summary("short"), summary("long", depth=4)]
    panels = panels_of(networks)
    assert [panel.title for panel in panels] == ["short, x", "short, between", "long, x", "long, between"]
    gradient_figure(panels).draw_without_rendering()


def test_steep_networks_fit_into_the_figure():
    steep = summarize_gradients("steep", nn.Sequential(nn.Linear(3, 1)), points(3), generator())
    network = nn.Sequential(nn.Linear(3, 1))
    with torch.no_grad():
        network[0].weight.fill_(5)
    steep = summarize_gradients("steep", network, points(3), generator())
    figure = gradient_figure([GradientPanel("x", (steep,))])
    assert figure.axes[0].get_ylim()[1] > 5 * 3**0.5
