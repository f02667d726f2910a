"""Rounding bounds enclose the true error, measured in integers, and are not absurdly wide."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from epsrank.theory import InputError
from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.numbers.dyadic import (
    dyadic_integers,
    dyadic_matrix,
    float_above,
    float_below,
    nearest_integer,
    power_of_two,
)
from epsrank.theory.numbers.rounding import (
    chunked_product,
    frobenius,
    gamma,
    gram_error_bound,
    gram_product,
    unit_roundoff,
)


def exact_product(left: Any, right: Any) -> list[list[Fraction]]:
    a, e = dyadic_matrix(left)
    b, f = dyadic_matrix(right)
    unit = power_of_two(e + f)
    return [[Fraction(int(entry)) * unit for entry in row] for row in (a * b).tolist()]


@pytest.mark.parametrize("n_samples", [1, 5, 300, 5000])
@pytest.mark.parametrize("kind", ["gaussian", "positive", "graded"])
def test_gram_product_error(n_samples: int, kind: str) -> None:
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((n_samples, 4))
    if kind == "positive":
        matrix = np.abs(matrix) + 1
    if kind == "graded":
        matrix *= 10.0 ** np.array([0, -8, -16, 8])
    product, g = gram_product(matrix)
    exact = exact_product(matrix.T, matrix)
    sizes = np.sqrt(np.diag(product))
    for i in range(4):
        for j in range(4):
            error = abs(Fraction(float(product[i, j])) - exact[i][j])
            assert error <= Fraction(g * 1.0001 * float(sizes[i] * sizes[j]))


def test_chunked_product_error() -> None:
    generator = np.random.default_rng(0)
    left, right = generator.standard_normal((3, 700)), generator.standard_normal((700, 3))
    product, g = chunked_product(left, right, chunk=64)
    exact = exact_product(left, right)
    bound = g * (np.abs(left) @ np.abs(right))
    for i in range(3):
        for j in range(3):
            assert abs(Fraction(float(product[i, j])) - exact[i][j]) <= Fraction(bound[i, j])


@pytest.mark.parametrize(
    ("dtype", "n_samples"), [("float32", 2000), ("float16", 100), ("bfloat16", 40)]
)
def test_gram_accumulated_in_a_narrow_dtype_stays_within_its_bound(
    dtype: str, n_samples: int
) -> None:
    torch_dtype = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(n_samples, 5, generator=generator).to(torch_dtype)
    total = torch.zeros(5, 5, dtype=torch_dtype)
    for row in features:  # the worst order: one sample after the other, rounded each time
        total = total + torch.outer(row, row)
    exact = exact_gram(as_features(features), as_measure("raw", None, n_samples))
    truth = np.array([[float(int(x) * exact.scale) for x in r] for r in exact.matrix.tolist()])
    error = float(np.linalg.norm(total.double().numpy() - truth, 2))
    bound = gram_error_bound(
        float(np.trace(total.double().numpy())), n_samples, dtype, n_features=5
    )
    assert 0 < error <= bound
    assert bound < float(np.trace(truth))  # wide, but it says something


def test_gamma_is_rounded_upward_and_infinite_when_it_must_be() -> None:
    u = Fraction(1, 2**53)
    for k in (1, 3, 1000, 10**6):
        assert Fraction(gamma(k)) >= k * u / (1 - k * u)
    assert gamma(2**30, unit_roundoff("float32")) == np.inf
    assert gram_error_bound(1.0, 2**30, "float32", n_features=1) == np.inf


def test_unknown_dtype() -> None:
    with pytest.raises(InputError, match="dtype is 'decimal'"):
        unit_roundoff("decimal")


def test_frobenius_is_an_upper_bound() -> None:
    matrix = np.random.default_rng(0).standard_normal((50, 40))
    exact = sum(Fraction(x) ** 2 for x in matrix.ravel().tolist())
    assert Fraction(frobenius(matrix)) ** 2 >= exact
    assert frobenius(matrix) <= float(exact) ** 0.5 * (1 + 1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_dyadic_integers_are_exact(dtype: Any) -> None:
    generator = np.random.default_rng(0)
    values = generator.standard_normal((20, 3)) * 10.0 ** generator.uniform(-4, 4, (20, 3))
    array = values.astype(dtype)
    array[3, 1] = 0
    integers, exponent = dyadic_integers(array)
    unit = power_of_two(exponent)
    for given, integer in zip(array.ravel().tolist(), integers.ravel().tolist(), strict=True):
        assert Fraction(given) == integer * unit
    tiny, exponent = dyadic_integers(np.array([5e-324, 1e300, 0.0]))
    assert [int(t) * power_of_two(exponent) for t in tiny] == [Fraction(5e-324), Fraction(1e300), 0]


def test_floats_beside_a_rational_number() -> None:
    for value in (Fraction(1, 3), Fraction(2), Fraction(1, 10**400), Fraction(10**400)):
        assert Fraction(float_below(value)) <= value
        above = float_above(value)
        assert above == np.inf or Fraction(above) >= value
    assert float_below(Fraction(10**400)) < np.inf


def test_dyadic_numbers_are_rounded_to_integers():
    for mantissa in (-13, -8, 0, 7, 12, 2**70 + 1):
        for exponent in (-75, -3, -1, 0, 5):
            value = mantissa * power_of_two(exponent)
            assert nearest_integer(mantissa, exponent) == math.floor(value + Fraction(1, 2))
