"""Predicted drops against the gradient flow of whole networks, and by their scaling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from epsrank import InputError, alternating_flow


def tanh_times(z):
    return z * np.tanh(z)


def its_slope(z):
    return np.tanh(z) + z * (1 - np.tanh(z) ** 2)


ACTIVATIONS = {
    "square": (lambda z: z**2, lambda z: 2 * z),
    "x·tanh": (tanh_times, its_slope),
}


def problem(phi, seed=3):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(30, 2))
    y = phi(x @ np.array([0.8, 0.6])) * 2 - phi(x @ np.array([-0.6, 0.8]))
    return draw.normal(size=6), draw.normal(size=(6, 2)), x, y


def trained(a, w, x, y, phi, slope, end):
    """Times and losses of the gradient flow of mean (u − y)²."""

    def rhs(_, z):
        own, inner = z[:6], z[6:].reshape(6, 2)
        h = x @ inner.T
        pull = 2 * (y - phi(h) @ own)[:, None] / len(x)
        return np.concatenate([(pull * phi(h)).sum(0), ((pull * slope(h) * own).T @ x).ravel()])

    run = solve_ivp(rhs, (0, end), np.concatenate([a, w.ravel()]), "LSODA", rtol=1e-6, atol=1e-9)
    found = [np.mean((y - phi(x @ z[6:].reshape(6, 2).T) @ z[:6]) ** 2) for z in run.y.T]
    return run.t, np.array(found)


def test_order_times_and_sizes_are_those_of_training():
    hold_against_training("square", level=0.05)


def hold_against_training(name, level):
    """Compare two drops with the flow of the whole network; x·tanh is in tests/slow."""
    phi, slope = ACTIVATIONS[name]
    a, w, x, y = problem(phi)
    drops = alternating_flow(a, w, x, y, activation=(phi, slope), drops=2)
    assert [drop.before for drop in drops][1:] == [drops[0].after]
    assert drops[0].before == pytest.approx(np.mean(y**2))
    assert drops[1].after < 1e-3 * drops[0].before
    sigma = 0.02
    times, losses = trained(sigma * a, sigma * w, x, y, phi, slope, 1.3 * drops[1].time / sigma)
    for drop in drops:
        fallen = times[np.argmax(losses <= (drop.before + drop.after) / 2)] * sigma
        assert fallen == pytest.approx(drop.time, rel=0.06)
    between = np.argmin(np.abs(times * sigma - (drops[0].time + drops[1].time) / 2))
    assert losses[between] == pytest.approx(drops[0].after, rel=level)
    # Another factor of the loss is another clock.
    half = alternating_flow(a, w, x, y, activation=(phi, slope), factor=1.0, drops=1)
    assert half[0].time == pytest.approx(2 * drops[0].time, rel=1e-6)


def test_times_scale_with_the_weights():
    power = 3
    a, w, x, y = problem(lambda z: z**power)
    one, small = (
        alternating_flow(s * a, s * w, x, y, power=power, drops=1)[0] for s in (1.0, 1e-3)
    )
    assert small.neuron == one.neuron
    assert small.time == pytest.approx(one.time * 1e3 ** (power - 1), rel=1e-5)
    assert small.after == pytest.approx(one.after, rel=1e-3)


def test_drops_end_where_no_neuron_climbs():
    a, w, x, y = problem(lambda z: z**2)
    every = alternating_flow(a, w, x, y)
    assert 2 <= len(every) < 6
    assert every[-1].after < 1e-6
    assert alternating_flow(a, w, x, np.zeros(30)) == ()
    # Neurons without weights stay where they are.
    assert alternating_flow(np.zeros(6), np.zeros((6, 2)), x, y) == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"power": 1}, "power is 1"),
        ({"factor": 0.0}, "factor"),
        ({"drops": 0}, "drops"),
        ({"outer": np.ones(5)}, r"inner has shape \(6, 2\), outer \(5,\)"),
        ({"inner": np.ones((6, 3))}, r"inner has shape \(6, 3\), inputs \(30, 2\)"),
        ({"target": np.ones(29)}, "target has shape"),
        ({"target": np.full(30, np.nan)}, "target has 30 non-finite"),
        ({"outer": np.full(6, np.inf)}, "outer has 6 non-finite"),
    ],
)
def test_one_line(change, line):
    a, w, x, y = problem(lambda z: z**2)
    given = {"outer": a, "inner": w, "inputs": x, "target": y} | change
    with pytest.raises(InputError, match=line):
        alternating_flow(**given)
