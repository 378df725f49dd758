"""``wgan-lip report``: what there is to see of runs, as one HTML page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from wgan_lip.cli.command_parser import CommandParser, number, output
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.rebuild import load_module, of_checkpoint
from wgan_lip.cli.trusted import UntrustedError
from wgan_lip.console import Console
from wgan_lip.kinds import kind_of, kind_of_steps
from wgan_lip.lipschitz import certify
from wgan_lip.page import CheckpointCertificate, serve_page, write_page
from wgan_lip.report import RunRecord, read_run, save_figure
from wgan_lip.runs import checkpoint_at

_DESCRIPTION = """\
Make one HTML page of one or several runs: estimated against exact W1 (or accuracy) with its sampling error, the
certificate, gradient norms, pictures over time, times, and the config; of several runs also their curves together, and
where their configs differ. The page holds all that it needs: it opens by a double click, and uses no network. A run is
a folder that wgan-lip fit made.

--serve shows the page of runs in a browser on this machine, and updates it while they train.
"""
_EPILOG = """\
examples:
  wgan-lip report runs/digits/mine                            writes runs/digits/mine/report.html
  wgan-lip report runs/digits/a runs/digits/b -o both.html    two runs together
  wgan-lip report runs/digits/mine --figures figures/         the main figure as PNG and SVG, for a paper
  wgan-lip report runs/digits/mine --serve                    a running training, in the browser
"""


def run_report(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    options = make_parser().parse_args(words)
    console = Console()
    with in_one_line():
        for run in options.runs:
            if not run.is_dir():
                raise ValueError(f"RUN {run}: there is no such folder")
        if options.serve:
            _serve(options, console)
            return
        runs = [read_run(folder) for folder in options.runs]
        written = [] if options.figures is None else _write_figures(runs, options.figures)
        path = options.output or (runs[0].folder / "report.html" if len(runs) == 1 else Path("report.html"))
        damaged: list[str] = []
        write_page(path, runs, {run.folder: _certificate(run.folder, options.trust, damaged) for run in runs})
        console.print_plain("Written:", *(f"  {one}" for one in (*written, path)))
        if damaged:
            raise ValueError(f"the page is written without a certificate: {'; '.join(damaged)}")


def _serve(options: argparse.Namespace, console: Console) -> None:
    if options.output is not None or options.figures is not None:
        raise ValueError("--serve writes nothing: leave --output and --figures out")
    folders = [folder.absolute() for folder in options.runs]
    serve_page(
        folders, options.host, options.port, lambda url: console.print_plain(f"Serving on {url} (Ctrl-C ends it)")
    )


def _write_figures(runs: Sequence[RunRecord], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for run in runs:
        kind = kind_of_steps(run.history.step_name)
        figure = kind.figure(run.history.having(kind.evaluation), run.label)
        for suffix in (".png", ".svg"):
            written.append(folder / f"{run.label.replace('/', '-')}-{kind.figure_name}{suffix}")
            save_figure(figure, written[-1])
    return written


def _certificate(folder: Path, trust: bool, damaged: list[str]) -> CheckpointCertificate:
    """The certificate of a run's last checkpoint, or why there is none.

    Args:
        folder: of the run.
        trust: build whatever the checkpoint's config names.
        damaged: gets the error of a checkpoint that cannot be read.
    """
    try:
        path = checkpoint_at(str(folder), "the run")
    except ValueError as error:
        return CheckpointCertificate(None, None, str(error))
    try:
        module = load_module(path, trust=trust)
    except (ValueError, OSError) as error:
        if not isinstance(error, UntrustedError):
            damaged.append(str(error))
        return CheckpointCertificate(None, None, str(error))
    try:
        with of_checkpoint(path):
            certificate = certify(kind_of(module).network(module))
    except ValueError as error:
        return CheckpointCertificate(None, None, str(error))
    return CheckpointCertificate(module.step, certificate, "")


def make_parser() -> CommandParser:
    """The parser of the command's arguments."""
    parser = CommandParser("wgan-lip report", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    add(
        "-o",
        "--output",
        type=output(".html"),
        metavar="FILE",
        help="the .html file (default: report.html in the run's folder; of several runs, in this one)",
    )
    add("--figures", type=Path, metavar="DIR", help="also write each run's main figure there, as PNG and SVG")
    add("--serve", action="store_true", help="serve the page instead, and keep it up to date")
    add("--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, default=8765, help="port to serve on; 0 takes any free one (default: 8765)")
    parser.add_trust()
    return parser


_port = number(int, "between 0 and 65535", lambda port: 0 <= port < 65536)
