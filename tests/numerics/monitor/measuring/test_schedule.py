"""Schedules under a simulated clock: no test here waits, or looks at a real one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.numerics.monitor.measuring.price import ReadingPrice
from epsrank.numerics.monitor.measuring.schedule import EveryStep, OverheadBudget, as_schedule
from epsrank.theory.errors import InputError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def simulate(schedule, clock, step_times, costs):
    """Run a loop; return (training time, cost) at the beginning of each measurement."""
    measured, training, costs = [], 0.0, iter(costs)
    for seconds in step_times:
        clock.now += seconds
        training += seconds
        if schedule.step():
            cost = next(costs)
            measured.append((training, cost))
            clock.now += cost
            schedule.spent(cost)
    return measured, training


@given(
    st.integers(0, 10**6),
    st.sampled_from([0.001, 0.01, 0.1, 0.5, 1.0]),
    st.sampled_from(["steady", "heavy tails", "slow start", "bursts"]),
)
def test_no_window_spends_more_than_its_share(seed, share, kind):
    rng = np.random.default_rng(seed)
    steps = rng.exponential(0.01, size=600)
    costs = rng.exponential(0.02, size=600)
    if kind == "heavy tails":
        costs = rng.pareto(1.1, size=600) * 0.01
    if kind == "slow start":
        costs[0] = 5.0
    if kind == "bursts":
        steps *= np.where(np.arange(600) % 100 < 20, 50, 0.1)
    clock = Clock()
    schedule = OverheadBudget(share, clock=clock)
    measured, training = simulate(schedule, clock, steps, costs)
    assert measured[0][0] == pytest.approx(steps[0])
    for i, (start, _) in enumerate(measured):
        for j in range(i + 1, len(measured)):
            spent = sum(cost for _, cost in measured[i:j])
            assert spent <= share * (measured[j][0] - start) * (1 + 1e-9) + 1e-9
    assert schedule.overhead == pytest.approx(sum(c for _, c in measured) / training)


def test_the_budget_is_used():
    clock = Clock()
    schedule = OverheadBudget(0.01, clock=clock)
    simulate(schedule, clock, [0.001] * 200_000, [0.004] * 10_000)
    # 0.4 s of training per measurement of 4 ms.
    assert schedule.overhead == pytest.approx(0.01, rel=0.02)
    assert schedule.interval == pytest.approx(400, rel=1e-6)
    assert schedule.cost == pytest.approx(0.004)
    assert schedule.step_time == pytest.approx(0.001)


def test_an_expensive_first_measurement_is_paid_for_before_the_second():
    clock = Clock()
    schedule = OverheadBudget(0.01, clock=clock)
    measured, _ = simulate(schedule, clock, [0.01] * 20_000, [1.0] + [0.001] * 5_000)
    assert measured[1][0] - measured[0][0] >= 100.0


def test_one_outlier_does_not_move_the_estimates():
    clock = Clock()
    schedule = OverheadBudget(0.5, clock=clock)
    simulate(schedule, clock, [0.01] * 99 + [60.0] + [0.01] * 5, [0.01] * 30 + [9.0] + [0.01] * 99)
    assert schedule.cost == pytest.approx(0.01)
    assert schedule.step_time == pytest.approx(0.01)


def test_a_budget_that_forgets_its_debt_is_caught():
    class Careless(OverheadBudget):
        def spent(self, seconds: float) -> None:
            super().spent(seconds / 2)

    clock = Clock()
    measured, training = simulate(Careless(0.01, clock=clock), clock, [0.01] * 5000, [0.02] * 5000)
    assert sum(c for _, c in measured[:-1]) > 0.015 * training


@pytest.mark.parametrize("every", [1, 3, 10])
def test_fixed_steps_are_multiples(every):
    clock = Clock()
    schedule = EveryStep(every, clock=clock)
    due = [step for step in range(1, 31) if schedule.step()]
    assert due == list(range(every, 31, every))


def test_before_anything_has_happened():
    schedule = OverheadBudget(0.01, clock=Clock())
    assert schedule.overhead == 0.0
    assert schedule.cost is None
    assert schedule.interval is None
    assert schedule.step_time is None


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "often", None])
def test_refuses_steps(every):
    with pytest.raises(InputError, match="every"):
        as_schedule(every, 0.01)


@pytest.mark.parametrize("share", [0, -0.1, 1.5, "a", None, float("nan"), True])
def test_refuses_shares(share):
    with pytest.raises(InputError, match="overhead"):
        as_schedule("auto", share)


def test_the_arguments_choose():
    assert isinstance(as_schedule("auto", 0.01), OverheadBudget)
    assert isinstance(as_schedule(5, 0.01), EveryStep)


def test_a_schedule_stands_for_itself():
    own = OverheadBudget(0.5)
    assert as_schedule(own, 0.01) is own
    for wrong in (object(), type("Half", (), {"step": lambda self: True})()):
        with pytest.raises(InputError, match="every"):
            as_schedule(wrong, 0.01)


@pytest.mark.parametrize("growth", [1.0, 3.0, 10.0])
def test_what_grows_is_paid_for_in_advance(growth):
    """Ranks for 4 ms at every measurement, and a reading that costs 0.3 s and then more."""
    clock = Clock()
    schedule, price = OverheadBudget(0.01, clock=clock), ReadingPrice()
    made, spent = [], 0.0
    for step in range(60_000):
        clock.now += 0.01
        if not schedule.step():
            continue
        cost, shape = 0.004, (1000, 64, 10)
        expected = price.expected(*shape) if made else 0.2
        if schedule.affords(expected):
            own = 0.3 * (growth if made else 1.0)
            price.paid(own, *shape)
            made.append(step)
            cost += own
        schedule.saving = not schedule.affords(price.expected(*shape))
        clock.now += cost
        schedule.spent(cost)
        spent += cost
        # Never over the share by more than one measurement, a wrong first guess, and what one
        # reading grew beyond twice the one before.
        assert spent <= 0.01 * schedule.training + 0.3 * max(0.0, growth - 2.0) + 0.11
    assert len(made) >= 2
    assert schedule.overhead <= 0.0101
