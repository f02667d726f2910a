"""Ellipses, remainders and pieces: poles are seen, wrong remainders are caught."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb

from epsrank.theory.continuous import ANALYTIC_TARGETS, AnalyticSystem, AnalyticTarget
from epsrank.theory.continuous import ellipse as ellipse_module
from epsrank.theory.continuous import gram as gram_module
from epsrank.theory.continuous.ellipse import bounds_on_ellipse, cover, remainder
from epsrank.theory.continuous.gram import continuous_gram
from epsrank.theory.continuous.pieces import analytic_pieces
from epsrank.theory.continuous.system import AnalyticSystem as System
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.rank.routes.ball import ball_precision


def _neuron(activation, slope, shift=0.0):
    return AnalyticSystem(DenseNetwork(activation, (np.array([[slope]]),), (np.array([shift]),)))


@pytest.mark.parametrize("columns", [1, 3, 6, 16, 40])
def test_the_cover_covers_the_ellipse(columns):
    random = np.random.default_rng(columns)
    angle, radius = random.uniform(0, math.pi, 4000), random.uniform(0, 1, 4000) ** 0.25
    x, y = 1.25 * radius * np.cos(angle), 0.75 * radius * np.sin(angle)
    boxes = np.array(cover(columns))
    inside = (np.abs(x[:, None] - boxes[:, 0]) <= boxes[:, 1]) & (
        np.abs(y[:, None] - boxes[:, 2]) <= boxes[:, 3]
    )
    assert inside.any(axis=1).all()


def _gauss_error(m, a):
    """Return the error and the bound of Q_m for 1/(t² + a²), analytic in E_2 for a > 3/4."""
    with ball_precision(200):
        square = arb(a) * arb(a)
        rule = gram_module.legendre_rule(m, 200)
        total = sum((w / (t * t + square) for t, w in rule), arb(0))
        error = abs(total - 2 * (1 / arb(a)).atan() / arb(a))
        return error, remainder(arb(1), m) / (square - arb(0.5625))


@pytest.mark.parametrize("m", [2, 3, 5, 8, 16, 40])
def test_the_remainder_bounds_the_true_error(m):
    error, bound = _gauss_error(m, 0.8)
    assert error < bound


def test_a_remainder_that_decays_too_fast_is_seen():
    error, _ = _gauss_error(16, 0.8)
    wrong = arb(64) / 15 * arb(2) ** (-4 * 16) / (1 - arb(0.25)) / (0.64 - 0.5625)
    assert error > wrong


def test_a_pole_in_the_ellipse_is_refused():
    # tanh(wx) has poles at ±iπ/(2w); the ellipse over [−1, 1] reaches ±0.75i.
    inside, outside = _neuron("tanh", 3.0), _neuron("tanh", 1.5)
    whole = (Fraction(-1), Fraction(1))
    assert math.pi / 2 / 3.0 < 0.75 < math.pi / 2 / 1.5
    assert all(bounds_on_ellipse(inside, *whole, columns) is None for columns in (6, 16, 64))
    assert bounds_on_ellipse(outside, *whole, 16) is not None
    assert len(analytic_pieces(inside, -1.0, 1.0)) > 1


def test_every_pole_of_every_network_is_refused():
    random = np.random.default_rng(0)
    for _ in range(30):
        slope, shift = random.normal() * 5, random.normal() * 3
        system = _neuron("tanh", slope, shift)
        pole = complex(-shift / slope, math.pi / 2 / slope)
        for piece in analytic_pieces(system, -1.0, 1.0):
            centre, half = float(piece.left + piece.right) / 2, float(piece.right - piece.left) / 2
            t = (pole - centre) / half
            assert (t.real / 1.25) ** 2 + (t.imag / 0.75) ** 2 > 1


def test_bounds_hold_on_the_ellipse():
    random = np.random.default_rng(1)
    network = DenseNetwork(
        "erf",
        (random.normal(size=(4, 1)), random.normal(size=(3, 4))),
        (random.normal(size=4), random.normal(size=3)),
    )
    system = AnalyticSystem(network, True, ANALYTIC_TARGETS["cosines"])
    for piece in analytic_pieces(system, -1.0, 0.7):
        centre, half = float(piece.left + piece.right) / 2, float(piece.right - piece.left) / 2
        angle = random.uniform(0, 2 * math.pi, 60)
        z = [acb(centre + half * 1.25 * math.cos(a), half * 0.75 * math.sin(a)) for a in angle]
        rows = system.on_balls(z, centre)
        assert rows is not None
        for row, bound in zip(rows, piece.bounds, strict=True):
            assert all(value.abs_lower() <= bound for value in row)


@pytest.mark.parametrize("target", list(ANALYTIC_TARGETS))
def test_integrals_of_targets(target):
    goal = ANALYTIC_TARGETS[target]
    system = AnalyticSystem(
        DenseNetwork("tanh", (np.array([[2.0]]),), (np.array([0.5]),)), True, goal
    )
    found = continuous_gram(system, -1.0, 1.5, 128)
    x, w = np.polynomial.legendre.leggauss(400)
    x = np.concatenate([-0.5 + 0.5 * x, 0.75 + 0.75 * x])
    w = np.concatenate([0.5 * w, 0.75 * w])
    # The target in float64, from the very function that the balls go through.
    values = np.array([float(goal.function(acb(t), t).real) for t in x])
    columns = np.stack([np.tanh(2 * x + 0.5), np.ones_like(x), values], axis=1)
    truth = columns.T @ (w[:, None] * columns)
    for i in range(3):
        for j in range(3):
            ball = found.joint[i, j]
            assert abs(float(ball.mid()) - truth[i, j]) < 1e-11
            assert float(ball.rad()) < 1e-30


def test_a_singularity_on_the_interval_is_named():
    system = AnalyticSystem(
        _neuron("tanh", 1.0).network, False, AnalyticTarget("1/x", lambda z, _: 1 / z)
    )
    with pytest.raises(InputError, match=r"pole at or near x = .*narrow the domain"):
        analytic_pieces(system, -1.0, 1.0)
    with pytest.raises(InputError, match="pole"):
        analytic_pieces(_neuron("tanh", 1e5), -1.0, 1.0, most=10)


def test_a_forgotten_remainder_is_seen_by_other_integration(monkeypatch):
    system = _neuron("tanh", 6.0, 1.0)
    honest = continuous_gram(system, -1.0, 1.0, 128).joint[0, 0]
    with ball_precision(128):
        theirs = acb.integral(lambda z, _: (6 * z + 1).tanh() * (6 * z + 1).tanh(), -1, 1).real
    assert honest.overlaps(theirs)
    # Too few nodes: the honest remainder widens the ball, so that it still holds the integral …
    monkeypatch.setattr(gram_module, "_nodes_for", lambda piece, bits: 8)
    wide = continuous_gram(system, -1.0, 1.0, 128).joint[0, 0]
    assert wide.overlaps(theirs)
    assert wide.rad() > 1e-12
    # … and a forgotten one does not.
    monkeypatch.setattr(gram_module, "remainder", lambda half, nodes: arb(0))
    assert not continuous_gram(system, -1.0, 1.0, 128).joint[0, 0].overlaps(theirs)


def test_ignored_poles_are_seen_by_other_integration(monkeypatch):
    system = _neuron("tanh", 6.0, 1.0)
    with ball_precision(128):
        theirs = acb.integral(lambda z, _: (6 * z + 1).tanh() * (6 * z + 1).tanh(), -1, 1).real
    # As if |tanh| ≤ 1 held off the real axis too.
    monkeypatch.setattr(System, "on_balls", lambda self, boxes, inside: [[acb(1)] * len(boxes)])
    assert len(analytic_pieces(system, -1.0, 1.0)) == 1
    assert not continuous_gram(system, -1.0, 1.0, 128).joint[0, 0].overlaps(theirs)


def test_networks_that_cannot_be_continued():
    relu = DenseNetwork("relu", (np.ones((2, 1)),), (np.zeros(2),))
    with pytest.raises(InputError, match="not analytic"):
        AnalyticSystem(relu)
    with pytest.raises(InputError, match="takes 2 inputs"):
        AnalyticSystem(DenseNetwork("tanh", (np.ones((2, 2)),), (np.zeros(2),)))


def test_the_ellipse_is_the_stated_one():
    assert ellipse_module.RHO == 2
    assert (ellipse_module._LONG, ellipse_module._SHORT) == ((2 + 0.5) / 2, (2 - 0.5) / 2)
