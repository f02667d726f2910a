"""Widths in closed form, C_S against problems solved in another way, floors as curves."""

import math

import numpy as np
import pytest

from epsrank.theory.apriori import (
    class_floor,
    dirichlet_eigenvalue,
    draft_class_floor,
    ellipsoid_widths,
    poisson_stability,
    sobolev_widths,
    width_floor,
)
from epsrank.theory.errors import InputError


def test_kolmogorovs_widths():
    widths = sobolev_widths(2, 7, ball="seminorm")
    assert widths[0] == math.inf
    assert widths[1:] == pytest.approx([1, 1, 1 / 4, 1 / 4, 1 / 9, 1 / 9, 1 / 16])


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_sobolev_widths_are_the_sorted_axes(dimension):
    grid = np.arange(-6, 7)
    lattice = np.stack(np.meshgrid(*[grid] * dimension), axis=-1).reshape(-1, dimension)
    sizes = np.linalg.norm(2 * np.pi * lattice / 3.0, axis=1) ** 1.5
    axes = 2.0 / np.sqrt(1 + sizes**2)
    found = sobolev_widths(1.5, 10, dimension=dimension, period=3.0, radius=2.0)
    assert found == pytest.approx(np.sort(axes)[::-1][:11], rel=1e-12)


def test_no_random_space_beats_an_ellipsoid():
    axes = np.array([3.0, 2.0, 1.0, 0.5, 0.1])
    widths = ellipsoid_widths(axes[::-1])
    assert widths.tolist() == [3.0, 2.0, 1.0, 0.5, 0.1, 0.0]
    random = np.random.default_rng(0)
    for p in range(5):
        for _ in range(50):
            space = np.linalg.qr(random.standard_normal((5, 5)))[0][:, p:]
            assert np.linalg.norm(space.T * axes, 2) >= widths[p] * (1 - 1e-12)


def test_floors_are_the_formulas():
    distances = [3.0, 2.0, 1.0]
    found = class_floor(distances, n=4, eps=0.01, norm=2.0, stability=2.0)
    assert found == pytest.approx(
        [(3 - 0.2) / 2, (2 - 0.2 * math.sqrt(4)) / 2, (1 - 0.2 * math.sqrt(5)) / 2]
    )
    draft = draft_class_floor(distances, n=4, eps=0.01, norm=2.0, stability=2.0)
    assert (draft <= found).all()
    assert width_floor([math.inf, 1.0], eps=0.04, norm=2.0).tolist() == [math.inf, 0.6]
    full = class_floor([3.0, 2.0, 1.0], n=2, eps=1e-6, norm=math.inf)
    assert full.tolist() == [0.0, 0.0, 0.0]  # 1 + p(n − p) ≥ 1, so even p = n loses √ε‖β‖


def cosine_problem(sides, degree, random):
    """A smooth u on the box: its values, Laplacian and boundary values at Gauss points."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    points = [(nodes + 1) * side / 2 for side in sides]
    scales = [weights * side / 2 for side in sides]
    waves = random.normal(0, degree, (6, len(sides)))
    phases, sizes = random.uniform(0, 6, 6), random.standard_normal(6)

    def value(x):
        return np.cos(x @ waves.T + phases) @ sizes

    def laplacian(x):
        return -np.cos(x @ waves.T + phases) @ (sizes * (waves**2).sum(axis=1))

    grid = np.stack(np.meshgrid(*points, indexing="ij"), axis=-1).reshape(-1, len(sides))
    mass = np.prod(np.stack(np.meshgrid(*scales, indexing="ij"), axis=-1), axis=-1).ravel()
    boundary = 0.0
    for axis, side in enumerate(sides):
        rest = [p for k, p in enumerate(points) if k != axis]
        face = [s for k, s in enumerate(scales) if k != axis]
        if rest:
            inner = np.stack(np.meshgrid(*rest, indexing="ij"), axis=-1).reshape(-1, len(rest))
            area = np.prod(np.stack(np.meshgrid(*face, indexing="ij"), axis=-1), axis=-1).ravel()
        else:
            inner, area = np.zeros((1, 0)), np.ones(1)
        for place in (0.0, side):
            boundary += area @ value(np.insert(inner, axis, place, axis=1)) ** 2
    return mass @ value(grid) ** 2, mass @ laplacian(grid) ** 2, boundary


@pytest.mark.parametrize("sides", [(2.0,), (1.0, 3.0), (1.0, 1.0), (1.0, 0.5, 2.0)])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("measure", ["volume", "mean"])
def test_small_residuals_mean_small_errors(sides, penalty, measure):
    """Every smooth e has ‖e‖ ≤ C_S √(‖Δe‖² + κ‖e‖²_∂Ω): e is the error of u in some problem."""
    random = np.random.default_rng(len(sides))
    constant = poisson_stability(sides, penalty=penalty, measure=measure)
    volume = math.prod(sides)
    surface = sum(2 * volume / side for side in sides)
    worst = 0.0
    for degree in (0.1, 0.5, 1.0, 3.0):
        for _ in range(10):
            error, residual, boundary = cosine_problem(sides, degree, random)
            if measure == "mean":
                error, residual, boundary = error / volume, residual / volume, boundary / surface
            worst = max(worst, math.sqrt(error / (residual + penalty * boundary)))
    assert worst <= constant
    # The constant is of the right size: some smooth error comes within a factor of it.
    assert worst >= constant / 6


def test_the_first_sine_attains_the_constant_without_a_penalty():
    sides = (1.0, 2.0)
    eigenvalue = dirichlet_eigenvalue(sides)
    assert eigenvalue == pytest.approx(math.pi**2 * (1 + 1 / 4))
    # w = sin(πx) sin(πy/2): ‖w‖ = ‖Δw‖/λ and ‖∇w‖² = λ‖w‖².
    assert poisson_stability(sides) == pytest.approx(1 / eigenvalue)
    assert poisson_stability(sides, norm="H1") == pytest.approx(eigenvalue**-0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sobolev_widths(0, 3), "smoothness"),
        (lambda: sobolev_widths(1, -1), "count"),
        (lambda: sobolev_widths(1, 3, radius=math.nan), "radius"),
        (lambda: sobolev_widths(1, 3, ball="cube"), "ball"),
        (lambda: sobolev_widths(1, 10**9, dimension=6), "ask for fewer"),
        (lambda: ellipsoid_widths([1.0, -1.0]), "numbers ≥ 0"),
        (lambda: class_floor([1.0, 2.0], n=3, eps=1e-6, norm=1), "grow"),
        (lambda: class_floor([2.0, 1.0], n=0, eps=1e-6, norm=1), "at most 1"),
        (lambda: class_floor([], n=0, eps=1e-6, norm=1), "shape"),
        (lambda: class_floor([1.0], n=1, eps=1e-6, norm=1, stability=0), "C_S > 0"),
        (lambda: dirichlet_eigenvalue([]), "box"),
        (lambda: dirichlet_eigenvalue([1.0, 0.0]), "box"),
        (lambda: poisson_stability([1.0], penalty=0.0), "κ > 0"),
        (lambda: poisson_stability([1.0], penalty=1.0, norm="H1"), "L2"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("n", [2**31, 2**59, 10**18])
def test_widths_beyond_whole_numbers_of_64_bits(n):
    """p(n − p) went around at 2⁶³, to a factor below zero, and the floor was all of E_p."""
    distances = np.full(17, 1e3)
    for floor, power in ((class_floor, 1), (draft_class_floor, 2)):
        found = floor(distances, n=n, eps=1e-6, norm=1.0)
        for p in (4, 16):
            factor = 1 + p * (n - p) if power == 1 else (p + 1) * (n - p) ** 2
            expected = max(0.0, 1e3 - math.sqrt(factor) * 1e-3)
            assert found[p] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("n", [10**18 + 1, 10**400, -1, 2.0, True])
def test_widths_that_are_none(n):
    with pytest.raises(InputError, match="n is "):
        class_floor([1.0], n=n, eps=1e-6, norm=1.0)
