"""A callback that times the parts of a GAN's training step, for scripts/bench_scaling.py."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from wgan_lip.replaced import replace_text
from wgan_lip.training import SteppedModule, WassersteinGAN
from wgan_lip.training import wgan as wgan_module
from wgan_lip.training.ranks import Ranks


class StepClock(Callback):
    """Writes the median time of a cycle and of its parts: ``n_critic`` critic steps and a generator step.

    Parts: ``exchange`` (gradients summed over the ranks, waiting for the slower one included), ``control`` (messages
    by which ranks agree to go on), ``update`` (optimisers and retractions, the same on every rank), ``noise`` (drawn
    for the whole batch on every rank), and the rest: forward and backward passes, data and Lightning's loop. ``cpu`` is
    the CPU time of rank 0's process in a cycle. ``messages_alone`` is the time of the cycle's gradient messages when no
    rank has to wait for another.

    Args:
        path: of the JSON file, which rank 0 writes.
        warm_up: cycles that are not timed.
    """

    def __init__(self, path: str, warm_up: int = 5) -> None:
        self.path = Path(path)
        self.warm_up = warm_up
        self._totals: defaultdict[str, float] = defaultdict(float)
        self._cycles: list[dict[str, float]] = []
        self._sizes: Counter[tuple[int, torch.dtype]] = Counter()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        Ranks._sum_ = self._timed("exchange", self._weighed(Ranks._sum_))  # type: ignore[method-assign]
        SteppedModule.take_step = self._timed("step", SteppedModule.take_step)  # type: ignore[method-assign]
        WassersteinGAN.noise = self._timed("noise", WassersteinGAN.noise)  # type: ignore[method-assign]
        wgan_module.project_ = self._timed("project", wgan_module.project_)
        torch.distributed.broadcast = self._timed("control", torch.distributed.broadcast)
        Ranks.any = self._timed("control", Ranks.any)  # type: ignore[method-assign]

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        if pl_module.critic_step % pl_module.n_critic:
            return
        self._cycles.append({**self._totals, "time": time.perf_counter(), "cpu": time.process_time()})

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        alone = self._messages_alone() if trainer.world_size > 1 else 0.0
        if not trainer.is_global_zero:
            return
        kept = self._cycles[self.warm_up :]
        pairs = list(pairwise(kept))

        def spent(*names: str) -> float:
            return median(sum(b.get(n, 0.0) - a.get(n, 0.0) for n in names) for a, b in pairs) if pairs else 0.0

        exchange = spent("exchange")
        result = {
            "cycle": spent("time"),
            "cpu": spent("cpu"),
            "exchange": exchange,
            "messages_alone": alone / max(1, len(self._cycles)),
            "control": spent("control"),
            "update": spent("step", "project") - exchange,
            "noise": spent("noise"),
            "bytes": spent("bytes"),
            "messages": spent("messages"),
            "n_critic": pl_module.n_critic,
        }
        replace_text(self.path, json.dumps(result))

    def _messages_alone(self) -> float:
        """Send all gradient messages again, by ranks that are all ready, and return the seconds."""
        total = 0.0
        for (size, dtype), count in sorted(self._sizes.items(), key=lambda item: item[0][0]):
            message, times = torch.zeros(size, dtype=dtype), []
            for _ in range(30):
                torch.distributed.barrier()
                start = time.perf_counter()
                torch.distributed.all_reduce(message)
                times.append(time.perf_counter() - start)
            total += count * median(times)
        return total

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self._totals[name] += time.perf_counter() - start

        return timed

    def _weighed(self, function: Callable[[Ranks, list[Tensor]], None]) -> Callable[[Ranks, list[Tensor]], None]:
        def weighed(ranks: Ranks, tensors: list[Tensor]) -> None:
            if tensors:
                self._totals["bytes"] += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
                self._totals["messages"] += 1
                self._sizes[sum(tensor.numel() for tensor in tensors), tensors[0].dtype] += 1
            function(ranks, tensors)

        return weighed
