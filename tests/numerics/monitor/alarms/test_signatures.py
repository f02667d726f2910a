"""The three signatures on simulated training: what they find, and how often they are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.monitor.alarms.signatures import WINDOW, Signatures
from epsrank.numerics.monitor.alarms.trend import SPREADS, correlation_bound, stretch, trend
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord

LENGTH = 200
# Series per setting; tests/slow/numerics/test_alarm_rates.py has hundreds.
FEW = 20


def record(step, loss, rank, ratio=None, *, width=0, samples=4000, layer="last"):
    reading = None
    if ratio is not None:
        name = "optimiser-limited" if ratio >= 2 else "feature-limited"
        reading = LayerReading(
            name, loss, loss / ratio, loss / ratio, 1.0, ratio, ratio, None, "mse", samples, ""
        )
    return LayerRecord(
        step, layer, loss, samples, 100, "float32", "mean", False,
        (LayerRank(1e-6, rank, rank + width, "gram", ""),), None, reading, 0.0, 0.0,
    )  # fmt: skip


def raised(losses, ranks, ratios=None, **keywords):
    """Return the signatures of one series, by name."""
    watch = Signatures()
    for step in range(len(losses)):
        ratio = None if ratios is None else float(ratios[step])
        watch.update(
            [record(10 * step, float(losses[step]), int(ranks[step]), ratio, **keywords)], "last"
        )
    return watch.seen


def names(signatures):
    return [signature.name for signature in signatures]


def noisy(rng, level, scatter):
    return level * np.exp(scatter * rng.normal(size=len(level)))


def test_a_plateau_is_found_once():
    rng = np.random.default_rng(0)
    [found] = raised(noisy(rng, np.full(LENGTH, 0.3), 0.005), np.full(LENGTH, 7))
    assert found.name == "plateau"
    assert found.step == 10 * (WINDOW - 1)
    assert found.first_step == 0
    assert found.numbers["loss"] == pytest.approx(0.3, rel=0.02)
    assert found.numbers["rank"] == 7
    assert found.numbers["loss_low"] > -0.05
    assert "plateau" in str(found)
    assert found.to_json()["numbers"]["rank"] == 7


def test_a_second_episode_is_a_second_warning():
    rng = np.random.default_rng(1)
    flat = np.full(60, 1.0)
    falling = np.geomspace(1.0, 0.05, 60)
    losses = noisy(rng, np.concatenate([flat, falling, flat * 0.05]), 0.005)
    assert names(raised(losses, np.full(180, 7))) == ["plateau", "plateau"]


def test_growing_rank_is_no_plateau():
    assert raised(np.full(LENGTH, 0.3), np.arange(LENGTH) // 10) == []


def test_falling_loss_is_no_plateau():
    assert raised(np.geomspace(1, 1e-4, LENGTH), np.full(LENGTH, 7)) == []


def test_nothing_left_to_gain_is_no_plateau():
    assert raised(np.zeros(LENGTH), np.full(LENGTH, 7)) == []


def test_open_counts_do_not_claim_stagnation():
    assert raised(np.full(LENGTH, 0.3), np.full(LENGTH, 7), width=3) == []


def test_the_optimiser_is_blamed_for_an_unused_floor():
    found = raised(np.geomspace(1, 0.1, LENGTH), np.full(LENGTH, 7), np.full(LENGTH, 3.0))
    assert names(found) == ["optimiser"]
    assert found[0].numbers["ratio"] == 3.0
    assert "optimiser-limited" in str(found[0])


def test_far_above_the_floor_whatever_the_rank():
    found = raised(np.geomspace(1, 0.1, LENGTH), np.arange(LENGTH), np.full(LENGTH, 9.0))
    assert names(found) == ["floor"]
    assert found[0].step == 10 * (WINDOW // 2 - 1)
    assert found[0].first_step == 0
    assert "far above" in str(found[0])


def test_readings_of_few_samples_do_not_count():
    few = raised(np.geomspace(1, 0.1, 60), np.full(60, 7), np.full(60, 9.0), samples=399)
    assert few == []


def test_failed_measurements_and_other_layers_are_passed_over():
    watch = Signatures()
    failed = LayerRecord(
        5, "last", 1.0, 0, 0, "unknown", "mean", False, (), None, None, 0.0, 0.0, "NaN"
    )
    for step in range(LENGTH):
        assert watch.update([record(step, 0.3, 7, layer="first")], "last") == []
        assert watch.update([failed], "last") == []
    nan = Signatures()
    for step in range(LENGTH):
        nan.update([record(step, float("nan"), 7)], "last")
    assert nan.seen == []


def of_part(step, part, rank=7):
    return replace(record(step, 0.3, rank), probe_part=part)


def test_parts_of_a_probe_are_not_compared():
    # Loss and rank stay where they are all the time, but on other samples from the middle on.
    watch, told = Signatures(), []
    for step in range(3 * WINDOW // 2):
        part = 0.125 if step < WINDOW // 2 else 1.0
        told += [step] * len(watch.update([of_part(step, part)], "last"))
    assert told == [3 * WINDOW // 2 - 1]
    assert watch.seen[0].first_step == WINDOW // 2


def test_more_samples_are_no_growth():
    # A rank held down by few samples rises with them, which is no progress of the training.
    watch = Signatures()
    for step in range(2 * WINDOW):
        few = step < WINDOW
        watch.update([of_part(step, 0.125 if few else 1.0, 7 if few else 20)], "last")
    # Told once: nothing ended in between.
    assert [(s.name, s.step) for s in watch.seen] == [("plateau", WINDOW - 1)]
    mixed = raised(np.full(WINDOW, 0.3), [7] * (WINDOW // 2) + [20] * (WINDOW // 2))
    assert mixed == []


def test_a_glance_at_the_whole_probe_breaks_no_window():
    watch = Signatures()
    for step in range(WINDOW):
        watch.update([of_part(2 * step, 0.125)], "last")
        if step % 5 == 0:
            watch.update([of_part(2 * step + 1, 1.0, 9)], "last")
    assert names(watch.seen) == ["plateau"]


def falling(per_window):
    return np.exp(-per_window / (WINDOW - 1) * np.arange(LENGTH))


def alarm_rate(series):
    made = [bool(raised(losses, ranks)) for losses, ranks in series]
    return sum(made) / len(made)


@pytest.mark.parametrize("scatter", [0.003, 0.2])
def test_false_alarms_of_a_falling_loss(scatter):
    assert alarms_of_a_falling_loss(scatter, FEW) <= 0.01


def alarms_of_a_falling_loss(scatter, series):
    """A loss that falls by the limit of 5 % per window, under a rank that stands still."""
    ranks = np.full(LENGTH, 20)
    return alarm_rate(
        (noisy(np.random.default_rng(seed), falling(0.05), scatter), ranks)
        for seed in range(series)
    )


@pytest.mark.parametrize(("first", "scatter"), [(45, 0.0), (45, 0.5), (200, 1.0)])
def test_false_alarms_of_a_growing_rank(first, scatter):
    assert alarms_of_a_growing_rank(first, scatter, FEW) <= 0.05


def alarms_of_a_growing_rank(first, scatter, count):
    """A flat loss under a rank that grows by 5 % per window, in whole numbers."""

    def series(seed):
        rng = np.random.default_rng(seed)
        ranks = first / falling(0.05) + scatter * rng.normal(size=LENGTH) + rng.uniform()
        return noisy(rng, np.full(LENGTH, 0.3), 0.005), np.floor(ranks)

    return alarm_rate(series(seed) for seed in range(count))


def correlated(rng, rho, length=LENGTH):
    """Return stationary AR(1) noise of variance 1."""
    shocks = rng.normal(size=length + 50)
    noise = shocks.copy()
    for step in range(1, len(noise)):
        noise[step] = rho * noise[step - 1] + np.sqrt(1 - rho**2) * shocks[step]
    return noise[50:]


def false_alarms(rho, scatter, series):
    ranks = np.full(LENGTH, 20)
    return alarm_rate(
        (falling(0.05) * np.exp(scatter * correlated(np.random.default_rng(seed), rho)), ranks)
        for seed in range(series)
    )


@pytest.mark.parametrize(("rho", "scatter"), [(0.5, 0.05), (0.8, 0.003), (0.8, 0.05)])
def test_false_alarms_of_correlated_noise(rho, scatter):
    """Noise that stays up or down for several measurements under a loss that falls by the limit."""
    assert false_alarms(rho, scatter, FEW) <= 0.05


def test_taking_the_noise_for_independent_is_caught(monkeypatch):
    """The rate of false alarms would show a detector that does not allow for correlation."""
    monkeypatch.setattr(
        "epsrank.numerics.monitor.alarms.trend.stretch", lambda count, correlation: 1.0
    )
    assert false_alarms(0.5, 0.05, 40) > 0.1
    assert false_alarms(0.8, 0.05, 20) > 0.5


@pytest.mark.parametrize(
    ("rho", "scatter", "least"),
    [
        (0.0, 0.003, 1.0),
        (0.0, 0.007, 1.0),
        (0.8, 0.003, 1.0),
        (0.0, 0.02, 0.95),
        (0.0, 0.03, 0.75),
        (0.5, 0.02, 0.5),
    ],
)
def test_power_on_flat_series(rho, scatter, least):
    assert power_on_flat_series(rho, scatter, FEW) >= least


def power_on_flat_series(rho, scatter, count):
    """What is a plateau is found, under noise of 2 or 3 % in the longer windows."""

    def series(seed):
        rng = np.random.default_rng(seed)
        ranks = 50 + rng.integers(-1, 2, size=LENGTH) * (rng.uniform(size=LENGTH) < 0.3)
        return 0.3 * np.exp(scatter * correlated(rng, rho)), ranks

    return alarm_rate(series(seed) for seed in range(count))


def test_noise_that_hides_a_plateau_is_averaged_out(monkeypatch):
    rng = np.random.default_rng(0)
    losses = noisy(rng, np.full(LENGTH, 0.3), 0.025)
    [found, *_] = raised(losses, np.full(LENGTH, 7))
    assert found.name == "plateau"
    assert found.step - found.first_step in {10 * (k * WINDOW - 1) for k in (2, 4)}
    monkeypatch.setattr("epsrank.numerics.monitor.alarms.signatures.SPANS", (1,))
    assert raised(losses, np.full(LENGTH, 7)) == []


def test_false_alarms_of_scattered_ratios():
    assert alarms_of_scattered_ratios(FEW) == 0


def alarms_of_scattered_ratios(count):
    alarms = 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        ratios = noisy(rng, np.full(LENGTH, 1.5), 0.2)
        found = raised(np.geomspace(1, 0.01, LENGTH), np.full(LENGTH, 20), ratios)
        alarms += bool(found)
    return alarms


def test_a_detector_without_intervals_is_caught(monkeypatch):
    """With intervals of no width the rate of false alarms is far above the one stated."""
    monkeypatch.setattr("epsrank.numerics.monitor.alarms.signatures.LEVEL", 0.999)
    ranks = np.full(LENGTH, 20)
    rate = alarm_rate(
        (noisy(np.random.default_rng(seed), falling(0.05), 0.05), ranks) for seed in range(20)
    )
    assert rate > 0.5


def test_the_interval_of_a_trend_covers_as_often_as_it_says():
    for level, most in ((0.1, 0.14), (0.01, 0.025)):
        missed = 0
        for seed in range(300):
            rng = np.random.default_rng(seed)
            times = np.sort(rng.uniform(0, 100, 24))
            values = 0.03 * times + rng.standard_t(2, size=24)
            found = trend(times, values, level, spreads=-np.inf)
            true = 0.03 * (times[-1] - times[0])
            missed += not found.low <= true <= found.high
            assert found.low <= found.change <= found.high
        assert missed / 300 <= most


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_stretch_is_that_of_the_variance(rho):
    """f(ρ)² is the ratio of a slope's true variance to the one its residuals suggest."""
    rng, count = np.random.default_rng(5), WINDOW
    times = np.arange(count) - (count - 1) / 2
    slopes, suggested = [], []
    for _ in range(3000):
        noise = correlated(rng, rho, count)
        slope = times @ noise / (times @ times)
        left = noise - noise.mean() - slope * times
        slopes.append(slope)
        suggested.append(left @ left / (count - 2) / (times @ times))
    assert stretch(count, rho) ** 2 == pytest.approx(np.var(slopes) / np.mean(suggested), rel=0.1)


def test_the_bound_on_the_correlation_holds_and_says_something():
    rng = np.random.default_rng(6)
    for rho in (0.0, 0.5, 0.8):
        bounds = [correlation_bound(correlated(rng, rho, WINDOW), SPREADS) for _ in range(300)]
        assert np.mean(np.array(bounds) >= rho) >= 0.9
        assert np.median(bounds) < 0.985
    assert correlation_bound(np.zeros(WINDOW), SPREADS) == 0.0
    assert correlation_bound(np.arange(5.0), SPREADS) == 0.0
