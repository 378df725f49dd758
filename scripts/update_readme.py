"""Copy the newest demo's figures into docs/ and its table into the README.

make demo && .venv/bin/python scripts/update_readme.py
"""

import re
import shutil
from pathlib import Path

from wgan_lip.report import Row, read_history, shown_rows

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- demo table -->\n", "<!-- end of demo table -->"


def markdown_table(rows: list[Row]) -> str:
    """The table that the run printed, in Markdown."""
    lines = [
        "| generator step | exact W1 | noise floor | exact / floor | critic ≥ | L ≤ |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.generator_step} | {row.exact:.4f} | {row.noise_floor:.4f} | {row.exact / row.noise_floor:.3f} "
        f"| {row.critic:.4f} | {row.certified:.7f} |"
        for row in shown_rows(rows)
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Find the newest finished run of the demo and copy from it."""
    run = max(path.parent for path in ROOT.glob("runs/digits/*/w1.png"))
    docs = ROOT / "docs" / "demo"
    docs.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / "w1.png", docs / "w1.png")
    shutil.copy(run / "metrics.csv", docs / "metrics.csv")
    shutil.copy(max((run / "samples").glob("[0-9]*.png")), docs / "samples.png")
    readme = ROOT / "README.md"
    table = BEGIN + markdown_table(read_history(docs / "metrics.csv")) + END
    readme.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, readme.read_text(), flags=re.DOTALL))
    print(f"README.md and docs/demo now show {run}")


if __name__ == "__main__":
    main()
