"""Exact W1 of the same samples, by this package and by others: time, peak memory, and whether they agree.

python scripts/bench_transport.py --n 2048 8192                  # table, figure and results.json in runs/bench
python scripts/bench_transport.py --page docs/exact_w1.md        # copy the table of runs/bench into that page
python scripts/bench_transport.py --fashion-mnist 60000          # one large problem, by this package alone
python scripts/bench_transport.py --warm                         # solve again after every point has moved a little

Each measurement has a process of its own. Time goes from the points to the value, so it includes the distance matrix of
those who need one; memory is the peak above what was in use before. OMP_NUM_THREADS holds for all alike. The package
lap, of the peer lapjv, comes with the extra: pip install -e '.[bench]'.
"""

import argparse
import gzip
import importlib.util
import json
import multiprocessing
import os
import platform
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

IMAGES = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
BEGIN, END = "<!-- transport table -->\n", "<!-- end of transport table -->"
# The values must agree to this, relatively.
TOLERANCE = 1e-9
# Points of the problem that is solved first, so that imports and thread pools count for nobody.
WARM_UP = 32
# Coordinates from which on |x|^2 + |y|^2 - 2 <x, y> is the fastest way to all distances: ten times at 784.
MANY_COORDINATES = 128
PIVOTS = 10**9

Points = tuple[np.ndarray, np.ndarray]

# ------------------------------------------------------------------------------------------------------------ the peers


@dataclass(frozen=True)
class Peer:
    """A way to the exact W1 of equally weighted points.

    Attributes:
        solve: the value, from x and y of shape (n, d).
        bytes_an_arc: memory for each of the n^2 distances, as measured by this script.
        package: that it needs.
    """

    solve: Callable[[np.ndarray, np.ndarray], float]
    bytes_an_arc: int = 0
    package: str = "wgan_lip"


def ours(x: np.ndarray, y: np.ndarray, **options: Any) -> float:
    """This package."""
    from wgan_lip.transport import wasserstein1

    return wasserstein1(x, y, **options).value


def emd2(x: np.ndarray, y: np.ndarray) -> float:
    """POT's network simplex on all distances."""
    import ot

    a, b = (np.full(len(points), 1 / len(points)) for points in (x, y))
    value, log = ot.emd2(a, b, ot.dist(x, y, metric="euclidean"), numItermax=PIVOTS, log=True)
    return _optimal(value, log)


def emd2_lazy(x: np.ndarray, y: np.ndarray) -> float:
    """POT's network simplex, which computes distances when it needs them."""
    import ot

    value, log = ot.lp.emd2_lazy(x, y, metric="euclidean", numItermax=PIVOTS, log=True, return_matrix=False)
    return _optimal(value, log)


def scipy(x: np.ndarray, y: np.ndarray) -> float:
    """Scipy's shortest augmenting paths."""
    from scipy.optimize import linear_sum_assignment

    distance = _distances(x, y)
    return float(distance[linear_sum_assignment(distance)].mean())


def lapjv(x: np.ndarray, y: np.ndarray) -> float:
    """Jonker and Volgenant's algorithm, of the package lap."""
    import lap

    return float(lap.lapjv(_distances(x, y))[0]) / len(x)


def _optimal(value: float, log: dict[str, Any]) -> float:
    if log["result_code"] != 1:
        raise RuntimeError(f"POT found no optimum: {log['warning']}")
    return float(value)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All distances, in no more memory than they take, and in the way that is faster for the dimension."""
    if x.shape[1] < MANY_COORDINATES:
        from scipy.spatial.distance import cdist

        return cdist(x, y)
    distance = x @ y.T
    distance *= -2
    distance += (x**2).sum(axis=1)[:, None]
    distance += (y**2).sum(axis=1)
    return np.sqrt(distance.clip(min=0, out=distance), out=distance)


OURS = "ours"
PEERS = {
    OURS: Peer(ours),
    "emd2": Peer(emd2, bytes_an_arc=41, package="ot"),
    "emd2_lazy": Peer(emd2_lazy, package="ot"),
    "scipy": Peer(scipy, bytes_an_arc=8, package="scipy"),
    "lapjv": Peer(lapjv, bytes_an_arc=8, package="lap"),
    "ours-assignment": Peer(partial(ours, method="assignment"), bytes_an_arc=45),
    "ours-network-simplex": Peer(partial(ours, method="network-simplex"), bytes_an_arc=45),
    "ours-column-generation": Peer(partial(ours, method="column-generation")),
}

# ------------------------------------------------------------------------------------------------------------ the cases


def gaussian(n: int, d: int, rng: np.random.Generator) -> Points:
    """Two samples of the same Gaussian."""
    return rng.normal(size=(n, d)), rng.normal(size=(n, d))


def clusters(n: int, d: int, rng: np.random.Generator) -> Points:
    """Ten narrow Gaussians, in other proportions in y than in x."""
    centers = 3 * rng.normal(size=(10, d))
    x_share, y_share = rng.dirichlet(np.ones(10), size=2)
    return tuple(centers[rng.choice(10, n, p=p)] + 0.3 * rng.normal(size=(n, d)) for p in (x_share, y_share))


def apart(n: int, d: int, rng: np.random.Generator) -> Points:
    """Two Gaussians, five standard deviations apart in every coordinate."""
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 5


def images(n: int, d: int, rng: np.random.Generator) -> Points:
    """Fashion-MNIST in [-1, 1], and samples of the Gaussian with its mean and covariance."""
    real = read_images(IMAGES) / 127.5 - 1
    if n > len(real) or d != real.shape[1]:
        raise SystemExit(f"{IMAGES} holds {len(real)} images of {real.shape[1]} pixels; got n={n}, d={d}")
    mean, (variance, axes) = real.mean(axis=0), np.linalg.eigh(np.cov(real, rowvar=False))
    noise = rng.normal(size=(n, d)) * np.sqrt(variance.clip(min=0))
    return real[rng.permutation(len(real))[:n]], mean + noise @ axes.T


def read_images(path: Path) -> np.ndarray:
    """Images of an IDX file, as rows of pixels from 0 to 255."""
    content = gzip.decompress(path.read_bytes())
    count, height, width = np.frombuffer(content, ">u4", count=3, offset=4)
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height * width)


KINDS = {"gaussian": gaussian, "clusters": clusters, "apart": apart, "images": images}


@dataclass(frozen=True)
class Case:
    """A kind of samples and their dimension, as in gaussian-64."""

    kind: str
    d: int

    def draw(self, n: int, seed: int) -> Points:
        """Samples of size n."""
        return KINDS[self.kind](n, self.d, np.random.default_rng(seed))

    def is_possible(self) -> bool:
        """Whether its data are there."""
        return self.kind != "images" or IMAGES.is_file()


def parse_case(name: str) -> Case:
    """The case of that name; images need no dimension."""
    kind, _, d = name.partition("-")
    d = d or ("784" if kind == "images" else "")
    if kind not in KINDS or not d.isdecimal() or int(d) < 1:
        raise argparse.ArgumentTypeError(f"a case is {', '.join(KINDS)} and a dimension, as gaussian-64; got {name}")
    return Case(kind, int(d))


# ---------------------------------------------------------------------------------------------- a process to measure in


def peak_memory() -> int:
    """The most bytes that this process had in memory; Linux counts to within a few hundred pages."""
    # A process begins with its parent's ru_maxrss, so Linux' own count comes first.
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    if found:
        return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> int:
    """Let the peak begin anew, where Linux allows it; return it."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return peak_memory()


def measure(solve: Callable[[np.ndarray, np.ndarray], float], folder: Path, limit: float) -> dict[str, float]:
    """Value, seconds, and bytes above those in use before; an alarm ends the process after ``limit`` seconds."""
    x, y = load(folder)
    solve(x[:WARM_UP], y[:WARM_UP])
    before = forget_peak()
    signal.setitimer(signal.ITIMER_REAL, limit)
    value, seconds, cpu_seconds = timed(solve, x, y)
    signal.setitimer(signal.ITIMER_REAL, 0)
    used = {"bytes": peak_memory() - before, "bytes_before": before}
    return {"value": value, "seconds": seconds, "cpu_seconds": cpu_seconds} | used


def timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float, float]:
    """What it returns, and its seconds by the clock and of all cores."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start, time.process_time() - cpu_start


def solve_images(folder: Path) -> dict[str, Any]:
    """One solve by this package, which tells how far it is."""
    from wgan_lip.transport import Progress, wasserstein1

    def tell(state: Progress) -> None:
        print(
            f"{state.seconds:8.1f} s  {state.points[0]} points, round {state.round}, {state.arcs} arcs, "
            f"W1 in [{state.lower:.9g}, {state.upper:.9g}]",
            flush=True,
        )

    x, y = load(folder)
    before = forget_peak()
    result = wasserstein1(x, y, progress=tell)
    return {
        "n": len(x),
        "d": x.shape[1],
        "value": result.value,
        "relative_gap": (result.upper - result.lower) / result.upper,
        "method": result.method,
        "seconds": result.seconds,
        "bytes": peak_memory() - before,
        "bytes_before": before,
    }


def solve_again(folder: Path) -> dict[str, float]:
    """Seconds for y after it has moved by a hundredth of its width: from nothing, and from the old potentials."""
    from wgan_lip.transport import wasserstein1

    x, y = load(folder)
    first, first_seconds, _ = timed(wasserstein1, x, y)
    moved = y + 0.01 * y.std() * np.random.default_rng(0).normal(size=y.shape)
    potentials = first.x_potential, first.y_potential
    cold, cold_seconds, cold_cpu = timed(wasserstein1, x, moved)
    warm, warm_seconds, warm_cpu = timed(wasserstein1, x, moved, initial_potentials=potentials)
    return {
        "first_seconds": first_seconds,
        "cold_seconds": cold_seconds,
        "warm_seconds": warm_seconds,
        "ratio": warm_seconds / cold_seconds,
        "cpu_ratio": warm_cpu / cold_cpu,
        "difference": relative_difference(warm.value, cold.value),
    }


def save(folder: Path, points: Points) -> None:
    """Write samples for other processes."""
    for name, array in zip("xy", points, strict=True):
        np.save(folder / f"{name}.npy", array)


def load(folder: Path) -> Points:
    """Samples that another process has written."""
    return np.load(folder / "x.npy", allow_pickle=False), np.load(folder / "y.npy", allow_pickle=False)


def in_process(task: Callable[..., dict[str, Any]], *arguments: Any) -> tuple[dict[str, Any] | None, int]:
    """The task's result in a fresh process, None if it ended without one; and the process's exit code."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, task, *arguments), daemon=True)
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        result = None
    process.join()
    return result, process.exitcode


def _send(sender: Connection, task: Callable[..., dict[str, Any]], *arguments: Any) -> None:
    sender.send(task(*arguments))


# ------------------------------------------------------------------------------------------------------- the comparison


@dataclass
class Cell:
    """All measurements of one peer on one problem.

    Attributes:
        case, d, n, peer: what was measured.
        status: "ok", "late" (over the time limit), "not tried" (late on fewer points), "too large" or "failed".
        value, seconds, cpu_seconds, bytes, bytes_before: of each repeat: the distance, the time by the clock and on all
            cores (beside other work on the machine the more reliable one), memory, and the memory in use before.
        difference: of the values from ours, relatively; the largest one.
        needed: bytes that it would use, if it is too large.
    """

    case: str
    d: int
    n: int
    peer: str
    status: str = "ok"
    value: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    bytes_before: list[int] = field(default_factory=list)
    difference: float | None = None
    needed: int | None = None

    def add(self, measured: dict[str, float] | None, exitcode: int) -> None:
        """Take in one more measurement."""
        if measured is None:
            self.status = "late" if exitcode == -signal.SIGALRM else "failed"
            return
        for name in ("value", "seconds", "cpu_seconds", "bytes", "bytes_before"):
            getattr(self, name).append(measured[name])

    def compare(self, reference: "Cell") -> None:
        """Set the value beside ours."""
        differences = [relative_difference(*pair) for pair in product(self.value, reference.value)]
        # Unlike max, it does not lose a NaN.
        self.difference = float(np.max(differences)) if differences else None

    def is_wrong(self) -> bool:
        """Whether it failed, or found another value than we did."""
        return self.status == "failed" or (self.difference is not None and not self.difference <= TOLERANCE)

    def describe(self, limit: float) -> str:
        """The cell in a line."""
        if self.status == "ok":
            told = (
                f"{_short(self.seconds)} s, {_short(self.cpu_seconds)} s of all cores, {_short(self.bytes, 1e6)} MB, "
            )
            told += f"W1 {self.value[0]!r}" + ("" if self.difference is None else f", difference {self.difference:.0e}")
        else:
            told = " ".join(_instead(self, limit)).strip() or self.status
        return f"{self.case}-{self.d} n={self.n} {self.peer}: {told}"


def relative_difference(a: float, b: float) -> float:
    """Zero if both are zero."""
    return abs(a - b) / (max(abs(a), abs(b)) or 1.0)


def compare(
    cases: list[Case],
    sizes: list[int],
    peers: dict[str, Peer],
    *,
    repeats: int,
    limit: float,
    memory: float,
    seed: int = 0,
) -> Iterator[Cell]:
    """All cells; the peers take turns, and one that was late on few points is not tried on more."""
    for case in cases:
        late: set[str] = set()
        for n in sorted(sizes):
            with tempfile.TemporaryDirectory() as name:
                save(Path(name), case.draw(n, seed))
                cells = {peer: Cell(case.kind, case.d, n, peer) for peer in peers}
                for peer, cell in cells.items():
                    needed = peers[peer].bytes_an_arc * n * n
                    if needed > memory:
                        cell.status, cell.needed = "too large", needed
                    elif peer in late:
                        cell.status = "not tried"
                for _ in range(repeats):
                    for peer, cell in cells.items():
                        if cell.status == "ok":
                            cell.add(*in_process(measure, peers[peer].solve, Path(name), limit))
            for cell in cells.values():
                cell.compare(cells[OURS])
                yield cell
            late |= {peer for peer, cell in cells.items() if cell.status == "late"}


# -------------------------------------------------------------------------------------------------------- what is shown


def _short(values: list[float], unit: float = 1) -> str:
    """The median in three digits, without an exponent; empty without values."""
    if not values:
        return ""
    number = median(values) / unit
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def markdown_table(results: dict[str, Any]) -> str:
    """The table of docs/exact_w1.md: every peer's time over ours, our memory over the peer's."""
    cells = [Cell(**cell) for cell in results["cells"]]
    peers = [peer for peer in dict.fromkeys(cell.peer for cell in cells) if peer != OURS]
    found = {(cell.case, cell.d, cell.n, cell.peer): cell for cell in cells}
    head = ["case", "d", "n", "ours, s", *(f"{peer}: {what}" for peer in peers for what in ("time", "memory"))]
    rows = [head, ["--:" if column else "---" for column in range(len(head))]]
    for problem in dict.fromkeys((cell.case, cell.d, cell.n) for cell in cells):
        mine = found[*problem, OURS]
        row = [*map(str, problem), _short(mine.seconds) or _instead(mine, results["limit"])[0]]
        for peer in peers:
            row += _ratios(found[*problem, peer], mine, results["limit"])
        rows.append(row)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *_legend(results)]) + "\n"


def _ratios(cell: Cell, mine: Cell, limit: float) -> list[str]:
    if cell.status != "ok" or mine.status != "ok":
        return _instead(cell, limit)
    # One page where a small problem fitted into memory that the process had already.
    memory = max(median(mine.bytes), 4096) / max(median(cell.bytes), 4096)
    return [_short([median(cell.seconds) / median(mine.seconds)]), _short([memory])]


def _instead(cell: Cell, limit: float) -> list[str]:
    return {
        "ok": [f"{_short(cell.seconds)} s", f"{_short(cell.bytes, 1e6)} MB"],
        "late": [f"> {limit:g} s", ""],
        "not tried": ["", ""],
        "too large": ["", f"needs {(cell.needed or 0) / 1e9:.0f} GB"],
        "failed": ["failed", ""],
    }[cell.status]


def _legend(results: dict[str, Any]) -> list[str]:
    worst = max((cell["difference"] for cell in results["cells"] if cell["difference"] is not None), default=0.0)
    return [
        f"Printed by `{results['command']}` on {results['cpus']} cores.",
        "*time*: the peer's over ours; above 1, ours is faster.",
        "*memory*: ours over the peer's; below 1, ours needs less.",
        f"Values differ by at most {worst:.0e}, relatively. Who took > {results['limit']:g} s was tried no further.",
    ]


def write_table(page: Path, results: dict[str, Any]) -> None:
    """Put the table between its markers."""
    text = page.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{page} must hold the lines {BEGIN.strip()} and {END}")
    table = BEGIN + markdown_table(results) + END
    page.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, text, flags=re.DOTALL))


def draw(results: dict[str, Any], path: Path) -> None:
    """Time and memory against n, a column of panels for each case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    cells = [Cell(**cell) for cell in results["cells"]]
    cases, peers = (list(dict.fromkeys(key)) for key in zip(*(((c.case, c.d), c.peer) for c in cells), strict=True))
    sizes = sorted({cell.n for cell in cells})
    figure, axes = plt.subplots(
        2,
        len(cases),
        figsize=(1.5 + 2.6 * len(cases), 6),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for column, case in enumerate(cases):
        for color, peer in enumerate(peers):
            own = [cell for cell in cells if (cell.case, cell.d) == case and cell.peer == peer]
            style = {
                "color": f"C{color}",
                "zorder": 3 if peer == OURS else 2,
                "linewidth": 2.5 if peer == OURS else 1.2,
            }
            done, late, large = ([c for c in own if c.status == status] for status in ("ok", "late", "too large"))
            # Of different sizes, for they often lie on one another.
            hollow = style | {"linestyle": "", "markerfacecolor": "none", "markersize": 14 - 2 * color}
            seconds, memory = axes[:, column]
            seconds.plot([c.n for c in done], [median(c.seconds) for c in done], "o-", label=peer, **style)
            seconds.plot([c.n for c in late], [results["limit"] for _ in late], marker="^", **hollow)
            memory.plot([c.n for c in done], [max(median(c.bytes), 4096) / 1e6 for c in done], "o-", **style)
            memory.plot([c.n for c in large], [(c.needed or 0) / 1e6 for c in large], marker="^", **hollow)
        axes[0, column].set_title(f"{case[0]}, d = {case[1]}")
        axes[1, column].set_xlabel("points on each side")
    for panel in axes.flat:
        panel.set(xscale="log", yscale="log")
        panel.set_xticks(sizes, [f"{n:,}" for n in sizes], minor=False)
        panel.set_xticks([], minor=True)
        panel.grid(alpha=0.3)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(peers),
        title="triangles: over the limit of time, or memory that it would need",
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


# ----------------------------------------------------------------------------------------------------- the command line


def environment(arguments: list[str]) -> dict[str, Any]:
    """What the numbers depend on."""
    cpus = os.cpu_count() or 1
    return {
        "command": " ".join(["python scripts/bench_transport.py", *arguments]),
        "cpus": cpus,
        "threads": os.environ.get("OMP_NUM_THREADS", str(cpus)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "scipy", "POT", "torch")}
        | ({"lap": version("lap")} if importlib.util.find_spec("lap") else {}),
    }


def run_comparison(options: argparse.Namespace, arguments: list[str]) -> int:
    """Measure, print, and write results.json, the table and the figure; 1 if any value is wrong."""
    peers, cases = {}, [case for case in options.cases if case.is_possible()]
    for name in dict.fromkeys([OURS, *options.peers]):
        if importlib.util.find_spec(PEERS[name].package) is None:
            print(f"{name} is left out: the package {PEERS[name].package} is not installed", flush=True)
        else:
            peers[name] = PEERS[name]
    if len(cases) < len(options.cases):
        print(f"images are left out: there is no {IMAGES}", flush=True)
    if not cases:
        raise SystemExit("nothing is left to measure")
    results = environment(arguments) | {"limit": options.limit, "memory": options.memory * 2**30, "cells": []}
    wrong = 0
    measured = compare(cases, options.n, peers, repeats=options.repeats, limit=options.limit, memory=results["memory"])
    for cell in measured:
        print(cell.describe(options.limit), flush=True)
        wrong += cell.is_wrong()
        results["cells"].append(asdict(cell))
        _write(options.out / "results.json", json.dumps(results, indent=1))
    if wrong:
        print(f"{wrong} cells failed or differ from ours by more than {TOLERANCE:g}", flush=True)
    _write(options.out / "table.md", markdown_table(results))
    print("\n" + markdown_table(results))
    draw(results, options.out / "transport.png")
    return int(wrong > 0)


def run_images(options: argparse.Namespace) -> int:
    """One large problem; its line of JSON goes to fashion_mnist.json."""
    with tempfile.TemporaryDirectory() as name:
        save(Path(name), images(options.fashion_mnist, 784, np.random.default_rng(0)))
        result, _ = in_process(solve_images, Path(name))
    if result is None:
        return 1
    print(json.dumps(result))
    _write(options.out / "fashion_mnist.json", json.dumps(result))
    return 0


def run_warm(options: argparse.Namespace) -> int:
    """Median of warm over cold; all goes to warm.json."""
    case, n = options.cases[0], options.n[0]
    results = []
    for seed in range(options.repeats):
        with tempfile.TemporaryDirectory() as name:
            save(Path(name), case.draw(n, seed))
            result, _ = in_process(solve_again, Path(name))
        if result is None or result["difference"] > TOLERANCE:
            print(f"failed: {result}")
            return 1
        results.append(result)
        print(json.dumps(results[-1]), flush=True)
    ratio, cpu_ratio = (median(result[name] for result in results) for name in ("ratio", "cpu_ratio"))
    print(f"{case.kind}-{case.d}, n = {n}: warm over cold {ratio:.2f} ({cpu_ratio:.2f} of all cores' time), ", end="")
    print(f"median of {len(results)}")
    summary = {"case": case.kind, "d": case.d, "n": n, "ratio": ratio, "cpu_ratio": cpu_ratio, "repeats": results}
    _write(options.out / "warm.json", json.dumps(summary))
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n")


def parser() -> argparse.ArgumentParser:
    """The options."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    positive = partial(_positive, kind=int)
    parse.add_argument("--cases", nargs="+", type=parse_case, help="kind and dimension, as gaussian-64; images")
    parse.add_argument("--n", nargs="+", type=positive, help="points on each side")
    parse.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS)[:5], help="default: the first five")
    parse.add_argument("--repeats", type=positive, help="of each measurement; the median counts")
    parse.add_argument("--limit", type=partial(_positive, kind=float), default=120, help="seconds a measurement")
    parse.add_argument(
        "--memory", type=partial(_positive, kind=float), help="GiB, by default three quarters of what is free"
    )
    parse.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the results")
    mode = parse.add_mutually_exclusive_group()
    mode.add_argument("--fashion-mnist", type=positive, metavar="N", help="one solve, N images against N imitations")
    mode.add_argument("--warm", action="store_true", help="solve again after the points moved (first case, first n)")
    mode.add_argument("--page", type=Path, help="copy the table of results.json between its markers, measure nothing")
    return parse


def _positive(text: str, kind: type) -> Any:
    value = kind(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be positive; got {text}")
    return value


def _with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    names = ["gaussian-64"] if options.warm else ["gaussian-2", "gaussian-8", "gaussian-64", "gaussian-784"]
    names += [] if options.warm else ["clusters-8", "apart-8", "images"]
    options.cases = options.cases or [parse_case(name) for name in names]
    options.n = options.n or ([4096] if options.warm else [1024, 2048, 4096, 8192])
    options.repeats = options.repeats or (5 if options.warm else 3)
    if options.memory is None:
        from wgan_lip.transport.memory import available_memory

        options.memory = 0.75 * available_memory() / 2**30
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run one of the four commands; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _with_defaults(parser().parse_args(arguments))
    if options.page:
        write_table(options.page, json.loads((options.out / "results.json").read_text()))
        return 0
    if options.fashion_mnist:
        return run_images(options)
    return run_warm(options) if options.warm else run_comparison(options, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
