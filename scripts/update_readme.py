"""Copy the newest finished runs' figures into docs/, and their tables into the pages that show them.

make demo && .venv/bin/python scripts/update_readme.py [--runs_dir runs] [--names digits fashion_mnist]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.processes import ROOT
from scripts.shared.results import write_table
from wgan_lip.metrics import GAN
from wgan_lip.replaced import replacing
from wgan_lip.report import Row, ratio_to_floor, read_history, shown_rows
from wgan_lip.report.tables import with_error

# Runs by the names of their configs: where their figures go, and the page that shows their table.
DOCS = {"digits": "demo", "fashion_mnist": "fashion_mnist"}
PAGES = {"digits": ROOT / "README.md", "fashion_mnist": ROOT / "docs" / "numbers.md"}


def markdown_table(rows: list[Row]) -> str:
    """The table that the run printed, in Markdown, with more columns."""
    rows = shown_rows(rows)
    errors = {"exact W1": "w1/exact", "averaged generator": "w1_averaged/exact", "noise floor": "w1/noise_floor"}
    columns: dict[str, list[str]] = {"generator step": [f"{row.step}" for row in rows]}
    columns |= {heading: [with_error(row, GAN[name], 3) for row in rows] for heading, name in errors.items()}
    ratios = {
        "exact / floor": [ratio_to_floor(row) for row in rows],
        "in critic's features": [ratio_to_floor(row, "w1_critic_features") for row in rows],
        "diversity": [ratio_to_floor(row, of="generated_floor") for row in rows],
    }
    columns |= {heading: ["" if one is None else str(one) for one in found] for heading, found in ratios.items()}
    columns["critic ≥"] = [f"{row['w1/critic']:.4f}" for row in rows]
    columns["L ≤"] = [f"{row['lipschitz/certified']:.7f}" for row in rows]
    # Older runs, and those without an average, lack some.
    columns = {heading: cells for heading, cells in columns.items() if all(cells)}
    lines = [f"| {' | '.join(columns)} |", f"|{'--:|' * len(columns)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def update(name: str, runs_dir: Path) -> None:
    """Copy from the newest finished run of a name."""
    run = max(path.parent for path in runs_dir.glob(f"{name}/*/w1.png"))
    docs = ROOT / "docs" / DOCS[name]
    docs.mkdir(parents=True, exist_ok=True)
    _copy(run / "w1.png", docs / "w1.png")
    _copy(run / "metrics.csv", docs / "metrics.csv")
    pictures = list((run / "samples").glob("averaged-*.png")) or list((run / "samples").glob("[0-9]*.png"))
    _copy(max(pictures), docs / "samples.png")
    write_table(
        PAGES[name], f"{DOCS[name]} table", markdown_table(read_history(docs / "metrics.csv").having("w1/exact"))
    )
    print(f"{PAGES[name]} and {docs} now show {run}")


def _copy(source: Path, path: Path) -> None:
    with replacing(path) as file:
        file.write(source.read_bytes())


def main() -> None:
    """Find the runs, and copy from them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs_dir", type=Path, default=ROOT / "runs")
    parser.add_argument("--names", nargs="+", default=["digits"], choices=list(DOCS))
    args = parser.parse_args()
    for name in args.names:
        update(name, args.runs_dir)


if __name__ == "__main__":
    main()
