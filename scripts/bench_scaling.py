"""Weak scaling of GANs: measured on one and two cores, and computed for clusters of GPUs.

    python scripts/bench_scaling.py [--rounds 3] [--json docs/scaling.json] [--markdown docs/scaling.md]

Measured: each config trains with ``wgan-lip fit`` on one process with the config's batch, on two processes (gloo, one
thread each) with twice the batch, and on one process of two threads with twice the batch, in turn, for several rounds;
a cell is the median over the rounds of the median cycle (``n_critic`` critic steps and a generator step). On a machine
that others use too, a run waits until they are quiet, and what they took of the machine meanwhile is told.

Computed: what 8, 64 and 512 GPUs would give, from the operations of a cycle (counted by PyTorch), the bytes of its
messages, and the assumptions of ``Cluster``. Nothing of that was measured on a GPU.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
GAN = "configs/gan"
GPUS = (8, 64, 512)
# A busy machine measures Python too slow, which hides messages behind it: the table tells what a faster one would give.
FASTER = 4
INTRO = "# Scaling\n\nPrinted by `python scripts/bench_scaling.py`.\n"


@dataclass(frozen=True)
class Case:
    """A config, its batch, and how many cycles are timed."""

    name: str
    configs: tuple[str, ...]
    batch: int
    cycles: int


MEASURED = (
    Case("digits, MLP", (f"{GAN}/digits.yaml",), 64, 60),
    Case("Fashion-MNIST, MLP", (f"{GAN}/fashion_mnist.yaml",), 128, 15),
    Case("Fashion-MNIST, convolutional", (f"{GAN}/fashion_mnist.yaml", f"{GAN}/family/convolutional.yaml"), 128, 8),
)
COUNTED = (*MEASURED, Case("Fashion-MNIST, fashion_mnist_gpu.yaml", (f"{GAN}/fashion_mnist_gpu.yaml",), 256, 2))
# How a case is run: processes, threads of each, and batches of the config in one step.
SETUPS = {"one core": (1, 1, 1), "two processes": (2, 1, 2), "two threads": (1, 2, 2)}


@dataclass(frozen=True)
class Cluster:
    """What is assumed of GPUs and of the network between them.

    Attributes:
        flops: sustained float32 operations a second: 40 % of the 67e12 of an H100 SXM's data sheet.
        gpus_per_node: as in a DGX H100.
        node_bandwidth: bytes a second of each GPU in an all-reduce within a node: of NVLink's 450e9 in each direction.
        network_bandwidth: bytes a second of each GPU between nodes: 80 % of a 400 Gbit/s adapter for each.
        node_latency: seconds for a hop within a node.
        network_latency: seconds for a hop between nodes.
        normals: draws of N(0, 1) a second on a GPU.
        sync: seconds that reading a flag from the GPU takes.
    """

    flops: float = 0.4 * 67e12
    gpus_per_node: int = 8
    node_bandwidth: float = 200e9
    network_bandwidth: float = 40e9
    node_latency: float = 3e-6
    network_latency: float = 6e-6
    normals: float = 2e10
    sync: float = 2e-5

    def all_reduce(self, size: float, gpus: int) -> float:
        """Seconds of one all-reduce: a tree's latency, there and back, and each byte about twice over the slowest link.

        Args:
            size: bytes.
            gpus: how many take part.
        """
        if gpus == 1:
            return 0.0
        inside, nodes = min(gpus, self.gpus_per_node), math.ceil(gpus / self.gpus_per_node)
        latency = 2 * (math.log2(inside) * self.node_latency + math.log2(nodes) * self.network_latency)
        bandwidth = self.node_bandwidth if nodes == 1 else self.network_bandwidth
        return latency + 2 * (gpus - 1) / gpus * size / bandwidth

    def cycle(self, counted: dict[str, Any], host: float, gpus: int) -> float:
        """Seconds of a cycle on so many GPUs, with the config's batch on each."""
        return sum(self.parts(counted, host, gpus).values())

    def parts(self, counted: dict[str, Any], host: float, gpus: int) -> dict[str, float]:
        """Seconds of a cycle's parts on so many GPUs, with the config's batch on each.

        The GPU computes while the host launches, so the slower of the two counts; nothing overlaps with messages.

        Args:
            counted: a case's operations, bytes and messages.
            host: seconds that Python and Lightning take for a critic step, however small the networks.
            gpus: how many.
        """
        steps = counted["n_critic"] + 1
        compute = max(counted["flops"] / self.flops, host * counted["n_critic"])
        noise = steps * gpus * counted["batch"] * counted["noise_dim"] / self.normals
        if gpus == 1:
            return {"compute": compute, "noise": noise, "gradients": 0.0, "control": 0.0}
        gradients = counted["messages"] * self.all_reduce(counted["bytes"] / counted["messages"], gpus)
        # Before each batch Lightning asks whether to stop, after it Preemption does.
        control = 2 * counted["n_critic"] * (self.all_reduce(4, gpus) + self.sync)
        return {"compute": compute, "noise": noise, "gradients": gradients, "control": control}


def fit(
    case: Case,
    ranks: int,
    threads: int,
    batches: int,
    *more: str,
    count_flops: bool = False,
    quiet: float = 60,
) -> dict[str, Any]:
    """Train a case for some cycles, and return what ``StepClock`` wrote; first wait for quiet, at most so long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.json"
        warm_up = 1 if count_flops else 5
        options = {
            "--trainer.accelerator": "cpu",
            "--trainer.precision": "32-true",
            "--trainer.devices": ranks,
            "--trainer.callbacks": json.dumps(
                [
                    {
                        "class_path": "scripts.step_clock.StepClock",
                        "init_args": {"path": str(path), "warm_up": warm_up, "count_flops": count_flops},
                    }
                ]
            ),
            "--model.init_args.generator_steps": case.cycles + warm_up,
            "--data.init_args.batch_size": case.batch * batches,
            "--exact_w1.n": 20,
            "--runs_dir": folder,
            "--wandb.mode": "disabled",
        }
        rare = [f"--{name}.every=1000000" for name in ("exact_w1", "sample_grid", "checkpoint")]
        command = [sys.executable, "-m", "wgan_lip", "fit"]
        command += [word for config in case.configs for word in ("-c", config)]
        command += [f"{name}={value}" for name, value in options.items()]
        wait_until_quiet(0 if count_flops else quiet)
        before = _busy()
        done = subprocess.run(  # noqa: S603
            [*command, *rare, *more],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": str(threads),
                "GLOO_SOCKET_IFNAME": "lo",
            },
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
        ours, all_ = (after - start for after, start in zip(_busy(), before, strict=True))
        return {**json.loads(path.read_text()), "elsewhere": max(0.0, 1 - ours / all_) if all_ > 0 else 0.0}


def wait_until_quiet(limit: float, busy: float = 0.15, watched: float = 2) -> None:
    """Wait, at most ``limit`` seconds, until other processes take less than a part of the machine's cores."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = _busy()[1]
        time.sleep(watched)
        if _busy()[1] - before < busy * watched * (os.cpu_count() or 1):
            return


def _busy() -> tuple[float, float]:
    """Seconds that this script's processes have computed, and all processes of the machine (Linux; else zero)."""
    times, stat = os.times(), Path("/proc/stat")
    all_ = 0.0
    if stat.exists():
        user, nice, system, _, _, irq, soft_irq, *_ = map(int, stat.read_text().split("\n")[0].split()[1:])
        all_ = (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
    return times.children_user + times.children_system, all_


def measure(rounds: int, cases: tuple[Case, ...] = MEASURED) -> list[dict[str, Any]]:
    """Each case on each setup, in turn, the medians over the rounds."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for round_ in range(rounds):
        for case in cases:
            for setup, how in SETUPS.items():
                found.setdefault((case.name, setup), []).append(fit(case, *how))
                print(f"round {round_ + 1}: {case.name}, {setup}", file=sys.stderr, flush=True)
    return [
        {"case": case, "setup": setup, **{name: median(run[name] or 0 for run in runs) for name in runs[0]}}
        for (case, setup), runs in found.items()
    ]


def count(cases: tuple[Case, ...] = COUNTED) -> list[dict[str, Any]]:
    """Operations of a cycle, and bytes and messages of its gradients."""
    counted = []
    for case in cases:
        flops = fit(Case(case.name, case.configs, case.batch, 2), 1, 2, 1, count_flops=True)
        counted.append({**flops, "case": case.name, "batch": case.batch})
    return counted


def host_seconds() -> float:
    """What Python and Lightning take for a critic step and its share of a generator's, however small the networks."""
    tiny = Case("tiny", (f"{GAN}/digits.yaml",), 2, 150)
    widths = [f"--model.init_args.{name}.init_args.width=4" for name in ("critic", "generator")]
    result = fit(tiny, 1, 1, 1, *widths)
    return result["cycle"] / result["n_critic"]


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


def main() -> None:
    """Measure, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each setup is run so often")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--markdown", type=Path, help="where the tables go")
    args = parser.parse_args()
    results = {
        "rounds": args.rounds,
        "measured": measure(args.rounds),
        "counted": count(),
        "host": host_seconds(),
        "cluster": asdict(Cluster()),
    }
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    text = markdown(results)
    if args.markdown:
        args.markdown.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
