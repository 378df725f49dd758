"""The cases of the scaling benchmark, and its page, docs/scaling.md."""

from dataclasses import dataclass
from typing import Any

_GAN = "configs/gan"


@dataclass(frozen=True)
class Case:
    """Configs to train with, their batch, and the number of cycles that are timed."""

    name: str
    configs: tuple[str, ...]
    batch: int
    cycles: int


MEASURED = (
    Case("digits, MLP", (f"{_GAN}/digits.yaml",), 64, 60),
    Case("Fashion-MNIST, MLP", (f"{_GAN}/fashion_mnist.yaml",), 128, 15),
    Case("Fashion-MNIST, convolutional", (f"{_GAN}/fashion_mnist.yaml", f"{_GAN}/family/convolutional.yaml"), 128, 8),
)
# Processes, threads of each, and batches of the config in one step.
SETUPS = {"one core": (1, 1, 1), "two processes": (2, 1, 2), "two threads": (1, 2, 2)}

INTRO = "# Scaling\n\nPrinted by `python scripts/bench_scaling.py`.\n"


def measured_table(results: list[dict[str, Any]]) -> str:
    """Return the table of times, in Markdown."""
    lines = [
        "| config | batch of one | one core, ms | two processes, ms | efficiency | the same of CPU time "
        "| gradients | messages alone | control | update | noise | the rest | two threads, ms | elsewhere |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    batches = {case.name: case.batch for case in MEASURED}
    by = {(result["case"], result["setup"]): result for result in results}
    for name in dict.fromkeys(result["case"] for result in results):
        one, two, threads = (by[name, setup] for setup in SETUPS)
        parts = {part: two[part] for part in ("exchange", "messages_alone", "control", "update", "noise")}
        parts["rest"] = two["cycle"] - sum(two[part] for part in ("exchange", "control", "update", "noise"))
        shares = [f"{part / two['cycle']:.0%}" for part in parts.values()]
        cells = [f"{1000 * one['cycle']:.1f}", f"{1000 * two['cycle']:.1f}", f"{one['cycle'] / two['cycle']:.2f}"]
        cells.append(f"{one['cpu'] / two['cpu']:.2f}")
        elsewhere = " / ".join(f"{setup['elsewhere']:.0%}" for setup in (one, two, threads))
        cells += [*shares, f"{1000 * threads['cycle']:.1f}", elsewhere]
        lines.append(f"| {name} | {batches[name]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def lost_table(results: list[dict[str, Any]]) -> str:
    """Return the table of the time that two processes take longer than one, part by part, in Markdown."""
    lines = [
        "| config | longer by, ms | gradients | control | noise | update | the rest |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    by = {(result["case"], result["setup"]): result for result in results}
    for name in dict.fromkeys(result["case"] for result in results):
        one, two = by[name, "one core"], by[name, "two processes"]
        longer = {part: two[part] - one[part] for part in ("exchange", "control", "noise", "update")}
        total = two["cycle"] - one["cycle"]
        cells = [f"{1000 * ms:.1f}" for ms in (total, *longer.values(), total - sum(longer.values()))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def markdown(results: dict[str, Any]) -> str:
    """Return the page: both tables and their explanation."""
    return f"""{INTRO}
## One core, two processes

Weak scaling: every process has the config's batch, so two processes train on twice the batch. A cell is the median of
{results["rounds"]} run{"s" if results["rounds"] > 1 else ""}, of a cycle each: `n_critic` critic steps and a
generator step. Efficiency is the first time over the second. The shares are of the two processes' time: gradients
summed over gloo (waiting for each other included; "messages alone" is without it), the messages by which they agree to
go on, optimisers and retractions (the same on each, for any number of processes), noise (drawn for the whole batch on
each), and the rest: forward and backward passes, data, Lightning's loop. "Elsewhere" is the part of the machine's busy
time that other processes used during the runs of each setup: if it is large, times are too long and ratios rough, and
the efficiency of CPU time (the time that the first process computes in a cycle, without waiting) is more reliable. The
second of two processes, which Lightning starts, counts as elsewhere: half.

{measured_table(results["measured"])}
The next table shows, part by part, by how much a cycle takes longer on two processes than on one. Update and the rest
are the same work on each process, so their difference is due to other use of the cores and the memory; gradients and
control are messages and waiting for the slower process; noise is drawn for twice the batch.

{lost_table(results["measured"])}"""
