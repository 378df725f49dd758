"""docs/scaling.md."""

from dataclasses import fields
from typing import Any

from scripts.scaling_bench.cases import MEASURED, SETUPS
from scripts.scaling_bench.cluster import GPUS, Cluster

# A busy machine measures Python too slow, which hides messages behind it: the table tells what a faster one would give.
FASTER = 4
INTRO = "# Scaling\n\nPrinted by `python scripts/bench_scaling.py`.\n"


def measured_table(results: list[dict[str, Any]]) -> str:
    """What was measured, in Markdown."""
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
    """Where the time goes that two processes take longer than one, in Markdown."""
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


def computed_table(counted: list[dict[str, Any]], host: float, cluster: Cluster) -> str:
    """What clusters would give, in Markdown."""
    lines = [
        "| config | batch of each | operations of a cycle | gradients of a cycle | one GPU, ms | "
        + " | ".join(f"{gpus} GPUs" for gpus in GPUS)
        + f" | {GPUS[-1]}, host {FASTER} times as fast | what a step is | what takes time at {GPUS[-1]} |",
        "|---|--:|--:|--:|--:|" + "--:|" * (len(GPUS) + 1) + "---|---|",
    ]
    for one in counted:
        alone = cluster.cycle(one, host, 1)
        efficiencies = [f"{alone / cluster.cycle(one, host, gpus):.2f}" for gpus in GPUS]
        fast = host / FASTER
        efficiencies.append(f"{cluster.cycle(one, fast, 1) / cluster.cycle(one, fast, GPUS[-1]):.2f}")
        by = "launching" if host * one["n_critic"] > one["flops"] / cluster.flops else "computing"
        parts = cluster.parts(one, host, GPUS[-1])
        lost = ", ".join(f"{name} {part / sum(parts.values()):.0%}" for name, part in parts.items())
        lines.append(
            f"| {one['case']} | {one['batch']} | {one['flops'] / 1e9:.3g}e9 | {one['bytes'] / 1e6:.3g} MB in "
            f"{one['messages']:.0f} | {1000 * alone:.2f} | {' | '.join(efficiencies)} | {by} | {lost} |"
        )
    return "\n".join(lines) + "\n"


def assumptions(host: float, cluster: Cluster) -> str:
    """What the computed table rests on, in Markdown."""
    given = ", ".join(f"`{field.name}` {getattr(cluster, field.name):g}" for field in fields(cluster))
    return (
        f"Assumed (`Cluster` in the script says why): {given}; measured: {1e6 * host:.0f} µs of Python a critic step.\n"
    )


def markdown(results: dict[str, Any]) -> str:
    """Both tables and what they mean."""
    cluster = Cluster(**results["cluster"])
    return f"""{INTRO}
## Measured: one core, two processes

Weak scaling: every process has the config's batch, so two processes train on twice the batch. A cell is the median of
{results["rounds"]} run{"s" if results["rounds"] > 1 else ""}, of a cycle each: `n_critic` critic steps and a
generator step. Efficiency is the first time over the second. The shares are of the two processes' time: gradients
summed over gloo (waiting for each other included; "messages alone" is without it), the messages by which they agree to
go on, optimisers and retractions (the same on each, however many there are), noise (drawn for the whole batch on
each), and the rest: forward and backward passes, data, Lightning's loop. "Elsewhere" is the part of the machine's
busy time that other processes had during the three runs: where it is large, times are too long and ratios rough, and
the efficiency of CPU time (what the first process computes in a cycle, waiting left out) says more. Of two processes
the second, which Lightning starts, counts as elsewhere: half.

{measured_table(results["measured"])}
What limits it: where the time goes that a cycle takes longer on two processes than on one. Update and the rest are the
same work on each process, so what they take longer is taken by whatever else wants the cores and the memory; gradients
and control are messages and waiting for the slower process; noise is drawn for twice the batch.

{lost_table(results["measured"])}
## Computed: clusters of GPUs

Weak scaling again, the efficiency against one GPU. **Nothing here was measured on a GPU**: operations were counted,
bytes are those of the messages, everything else is assumed. "Control" are the messages of a number before and after
each critic step, by which processes agree that none was told to stop. The global batch grows with the GPUs: whether
so large a batch trains well is another matter, and it cannot be larger than the data.

{computed_table(results["counted"], results["host"], cluster)}
{assumptions(results["host"], cluster)}"""
