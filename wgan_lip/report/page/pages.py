"""The page: everything that it shows in one HTML file, which asks no network for anything."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from wgan_lip import __version__
from wgan_lip.printable import printable
from wgan_lip.replaced import replace_text
from wgan_lip.report.page.configs import differences, flat
from wgan_lip.report.page.layers import CheckpointCertificate
from wgan_lip.report.page.overlay import overlay_panels
from wgan_lip.report.page.panel import Panel
from wgan_lip.report.page.run import Picture, RunRecord
from wgan_lip.report.page.stories import tell
from wgan_lip.report.page.story import Story
from wgan_lip.rounded import lipschitz_bound


@dataclass(frozen=True)
class ShownPanel:
    """A panel with the name of its element in the page."""

    id: str
    panel: Panel


@dataclass(frozen=True)
class ShownRun:
    """One run as the template takes it."""

    id: str
    record: RunRecord
    story: Story
    main: ShownPanel
    panels: list[ShownPanel]
    strips: dict[str, list[Picture]]
    stills: list[Picture]
    certificate: CheckpointCertificate | None
    config: list[tuple[str, str]]


class Page:
    """The page of some runs.

    Args:
        runs: at least one.
        certificates: of their last checkpoints, by folder; what is missing is not told.
        live: whether the page asks its server for news, as ``wgan-lip report --serve`` has it.

    Raises:
        ValueError: no runs, or a run without evaluations.
    """

    def __init__(
        self,
        runs: Sequence[RunRecord],
        certificates: Mapping[Path, CheckpointCertificate] | None = None,
        live: bool = False,
    ) -> None:
        if not runs:
            raise ValueError("runs must hold at least one run; got none")
        self.live = live
        self.runs = [_shown(f"run{i}", run, (certificates or {}).get(run.folder)) for i, run in enumerate(runs)]
        self.overlays = [
            ShownPanel(f"all-{panel.key}", panel)
            for panel in overlay_panels([(run.record.label, run.story) for run in self.runs])
        ]
        self.differences = differences([run.record.config for run in self.runs])
        self._environment = Environment(
            loader=PackageLoader("wgan_lip.report.page", "assets"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_plain,
        )
        self._environment.filters.update(picture=_as_url, bound=lipschitz_bound)

    def figures(self) -> dict[str, Any]:
        """Plotly's figures by the names of their elements."""
        shown = [*self.overlays, *(one for run in self.runs for one in (run.main, *run.panels))]
        return {one.id: one.panel.figure.to_plotly_json() for one in shown}

    def body(self) -> str:
        """What is inside ``<main>``, with the figures' data."""
        return self._environment.get_template("main.html.j2").render(
            page=self, figures=_json_in_html(self.figures()), version=__version__
        )

    def html(self) -> str:
        """The whole file."""
        scripts = {"plotly": get_plotlyjs(), "page": _asset("page.js")}
        return self._environment.get_template("page.html.j2").render(
            page=self,
            title=", ".join(run.record.label for run in self.runs),
            body=self.body(),
            css=_asset("page.css"),
            scripts=scripts,
            # Of all scripts only these two may run, and nothing may be fetched, whatever a run's files hold.
            hashes=" ".join(f"'sha256-{_sha256(text)}'" for text in scripts.values()),
            version=__version__,
        )


def _plain(value: Any) -> Any:
    """Text of a run's files, where it is no markup, without what would not show as it is."""
    return printable(value, kept="\n\t") if type(value) is str else value


def write_page(
    path: Path, runs: Sequence[RunRecord], certificates: Mapping[Path, CheckpointCertificate] | None = None
) -> None:
    """Write the page of some runs.

    Args:
        path: of the HTML file.
        runs: at least one.
        certificates: of their last checkpoints, by folder.

    Raises:
        ValueError: no runs, or a run without evaluations.
        OSError: it cannot be written.
    """
    replace_text(path, Page(runs, certificates).html())


def _shown(name: str, run: RunRecord, certificate: CheckpointCertificate | None) -> ShownRun:
    story = tell(run)
    strips: dict[str, list[Picture]] = {}
    for picture in run.pictures:
        strips.setdefault(picture.kind, []).append(picture)
    alone = {kind for kind, pictures in strips.items() if len(pictures) == 1}
    return ShownRun(
        id=name,
        record=run,
        story=story,
        main=ShownPanel(f"{name}-{story.main.key}", story.main),
        panels=[ShownPanel(f"{name}-{panel.key}", panel) for panel in story.panels],
        strips={kind: pictures for kind, pictures in strips.items() if kind not in alone},
        stills=[strips[kind][0] for kind in strips if kind in alone],
        certificate=certificate,
        config=list(flat(run.config)),
    )


def _as_url(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.path.read_bytes()).decode()


def _json_in_html(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")


def _asset(name: str) -> str:
    return (resources.files("wgan_lip.report.page") / "assets" / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
