"""Time and memory that a solver may use."""

import math

import pytest

from wgan_lip import memory
from wgan_lip.memory import available_memory, require_memory
from wgan_lip.transport import result
from wgan_lip.transport.result import Budget, BudgetSpentError


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands at the number that it holds."""
    now = [100.0]
    monkeypatch.setattr(result.time, "perf_counter", lambda: now[0])
    return now


def test_time_is_counted_from_the_start(clock):
    limited, free = Budget(seconds=3.0, start=100.0), Budget(start=100.0)
    for elapsed in (0.0, 2.0, 3.0):
        clock[0] = 100 + elapsed
        assert limited.elapsed() == elapsed
        limited.check()
    clock[0] = 103.5
    with pytest.raises(BudgetSpentError):
        limited.check()
    free.check()


def test_needed_memory_must_be_available(monkeypatch):
    monkeypatch.setattr(result, "available_memory", lambda: 50.0)
    for budget, most in ((Budget(memory=10.0), 10.0), (Budget(), 50.0)):
        budget.check(most)
        with pytest.raises(BudgetSpentError):
            budget.check(most + 1)
    # Nothing is wanted, and that is always there.
    Budget(memory=0.0).check()


def test_memory_is_the_least_of_the_machines_and_the_control_groups(monkeypatch, tmp_path):
    meminfo, groups = tmp_path / "meminfo", [(tmp_path / f"max{i}", tmp_path / f"current{i}") for i in range(2)]
    monkeypatch.setattr(memory, "_MEMINFO", str(meminfo))
    monkeypatch.setattr(memory, "_CGROUPS", tuple((str(limit), str(usage)) for limit, usage in groups))
    assert available_memory() == math.inf
    meminfo.write_text("MemTotal:       9000 kB\nMemFree:  1 kB\n")
    assert available_memory() == math.inf
    meminfo.write_text("MemTotal:       9000 kB\nMemAvailable:   3000 kB\nOther: a: b\n")
    assert available_memory() == 3000 * 1024
    for i, (limit, usage) in enumerate(groups):
        limit.write_text("max\n")
        assert available_memory() == (3000 - 500 * i) * 1024
        usage.write_text(f"{1000 * 1024}\n")
        assert available_memory() == (3000 - 500 * i) * 1024
        limit.write_text(f"{(3500 - 500 * i) * 1024}\n")
        assert available_memory() == (2500 - 500 * i) * 1024
    meminfo.write_text("MemAvailable:   1 kB\n")
    assert available_memory() == 1024


def test_the_error_of_too_little_memory_names_sizes_and_remedy(monkeypatch):
    require_memory(2.0**30, 2.0**30, "this", "do that")
    with pytest.raises(
        ValueError, match=r"^this needs about 3\.0 GiB, more than the 1\.0 GiB allowed by memory_budget: do"
    ):
        require_memory(3 * 2.0**30, 2.0**30, "this", "do that")
    monkeypatch.setattr(memory, "available_memory", lambda: 2.0**30)
    require_memory(2.0**30, None, "this", "do that")
    with pytest.raises(ValueError, match=r"^this needs about 3\.0 GiB, more than the 1\.0 GiB available: do that$"):
        require_memory(3 * 2.0**30, None, "this", "do that")
