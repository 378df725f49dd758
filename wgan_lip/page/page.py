"""The page: one HTML file with all that it shows, which fetches nothing from any network."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from wgan_lip import __version__
from wgan_lip.kinds import kind_of_steps
from wgan_lip.lipschitz import LipschitzCertificate
from wgan_lip.plain_text import printable
from wgan_lip.replaced import replace_text
from wgan_lip.report import CYCLE, DASHES, Panel, Picture, RunContent, RunRecord
from wgan_lip.rounded import lipschitz_bound


@dataclass(frozen=True)
class CheckpointCertificate:
    """What is proven of the network of a run's last checkpoint, or why nothing is.

    Attributes:
        step: at which the checkpoint was saved; None if it could not be read.
        certificate: None where there is none.
        reason: why there is none; "" where there is one.
    """

    step: int | None
    certificate: LipschitzCertificate | None
    reason: str


@dataclass(frozen=True)
class ShownPanel:
    """A panel with the id of its element in the page."""

    id: str
    panel: Panel


@dataclass(frozen=True)
class ShownRun:
    """One run as the template takes it."""

    id: str
    kind: str
    record: RunRecord
    content: RunContent
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
        certificates: of their last checkpoints, by folder; a run without one is shown without that section.
        live: whether the page asks its server for updates, for ``wgan-lip report --serve``.

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
        self.overlays = [ShownPanel(f"all-{panel.key}", panel) for panel in _overlays(self.runs)]
        self.differences = differences([run.record.config for run in self.runs])
        self._environment = Environment(
            loader=PackageLoader("wgan_lip.page", "assets"),
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
            # The page's policy lets only these two scripts run, whatever a run's files hold.
            hashes=" ".join(f"'sha256-{_sha256(text)}'" for text in scripts.values()),
            version=__version__,
        )


def _plain(value: Any) -> Any:
    """Text without the characters that would not show as they are; markup is left as it is."""
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
    kind = kind_of_steps(run.history.step_name)
    content = kind.content(run, run.history.having(kind.evaluation))
    strips: dict[str, list[Picture]] = {}
    for picture in run.pictures:
        strips.setdefault(picture.kind, []).append(picture)
    alone = {kind for kind, pictures in strips.items() if len(pictures) == 1}
    return ShownRun(
        id=name,
        kind=kind.name,
        record=run,
        content=content,
        main=ShownPanel(f"{name}-{content.main.key}", content.main),
        panels=[ShownPanel(f"{name}-{panel.key}", panel) for panel in content.panels if not panel.is_empty],
        strips={kind: pictures for kind, pictures in strips.items() if kind not in alone},
        stills=[strips[kind][0] for kind in strips if kind in alone],
        certificate=certificate,
        config=list(_flat(run.config)),
    )


def _overlays(runs: Sequence[ShownRun]) -> list[Panel]:
    """For each curve that at least two runs have: a figure of it, run by run."""
    panels = []
    for i, name in enumerate(dict.fromkeys(name for run in runs for name in run.content.curves)):
        having = [run for run in runs if any(value is not None for value in run.content.curves.get(name, ()))]
        if len(having) < 2:
            continue
        panel = Panel(
            f"curve{i}",
            f"{name[0].upper()}{name[1:]}, run by run",
            "Runs can be compared where they were evaluated at the same number of samples, in the same norm; one run "
            "of each is no evidence of which is better: wgan-lip compare repeats them with several seeds.",
            "step",
            name,
        )
        for k, run in enumerate(having):
            color, dash = CYCLE[k % len(CYCLE)], DASHES[k // len(CYCLE) % len(DASHES)]
            panel.line(run.record.label, run.content.steps, run.content.curves[name], color, dash)
        panels.append(panel)
    return panels


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a config by their dotted keys, in its order; a list is a value."""
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)


def differences(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The keys in which configs differ, with the value of each config; "-" where it has no such key.

    Args:
        configs: at least one.
    """
    flats = [dict(_flat(config)) for config in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    rows = [(key, [one.get(key, "-") for one in flats]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _as_url(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.path.read_bytes()).decode()


def _json_in_html(value: Any) -> str:
    """JSON for a script element, without anything that would end the element."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")


def _asset(name: str) -> str:
    return (resources.files("wgan_lip.page") / "assets" / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
