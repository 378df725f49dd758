"""Available memory, and a check of what a computation needs before anything is allocated."""

from pathlib import Path

_MEMINFO = "/proc/meminfo"
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_memory() -> float:
    """Return the bytes that this process can still allocate on the machine and in its control group.

    Returns:
        Infinity if the system does not report it.
    """
    available = float("inf")
    meminfo = Path(_MEMINFO)
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").splitlines())
        if "MemAvailable" in fields:
            available = 1024.0 * int(fields["MemAvailable"].split()[0])
    for limit, usage in _CGROUPS:
        if Path(limit).exists() and Path(usage).exists() and Path(limit).read_text(encoding="utf-8").strip() != "max":
            available = min(
                available, int(Path(limit).read_text(encoding="utf-8")) - int(Path(usage).read_text(encoding="utf-8"))
            )
    return available


def require_memory(needed: float, budget: float | None, what: str, instead: str) -> None:
    """Check that a computation fits in memory.

    Args:
        needed: bytes.
        budget: bytes allowed; those available if None.
        what: the computation, for the error.
        instead: the remedy, for the error.

    Raises:
        ValueError: more is needed than allowed or available.
    """
    allowed = available_memory() if budget is None else budget
    if needed > allowed:
        limit = "available" if budget is None else "allowed by memory_budget"
        raise ValueError(
            f"{what} needs about {needed / 2**30:.1f} GiB, more than the {allowed / 2**30:.1f} GiB {limit}: {instead}"
        )
