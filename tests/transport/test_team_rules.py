"""The rules of a team, by threads: who does what, which rows, how often, and that errors leave no answer unheard."""

from functools import partial

import numpy as np
import pytest

from tests.transport.teamed import LEVELS, price
from tests.transport.threads import Group, raised
from wgan_lip.transport import ServerError, Team, both_sides, team
from wgan_lip.transport.both_sides import BothSides
from wgan_lip.transport.messages import Messages
from wgan_lip.transport.pricing import Pricer, Transform
from wgan_lip.transport.problem import Problem
from wgan_lip.transport.progress import Budget, BudgetSpentError

X, Y = np.random.default_rng(0).normal(size=(2, 1600, 3))
Y = Y[:700]


def lead(work):
    """A process that leads a team of its own making, and does some work within."""

    def process():
        own = Team(smallest_pass=0)
        with own.leading():
            return work(own)

    return process


def serve(times=1):
    def process():
        own = Team(smallest_pass=0)
        for _ in range(times):
            own.serve()

    return process


def pricer_of(own, budget=None, swapped=False, cap=np.inf, level="difference64"):
    points, others = (Y, X) if swapped else (X, Y)
    return own.pricer(swapped, points, others, "l2", level, X[0], cap, budget or Budget())


@pytest.fixture
def made(monkeypatch):
    """The lengths of the points of every pricer that is made from here on."""
    lengths = []

    class Counted(Pricer):
        def __init__(self, points, *rest, **options):
            lengths.append(len(points))
            super().__init__(points, *rest, **options)

    for module in (team, both_sides):
        monkeypatch.setattr(module, "Pricer", Counted)
    return lengths


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", LEVELS)
def test_a_pass_of_any_number_of_processes_is_that_of_one(name, swapped, size, monkeypatch):
    group = Group(monkeypatch, size)
    together = group.run(lead(lambda own: price(name, swapped, own)), *[serve()] * (size - 1))[0]
    for field, value in vars(price(name, swapped)).items():
        assert value.dtype == getattr(together, field).dtype
        assert np.array_equal(value, getattr(together, field)), field


def test_rows_are_shared_in_whole_blocks(monkeypatch, made):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        return pricer_of(own).transform(np.zeros(700), 2)

    found = Group(monkeypatch, 3).run(lead(work), serve(), serve())
    # Of four blocks of 512 rows, the last one of 64, the third process has two.
    assert sorted(made) == [512, 512, 576]
    assert len(found[0].potential) == 1600


@pytest.mark.parametrize("name", LEVELS)
def test_a_process_without_rows_answers_all_the_same(name, monkeypatch, made):
    name, level, d = LEVELS[name]
    x, y = np.random.default_rng(0).normal(size=(2, 700, d))

    def work(own):
        own.begin(x[:4], y, name, x[0])
        pricer = own.pricer(False, x[:4], y, name, level, x[0], np.inf, Budget())
        return pricer.transform(np.zeros(700), 1), pricer.transform(np.zeros(700), 999)

    found = Group(monkeypatch, 3).run(lead(work), serve(), serve())
    assert sorted(made) == [0, 0, 4]
    for together, k in zip(found[0], (1, 999), strict=True):
        alone = Pricer(x[:4], y, name, level, x[0]).transform(np.zeros(700), k)
        for field, value in vars(alone).items():
            assert value.dtype == getattr(together, field).dtype
            assert np.array_equal(value, getattr(together, field)), field


def test_pricers_are_kept_for_both_sides_of_one_level_and_cap(monkeypatch, made):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        sides = [pricer_of(own, swapped=swapped) for swapped in (False, True)]
        for _ in range(3):
            sides[0].transform(np.zeros(700), 1)
            sides[1].transform(np.zeros(1600), 1)
        # The servers' ones of another level, or cap, replace those.
        counts = [len(made)]
        for options in ({"level": "difference32"}, {"cap": 1.0}, {}):
            pricer_of(own, **options).transform(np.zeros(700), 1)
            counts.append(len(made))
        own.begin(X, Y, "l2", X[0])
        pricer_of(own).transform(np.zeros(700), 1)
        return [*counts, len(made)]

    assert Group(monkeypatch, 2).run(lead(work), serve())[0] == [4, 6, 8, 10, 12]


@pytest.mark.parametrize(("smallest", "worth"), [(1600 * 700 * 35, True), (1600 * 700 * 35 + 1, False)])
def test_short_passes_are_the_leaders_alone(smallest, worth, monkeypatch):
    for size in (1, 2):
        found = Group(monkeypatch, size).run(*[lambda: Team(smallest_pass=smallest).is_worth(X, Y)] * size)
        assert found == [worth and size > 1] * size


def test_what_a_process_is_told_to_do_is_for_its_rank(monkeypatch):
    def twice():
        own = Team()
        with own.leading(), own.leading():
            pass

    def wrong():
        with Team().leading():
            pass

    found = Group(monkeypatch, 2).run(twice, lambda: (Team().serve(), wrong()))
    assert raised(found) == [
        "ValueError: rank 0 of a team leads it, once at a time; this one leads already",
        "ValueError: rank 0 of a team leads it, once at a time; this is rank 1: call serve()",
    ]
    found = Group(monkeypatch, 2).run(lambda: Team().serve(), lambda: None)
    assert raised(found) == ["ValueError: rank 0 of a team leads it; this is rank 0: use leading()"]
    found = Group(monkeypatch, 2).run(lambda: Team().begin(X, Y, "l2", X[0]), lambda: None)
    assert raised(found) == ["ValueError: team must be led while it is used; it is not: solve within team.leading()"]


def test_a_team_is_led_again_after_it_was_released(monkeypatch):
    def again():
        own = Team()
        for _ in range(2):
            with own.leading():
                pass
        return own.begin(X, Y, "l2", X[0])

    found = Group(monkeypatch, 2).run(again, serve(2))
    assert raised(found) == ["ValueError: team must be led while it is used; it is not: solve within team.leading()"]


def test_an_error_within_releases_the_others_and_says_if_it_cannot(monkeypatch):
    def fail(own):
        raise ZeroDivisionError("of the leader")

    found = Group(monkeypatch, 2).run(lead(fail), serve())
    assert raised(found) == ["ZeroDivisionError: of the leader"]
    assert not hasattr(found[0], "__notes__")

    def lost(*_):
        raise RuntimeError("connection lost")

    def cut_off(own):
        monkeypatch.setattr(team.Messages, "tell", lost)
        raise ZeroDivisionError("of the leader")

    found = Group(monkeypatch, 2).run(lead(cut_off), lambda: None)
    assert raised(found) == ["ZeroDivisionError: of the leader"]
    assert found[0].__notes__ == ["the processes that serve could not be released: connection lost"]


class _Broken(Pricer):
    """Has no memory for more than a block."""

    def transform(self, potential, k):
        if len(self._points) > 512:
            raise MemoryError("kein Platz für 3 Zeilen")
        return super().transform(potential, k)


def test_what_goes_wrong_elsewhere_is_an_error_here_and_the_next_pass_is_none_the_worse(monkeypatch):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        with monkeypatch.context() as patch:
            patch.setattr(team, "Pricer", _Broken)
            with pytest.raises(ServerError) as error:
                pricer_of(own).transform(np.zeros(700), 2)
        own.begin(X, Y, "l2", X[0])
        return str(error.value), pricer_of(own).transform(np.zeros(700), 2)

    found = Group(monkeypatch, 3).run(lead(work), serve(), serve())
    message, priced = found[0]
    assert message == "rank 2 could not price its arcs: MemoryError: kein Platz für 3 Zeilen"
    alone = Pricer(X, Y, "l2", "difference64", X[0]).transform(np.zeros(700), 2)
    assert np.array_equal(priced.potential, alone.potential)


def test_what_goes_wrong_here_is_the_error_and_the_next_pass_is_none_the_worse(monkeypatch):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        pricer = pricer_of(own)
        with monkeypatch.context() as patch:
            patch.setattr(pricer._own, "transform", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                pricer.transform(np.zeros(700), 2)
        return pricer.transform(np.ones(700), 2)

    found = Group(monkeypatch, 2).run(lead(work), serve())
    alone = Pricer(X, Y, "l2", "difference64", X[0]).transform(np.ones(700), 2)
    assert np.array_equal(found[0].potential, alone.potential)


def test_time_that_is_over_elsewhere_is_over_here(monkeypatch):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        pricer_of(own, Budget(seconds=99.0)).transform(np.zeros(700), 2)
        spent = pricer_of(own, Budget(seconds=99.0))
        with monkeypatch.context() as patch:
            # The leader has time, the others are told that there is none.
            patch.setattr(Budget, "left", lambda _: 0.0)
            with pytest.raises(BudgetSpentError):
                spent.transform(np.zeros(700), 2)
        return pricer_of(own).transform(np.zeros(700), 2)

    found = Group(monkeypatch, 2).run(lead(work), serve())
    assert len(found[0].potential) == 1600


def test_a_cap_is_everyones(monkeypatch):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        return pricer_of(own, cap=0.25).transform(np.zeros(700), 2)

    found = Group(monkeypatch, 2).run(lead(work), serve())
    alone = Pricer(X, Y, "l2", "difference64", X[0], cap=0.25).transform(np.zeros(700), 2)
    # It is felt in the rows of either.
    assert alone.potential[:512].max() == alone.potential[-512:].max() <= 0.25
    assert np.array_equal(found[0].potential, alone.potential)
    assert np.array_equal(found[0].bounds, alone.bounds)


def test_time_that_is_over_here_is_over(monkeypatch):
    def work(own):
        own.begin(X, Y, "l2", X[0])
        with pytest.raises(BudgetSpentError):
            pricer_of(own, Budget(seconds=0.0)).transform(np.zeros(700), 2)

    assert Group(monkeypatch, 1).run(lead(work)) == [None]


@pytest.mark.parametrize("size", [1, 3])
def test_what_is_priced_arrives_as_it_was(size, monkeypatch):
    """Each field by itself, with values that are told from the others'."""

    def own(rank):
        rng = np.random.default_rng(rank)
        # The first arcs are zeros and others, the last number that float64 holds is among them.
        return Transform(
            rng.normal(size=3),
            np.array([[0, 2**53 - 1], [5 + rank, 0], [0, 1]]),
            rng.normal(size=(3, 2)),
            np.array([True, False, rank == 1]),
        )

    def work(rank):
        messages = Messages(None)
        return messages.collected(lambda: own(0)) if rank == 0 else messages.answer(lambda: own(rank))

    found = Group(monkeypatch, size).run(*[partial(work, rank) for rank in range(size)])[0]
    for field, value in vars(own(0)).items():
        expected = np.concatenate([getattr(own(rank), field) for rank in range(size)])
        assert getattr(found, field).dtype == value.dtype
        assert getattr(found, field).flags.c_contiguous
        assert np.array_equal(getattr(found, field), expected), field


def problem():
    return Problem(X, Y, np.full(1600, 7.0), np.full(700, 16.0), 11200, "l2")


def test_both_sides_keep_their_pricers_until_another_level_or_a_cap(made):
    sides = BothSides(problem(), Budget(), "cpu", None)
    assert sides.levels == ("difference64",)
    assert np.array_equal(sides.center, (X.mean(axis=0) + Y.mean(axis=0)) / 2)
    for _ in range(2):
        sides.transform(False, "difference64", np.zeros(700), 1)
        sides.transform(True, "difference64", np.zeros(1600), 1)
    assert made == [1600, 700]
    sides.transform(False, "difference32", np.zeros(700), 1)
    sides.transform(False, "difference64", np.zeros(700), 1)
    assert made[2:] == [1600, 1600]
    sides.cut(0.25)
    priced = sides.transform(False, "difference64", np.zeros(700), 1)
    assert made[4:] == [1600]
    assert priced.potential.max() == pytest.approx(0.25)


def test_both_sides_are_a_teams_where_that_is_worth_it(monkeypatch):
    def work(own):
        sides = BothSides(problem(), Budget(), "cpu", own)
        return [sides.transform(swapped, "difference64", np.zeros(1600 if swapped else 700), 3) for swapped in (0, 1)]

    told = []
    begin = Team.begin
    monkeypatch.setattr(Team, "begin", lambda self, *rest: (told.append(1), begin(self, *rest)))
    found = Group(monkeypatch, 2).run(lead(work), serve())
    alone = BothSides(problem(), Budget(), "cpu", None)
    for swapped in (0, 1):
        mine = alone.transform(swapped, "difference64", np.zeros(1600 if swapped else 700), 3)
        assert np.array_equal(found[0][swapped].bounds, mine.bounds)
    assert told == [1]


@pytest.mark.parametrize(("smallest", "device"), [(1e12, "cpu"), (0, "meta")])
def test_a_short_pass_and_one_on_a_gpu_tell_the_team_nothing(smallest, device, monkeypatch):
    class Alone:
        def __init__(self, *_):
            pass

        def transform(self, *_):
            return "alone"

    def work():
        own = Team(smallest_pass=smallest)
        return BothSides(problem(), Budget(), device, own).transform(False, "difference64", np.zeros(700), 3)

    monkeypatch.setattr(both_sides, "Pricer", Alone)
    assert Group(monkeypatch, 2).run(work, lambda: None) == ["alone", None]


def test_a_team_is_one_of_the_group_that_it_is_given(monkeypatch):
    def work():
        own = Team("workers", smallest_pass=0)
        with own.leading():
            own.begin(X, Y, "l2", X[0])
            return pricer_of(own).transform(np.zeros(700), 2)

    found = Group(monkeypatch, 3, "workers").run(work, *[lambda: Team("workers").serve()] * 2)
    assert len(found[0].potential) == 1600
    with pytest.raises(
        ValueError, match=r"^group must send tensors of the CPU; got one of nccl: use new_group\(backend='gloo'\)$"
    ):
        Team()


def test_commands_are_exact_up_to_the_integers_of_float64(monkeypatch):
    told = [2.0**53 - 1, 2.0**24 + 1, 0.1, np.inf]
    found = Group(monkeypatch, 2).run(lambda: Messages(None).tell(*told), lambda: Messages(None).hear())
    assert found[1] == [*told, 0, 0]


def test_the_time_of_both_sides_is_looked_at_while_they_are_priced():
    sides = BothSides(problem(), Budget(seconds=0.0), "cpu", None)
    with pytest.raises(BudgetSpentError):
        sides.transform(False, "difference64", np.zeros(700), 1)
