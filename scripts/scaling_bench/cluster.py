"""Clusters of GPUs, as far as they can be computed."""

import math
from dataclasses import dataclass
from typing import Any

GPUS = (8, 64, 512)


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
