"""Steps are timed, and what lies between them is not."""

import pytest

from wgan_lip.training import stepped
from wgan_lip.training.stepped import Stopwatch


def test_the_mean_of_the_steps_since_it_was_last_asked(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 14.0, 20.0, 21.0])
    monkeypatch.setattr(stepped.time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    # Nothing began.
    watch.end()
    assert watch.mean() is None
    for _ in range(2):
        watch.begin()
        watch.end()
    assert watch.mean() == pytest.approx(3.0)
    assert watch.mean() is None
    watch.begin()
    watch.end()
    assert watch.mean() == pytest.approx(1.0)
