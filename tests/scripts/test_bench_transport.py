"""The benchmark compares what it says: the same values, from processes with limits of time and memory."""

import gzip
import importlib.util
import json
import os
import signal
import time

import numpy as np
import pytest

from scripts import bench_transport as bench
from scripts.transport_bench import cases, comparison
from scripts.transport_bench.cases import parse_case, read_images
from scripts.transport_bench.cells import Cell
from scripts.transport_bench.peers import PEERS, Peer
from scripts.transport_bench.processes import in_process, save
from scripts.transport_bench.table import markdown_table
from scripts.transport_bench.tasks import WARM_UP, measure


@pytest.fixture(autouse=True)
def lean(monkeypatch):
    """POT without torch starts in half the time."""
    monkeypatch.setenv("POT_BACKEND_DISABLE_PYTORCH", "1")


GAUSSIAN = parse_case("gaussian-3")
MEGABYTE = 10**6


def first_coordinate(x, y):
    """A value at once."""
    return float(x[0, 0])


def sleep(x, y):
    """No value for long, but for the warm-up."""
    time.sleep(60 if len(x) > WARM_UP else 0)
    return 0.0


def fill_memory(x, y):
    """64 MB, given back."""
    return float(np.ones(8 * MEGABYTE).sum())


def fail(x, y):
    """An error."""
    raise RuntimeError("no optimum")


def compare(peers, **options):
    """The cells of one problem, by peer."""
    settings = {"repeats": 1, "limit": 60, "memory": 1e9} | options
    cells = comparison.compare([GAUSSIAN], settings.pop("sizes", [40]), peers, **settings)
    return {(cell.n, cell.peer): cell for cell in cells}


def pretend(monkeypatch, **values):
    """Let measurements take a second, and give these values; draw nothing."""
    names = {peer.solve: name for name, peer in PEERS.items()}

    def in_process(task, solve, folder, limit):
        measured = {
            "value": values[names[solve]],
            "seconds": 1.0,
            "cpu_seconds": 2.0,
            "bytes": MEGABYTE,
            "bytes_before": 0,
        }
        return measured, 0

    monkeypatch.setattr(comparison, "in_process", in_process)
    monkeypatch.setattr(bench, "draw", lambda results, path: None)


def test_all_peers_agree_and_the_results_are_written(tmp_path, capsys):
    code = bench.main(["--cases", "gaussian-3", "--n", "40", "--repeats", "1", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert code == 0, printed
    results = json.loads((tmp_path / "results.json").read_text())
    installed = [name for name in list(PEERS)[:5] if importlib.util.find_spec(PEERS[name].package)]
    assert [cell["peer"] for cell in results["cells"]] == installed
    for cell in results["cells"]:
        assert cell["status"] == "ok"
        assert cell["difference"] < 1e-12
        assert len(cell["seconds"]) == len(cell["bytes"]) == 1
    table = (tmp_path / "table.md").read_text()
    assert table in printed
    row = next(line for line in table.splitlines() if line.startswith("| gaussian | 3 | 40 |"))
    assert row.count("|") == 5 + 2 * (len(installed) - 1)
    assert f"`{results['command']}`" in table
    assert (tmp_path / "transport.png").stat().st_size > 10_000


def test_a_wrong_value_is_an_error(tmp_path, capsys, monkeypatch):
    options = ["--cases", "gaussian-3", "--n", "40", "--peers", "emd2", "--repeats", "2", "--out", str(tmp_path)]
    pretend(monkeypatch, ours=1.0, emd2=1 + 1e-12)
    assert bench.main(options) == 0
    pretend(monkeypatch, ours=1.0, emd2=1 + 1e-8)
    assert bench.main(options) == 1
    assert "1 cells failed or differ from ours" in capsys.readouterr().out
    pretend(monkeypatch, ours=1.0, emd2=float("nan"))
    assert bench.main(options) == 1


def test_who_is_late_is_stopped_and_not_tried_on_more_points():
    begin = time.perf_counter()
    peers = {"ours": Peer(first_coordinate), "sleeper": Peer(sleep)}
    cells = compare(peers, sizes=[40, 50], limit=0.2)
    assert time.perf_counter() - begin < 30
    assert cells[40, "sleeper"].status == "late"
    assert cells[50, "sleeper"].status == "not tried"
    assert cells[50, "ours"].status == "ok"
    assert "> 0.2 s" in cells[40, "sleeper"].describe(0.2)


def test_an_error_fails_the_cell():
    result, code = in_process(fail, None, None)
    assert result is None
    assert code == 1
    cell = Cell("gaussian", 3, 40, "emd2")
    cell.add(result, code)
    assert cell.status == "failed"
    assert cell.is_wrong()
    cell.add(None, -signal.SIGALRM)
    assert cell.status == "late"
    assert not cell.is_wrong()


def test_what_would_not_fit_is_not_begun(monkeypatch):
    monkeypatch.setattr(comparison, "in_process", None)
    cell = compare({"ours": Peer(fail, bytes_an_arc=45)}, memory=45 * 40 * 40 - 1)[40, "ours"]
    assert cell.status == "too large"
    assert cell.needed == 45 * 40 * 40


def test_memory_is_the_peak_above_what_was_in_use_before(tmp_path):
    save(tmp_path, GAUSSIAN.draw(40, 0))
    ballast = np.ones(32 * MEGABYTE)
    measured, code = in_process(measure, fill_memory, tmp_path, 60)
    assert code == 0
    assert 60 * MEGABYTE <= measured["bytes"] < 70 * MEGABYTE
    # Nothing of what the parent holds.
    assert measured["bytes_before"] < ballast.nbytes


def test_cells_are_repeated_and_shown_by_their_medians():
    cells = [
        Cell("gaussian", 2, 100, "ours", value=[1.0] * 3, seconds=[2.0, 9.0, 1.0], bytes=[MEGABYTE] * 3),
        Cell("gaussian", 2, 100, "a", seconds=[4.0, 5.0, 6.0], bytes=[4 * MEGABYTE] * 3, difference=2e-15),
        Cell("gaussian", 2, 100, "b", status="late"),
        Cell("gaussian", 2, 100, "c", status="too large", needed=180 * 10**9),
    ]
    results = {"command": "bench", "cpus": 2, "limit": 120.0, "cells": [vars(cell) for cell in cells]}
    table = markdown_table(results)
    assert "| gaussian | 2 | 100 | 2 | 2.5 | 0.25 | > 120 s |  |  | needs 180 GB |\n" in table
    assert "differ by at most 2e-15" in table


def test_the_table_goes_between_its_markers(tmp_path, monkeypatch):
    pretend(monkeypatch, ours=1.0, emd2=1.0)
    assert not bench.main(["--cases", "apart-2", "--n", "9", "--peers", "emd2", "--out", str(tmp_path)])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- transport table -->\nold\n<!-- end of transport table -->\nafter\n")
    for _ in range(2):
        assert bench.main(["--page", str(page), "--out", str(tmp_path)]) == 0
        table = (tmp_path / "table.md").read_text()
        assert page.read_text() == f"before\n<!-- transport table -->\n{table}<!-- end of transport table -->\nafter\n"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="must hold the lines"):
        bench.main(["--page", str(page), "--out", str(tmp_path)])


def test_what_is_not_there_is_left_out(tmp_path, capsys, monkeypatch):
    pretend(monkeypatch, ours=1.0)
    monkeypatch.setitem(PEERS, "lapjv", Peer(fail, package="no_such_package"))
    monkeypatch.setattr(cases, "IMAGES", tmp_path / "none.gz")
    options = ["--cases", "images", "apart-2", "--n", "9", "--peers", "lapjv", "--out", str(tmp_path)]
    assert bench.main(options) == 0
    printed = capsys.readouterr().out
    assert "lapjv is left out: the package no_such_package is not installed" in printed
    assert f"images are left out: there is no {tmp_path / 'none.gz'}" in printed


@pytest.mark.parametrize("kind", ["gaussian", "clusters", "apart"])
def test_cases_are_drawn_from_a_seed(kind):
    case = parse_case(f"{kind}-5")
    x, y = case.draw(20, 0)
    assert x.shape == y.shape == (20, 5)
    assert np.array_equal(y, case.draw(20, 0)[1])
    assert not np.array_equal(y, case.draw(20, 1)[1])


@pytest.mark.parametrize("name", ["gaussian", "gaussian-0", "gaussian-x", "circle-2", ""])
def test_unknown_cases_are_refused(name, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--cases", name])
    assert "a case is gaussian, clusters, apart, images and a dimension" in capsys.readouterr().err


def test_one_large_problem_of_images(tmp_path, capsys, monkeypatch):
    pixels = np.random.default_rng(0).integers(256, size=(50, 784), dtype=np.uint8)
    header = np.array([0x803, 50, 28, 28], ">u4").tobytes()
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(header + pixels.tobytes()))
    monkeypatch.setattr(cases, "IMAGES", path)
    assert np.array_equal(read_images(path), pixels)
    assert bench.main(["--fashion-mnist", "40", "--out", str(tmp_path)]) == 0
    line = (tmp_path / "fashion_mnist.json").read_text()
    assert capsys.readouterr().out.endswith(line)
    result = json.loads(line)
    assert (result["n"], result["d"]) == (40, 784)
    assert 0 <= result["relative_gap"] < 1e-9
    with pytest.raises(SystemExit, match="holds 50 images"):
        bench.main(["--fashion-mnist", "51", "--out", str(tmp_path)])


def test_solving_again(tmp_path, capsys):
    options = ["--warm", "--cases", "gaussian-3", "--n", "40", "--repeats", "1", "--out", str(tmp_path)]
    assert bench.main(options) == 0
    result = json.loads((tmp_path / "warm.json").read_text())
    assert result["ratio"] > 0
    assert result["repeats"][0]["difference"] < 1e-9
    assert "gaussian-3, n = 40: warm over cold" in capsys.readouterr().out


def test_threads_are_those_of_the_environment():
    assert bench.environment([])["threads"] == os.environ["OMP_NUM_THREADS"]
