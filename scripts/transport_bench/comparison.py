"""Measurements of all peers on all problems."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.transport_bench.cases import Case
from scripts.transport_bench.cells import Cell
from scripts.transport_bench.peers import OURS, Peer
from scripts.transport_bench.processes import in_process, save
from scripts.transport_bench.tasks import measure


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
    """Measure all cells; the peers take turns, and a peer that was late on few points is not tried on more."""
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
