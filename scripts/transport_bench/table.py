"""The table of docs/exact_w1.md, from the results."""

from statistics import median
from typing import Any

from scripts.shared.tables import markdown_rows
from scripts.transport_bench.cells import Cell, short
from scripts.transport_bench.peers import OURS


def markdown_table(results: dict[str, Any]) -> str:
    """Format the table: the time of every peer over ours, our memory over the peer's."""
    cells = [Cell(**cell) for cell in results["cells"]]
    peers = [peer for peer in dict.fromkeys(cell.peer for cell in cells) if peer != OURS]
    found = {(cell.case, cell.d, cell.n, cell.peer): cell for cell in cells}
    head = ["case", "d", "n", "ours, s", *(f"{peer}: {what}" for peer in peers for what in ("time", "memory"))]
    rows = []
    for problem in dict.fromkeys((cell.case, cell.d, cell.n) for cell in cells):
        mine = found[*problem, OURS]
        row = [*map(str, problem), short(mine.seconds) or mine.instead(results["limit"])[0]]
        for peer in peers:
            row += _ratios(found[*problem, peer], mine, results["limit"])
        rows.append(row)
    return markdown_rows(head, rows) + "\n" + "\n".join(_legend(results)) + "\n"


def _ratios(cell: Cell, mine: Cell, limit: float) -> list[str]:
    if cell.status != "ok" or mine.status != "ok":
        return cell.instead(limit)
    # At least one page: a small problem may fit into memory that the process already had.
    memory = max(median(mine.bytes), 4096) / max(median(cell.bytes), 4096)
    return [short([median(cell.seconds) / median(mine.seconds)]), short([memory])]


def _legend(results: dict[str, Any]) -> list[str]:
    worst = max((cell["difference"] for cell in results["cells"] if cell["difference"] is not None), default=0.0)
    return [
        f"Printed by `{results['command']}` on {results['cpus']} cores.",
        "*time*: the peer's over ours; above 1, ours is faster.",
        "*memory*: ours over the peer's; below 1, ours needs less.",
        f"Values differ by at most {worst:.0e}, relatively. Who took > {results['limit']:g} s was tried no further.",
    ]
