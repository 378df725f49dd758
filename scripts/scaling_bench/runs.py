"""A timed run of ``wgan-lip fit``, once other processes are idle."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.scaling_bench.page import Case
from scripts.shared.processes import ROOT, environment

_WARM_UP = 5


def fit(case: Case, ranks: int, threads: int, batches: int, quiet: float = 60) -> dict[str, Any]:
    """Train a case for some cycles and return what ``StepClock`` wrote; first wait, at most ``quiet`` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.json"
        options = {
            "--trainer.accelerator": "cpu",
            "--trainer.precision": "32-true",
            "--trainer.devices": ranks,
            "--trainer.callbacks": json.dumps(
                [
                    {
                        "class_path": "scripts.scaling_bench.step_clock.StepClock",
                        "init_args": {"path": str(path), "warm_up": _WARM_UP},
                    }
                ]
            ),
            "--model.init_args.generator_steps": case.cycles + _WARM_UP,
            "--data.init_args.batch_size": case.batch * batches,
            "--exact_w1.n": 20,
            "--runs_dir": folder,
            "--wandb.mode": "disabled",
        }
        rare = [f"--{name}.every=1000000" for name in ("exact_w1", "sample_grid", "checkpoint")]
        command = [sys.executable, "-m", "wgan_lip", "fit"]
        command += [word for config in case.configs for word in ("-c", config)]
        command += [f"{name}={value}" for name, value in options.items()]
        wait_until_quiet(quiet)
        before = _busy()
        done = subprocess.run(  # noqa: S603
            [*command, *rare],
            cwd=ROOT,
            env=environment(threads),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
        ours, all_ = (after - start for after, start in zip(_busy(), before, strict=True))
        return {
            **json.loads(path.read_text(encoding="utf-8")),
            "elsewhere": max(0.0, 1 - ours / all_) if all_ > 0 else 0.0,
        }


def wait_until_quiet(limit: float, busy: float = 0.15, watched: float = 2) -> None:
    """Wait, at most ``limit`` seconds, until other processes use less than the part ``busy`` of the cores."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = _busy()[1]
        time.sleep(watched)
        if _busy()[1] - before < busy * watched * (os.cpu_count() or 1):
            return


def _busy() -> tuple[float, float]:
    """Return the CPU seconds of this script's processes and of all processes of the machine (Linux; else zero)."""
    times, stat = os.times(), Path("/proc/stat")
    all_ = 0.0
    if stat.exists():
        user, nice, system, _, _, irq, soft_irq, *_ = map(
            int, stat.read_text(encoding="utf-8").split("\n")[0].split()[1:]
        )
        all_ = (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
    return times.children_user + times.children_system, all_
