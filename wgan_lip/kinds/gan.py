"""The training of a Wasserstein GAN, and its page: estimated against exact W1."""

from collections.abc import Sequence
from typing import Literal

from wgan_lip.kinds.gan_cards import gan_cards
from wgan_lip.kinds.kind import Exportable, Kind, stated_shape
from wgan_lip.metrics import DISTANCE, GAN, RATIO
from wgan_lip.report import (
    BLUE,
    BROWN,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Panel,
    Row,
    RunContent,
    RunRecord,
    certificate_panel,
    diversity_sentence,
    draw_if_logged,
    gap_panel,
    gradient_panels,
    map_groups,
    ratio_to_floor,
    times_panel,
    training_panel,
    w1_figure,
    w1_table,
)
from wgan_lip.training import ExactW1, FeatureQuality, SampleGrid, WassersteinGAN

_NO_BRACKET = (
    "There is no bracket of the W1 of the distributions: it requires bounds of the samples' coordinates, which data "
    "and generator of this run do not both state."
)


def _content(run: RunRecord, rows: Sequence[Row]) -> RunContent:
    n = run.setting("exact_w1", "n")
    confidence = run.setting("exact_w1", "confidence") or 0.95
    return RunContent(
        steps=[row.step for row in rows],
        cards=gan_cards(rows[-1], n, confidence),
        main=_main_panel(rows, confidence),
        panels=[
            gap_panel(run.history, rows, GAN),
            _ratio_panel(rows),
            _diversity_panel(rows),
            certificate_panel(run.history, GAN),
            *gradient_panels(run.history, GAN, run.setting("gradient_norms", "n")),
            *_feature_panels(run),
            training_panel(run.history, GAN),
            times_panel(run.history, GAN),
        ],
        curves={
            "exact W1": [row["w1/exact"] for row in rows],
            "critic's proven bound": [row["w1/critic"] for row in rows],
            "noise floor": [row["w1/noise_floor"] for row in rows],
            "generated against generated": [row["w1/generated_floor"] for row in rows],
        },
        remarks=[
            *filter(None, [diversity_sentence(rows[-1])]),
            *([] if rows[-1]["w1/population_upper"] is not None else [_NO_BRACKET]),
        ],
    )


def _main_panel(rows: Sequence[Row], confidence: float) -> Panel:
    steps = [row.step for row in rows]
    panel = Panel(
        "w1",
        "Estimated against exact Wasserstein-1 distance",
        "The critic's proven bound is never above the exact W1 of the same samples. The noise floor is the exact W1 of "
        "real images against other real ones at the same n: an exact W1 near it does not show what is wrong with the "
        "generator, but the figures below, pictures or more samples may. Generated against generated is the same of "
        "generated images: below the noise floor, they vary less than real ones. Shaded beside a line: two standard "
        "errors for the draw of the "
        f"samples. The wide band holds the W1 of the distributions with {confidence:.0%} confidence at each step, not "
        "at all steps at once.",
        "generator step",
        DISTANCE,
    )
    panel.band(
        f"{confidence:.0%} bracket of the distributions' W1",
        steps,
        [row["w1/population_lower"] or 0.0 for row in rows],
        [row["w1/population_upper"] for row in rows],
    )
    panel.band(
        "exact W1, proven to lie between (time budget spent)",
        steps,
        [row["w1/exact_lower"] for row in rows],
        [row["w1/exact_upper"] for row in rows],
    )
    panel.draw(rows, GAN["w1/noise_floor"], GREY, "dash", markers=False)
    panel.draw(rows, GAN["w1/generated_floor"], BROWN, "dash", markers=False)
    panel.draw(rows, GAN["w1/exact"], BLUE)
    panel.draw(rows, GAN["w1_averaged/exact"], GREEN, "dashdot")
    panel.draw(rows, GAN["w1/critic"], ORANGE)
    panel.draw(rows, GAN["w1/uncertified"], PURPLE, "dot")
    return panel


def _ratio_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "ratio",
        "Exact W1 over the noise floor",
        "A perfect generator has 1, up to the draw of the samples. Behind a 1-Lipschitz map, such as the critic's "
        "hidden layers or principal axes, W1 is a lower bound of that of the samples, and further above its floor: it "
        "shows differences that the samples themselves are too few for. Shaded: two standard errors.",
        "generator step",
        RATIO,
    )
    _draw_ratios(panel, rows, "exact", "exact W1 / noise floor")
    return panel


def _diversity_panel(rows: Sequence[Row]) -> Panel:
    panel = Panel(
        "diversity",
        "Diversity: generated against generated over real against real",
        "How far generated samples are from others of their kind, as a multiple of how far real ones are. Below 1 they "
        "vary less than real samples: they repeat each other, or leave kinds of samples out. Above 1 they vary more. "
        "Shaded: two standard errors.",
        "generator step",
        RATIO,
        from_zero=True,
    )
    _draw_ratios(panel, rows, "generated_floor", "diversity")
    return panel


def _draw_ratios(panel: Panel, rows: Sequence[Row], of: Literal["exact", "generated_floor"], name: str) -> None:
    for (group, place), color in zip({"w1": "", **map_groups(rows)}.items(), CYCLE, strict=False):
        found = [ratio_to_floor(row, group, of) for row in rows]
        panel.line(
            f"{name}, {place}" if place else name,
            [row.step for row in rows],
            [None if one is None else one.value for one in found],
            color,
            spread=[None if one is None else one.spread for one in found],
        )


def _feature_panels(run: RunRecord) -> list[Panel]:
    panels = []
    for metric in GAN.values():
        if not metric.panel.startswith(("features-", "inception-")) or metric.name.endswith("_floor"):
            continue
        group, name = metric.name.split("/")
        title = f"{name.replace('_', ' ').capitalize()} of features" if group == "features" else name.upper()
        panel = Panel(
            metric.panel,
            title,
            f"{metric.meaning[0].upper()}{metric.meaning[1:]}. Shaded: two standard errors on either side. The grey "
            "line: as many real images of the training split in place of the generated ones.",
            run.history.step_title,
            metric.unit,
        )
        draw_if_logged(panel, run.history, GAN[f"{metric.name}_floor"], GREY)
        draw_if_logged(panel, run.history, metric, BLUE)
        panels.append(panel)
    return panels


def _exportables(gan: WassersteinGAN, raw: bool) -> list[Exportable]:
    generator, name = gan.generator, "generator"
    if gan.averaged is not None and not raw:
        generator, name = gan.averaged, "averaged generator"
    shape = stated_shape(gan.critic, "input_shape") or stated_shape(generator, "output_shape")
    return [Exportable("critic", gan.critic, shape), Exportable(name, generator, (gan.noise_dim + gan.classes,))]


WASSERSTEIN_GAN = Kind(
    name="Wasserstein GAN",
    module=WassersteinGAN,
    network=lambda gan: gan.critic,
    takes_data=True,
    callbacks={"exact_w1": ExactW1, "sample_grid": SampleGrid, "feature_quality": FeatureQuality},
    metrics=GAN,
    evaluation="w1/seconds",
    figure_name="w1",
    figure=w1_figure,
    table=w1_table,
    content=_content,
    exportables=_exportables,
    pictures=("samples/[0-9]*.png", "samples/averaged-*.png"),
)
