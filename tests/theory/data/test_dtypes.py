"""The table of dtypes against NumPy and PyTorch, and numbers certified wrongly before."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from epsrank.theory import InputError, epsilon_rank_from_gram, epsilon_rank_from_spectrum
from epsrank.theory.data.inputs import as_box, as_eps
from epsrank.theory.floor.loss_floor import loss_floor_from_moments
from epsrank.theory.numbers.arrays import real_number, to_float64
from epsrank.theory.numbers.dtypes import FLOAT_TYPES, SUM_TYPES, WHOLE_TYPES, dtype_name
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, gram_error_bound, unit_roundoff


@pytest.mark.parametrize("entry", FLOAT_TYPES.values(), ids=lambda entry: entry.name)
def test_the_table_is_that_of_pytorch(entry) -> None:
    dtype = getattr(torch, entry.name)
    info = torch.finfo(dtype)
    step, least = info.eps, info.smallest_normal * info.eps
    if info.bits == 8:  # all of its numbers, since finfo errs about the step of float8_e5m2fnuz
        numbers = torch.arange(256, dtype=torch.uint8).view(dtype).double()
        positive = numbers[(numbers > 0) & numbers.isfinite()].sort().values
        step, least = float(positive[positive > 1][0] - 1), float(positive[0])
    assert (entry.unit_roundoff, entry.smallest) == (step / 2, least)
    assert (entry.smallest_normal, entry.largest) == (info.smallest_normal, info.max)
    assert entry.product_underflow in (entry.smallest, entry.smallest_normal)
    assert unit_roundoff(entry.name) == entry.unit_roundoff


def test_whole_numbers_do_not_round() -> None:
    for name in WHOLE_TYPES:
        assert unit_roundoff(name) == 0 == unit_roundoff(getattr(torch, name))
    assert tuple(UNIT_ROUNDOFF) == SUM_TYPES


MISSPELT = ("float_32", "Float32", "fp32", "float", "double", "float65", "integer", "int", "int128")


@pytest.mark.parametrize("name", [*MISSPELT, "float8", "", None, 3, object])
def test_a_misspelt_dtype_is_refused_everywhere(name) -> None:
    gram = np.diag([1, 1e-9])
    calls = {
        "dtype": lambda: epsilon_rank_from_spectrum([1.0], 0.5, dtype=name),
        "gram": lambda: epsilon_rank_from_gram(gram, 5e-10, dtype=name),
        "unit": lambda: unit_roundoff(name),
        "bound": lambda: gram_error_bound(1.0, 10, name, n_features=2),
    }
    if name is not None:  # which stands for no rounding at all
        calls["accumulated_in"] = lambda: epsilon_rank_from_gram(
            gram, 5e-10, accumulated_in=name, n_samples=1000
        )
        calls["moments"] = lambda: loss_floor_from_moments(
            gram, [1.0, 0.0], 2.0, eps=1e-3, norm=1.0, accumulated_in=name, n_samples=10
        )
    for call in calls.values():
        with pytest.raises(InputError, match=r"^(dtype|accumulated_in) is .*; (choose|did you)"):
            call()


def test_a_dtype_may_be_a_name_or_the_dtype_itself() -> None:
    for dtype in ("float32", "torch.float32", torch.float32, np.float32, np.dtype("float32")):
        assert dtype_name(dtype) == "float32"
        found = epsilon_rank_from_gram(
            np.diag([1, 1e-9]), 5e-10, accumulated_in=dtype, n_samples=1000
        )
        assert (found.lower, found.upper) == (1, 2)


@pytest.mark.parametrize(
    ("spectrum", "eps", "rank"),
    [
        (np.array([2**62 + 1, 2**62]), float(2**62), 1),
        (np.array([2**53 + 1, 2**53]), float(2**53), 1),
        ([2**53 + 1, 2**53], float(2**53), 1),
        (np.array([2**64 - 1, 1], dtype=np.uint64), float(2**63), 1),
        (np.array([2**62 + 1, 2**61]), 0.5, 1),  # relative: 2·2^61 < 2^62 + 1
    ],
)
def test_integers_of_a_spectrum_are_taken_as_they_are(spectrum, eps, rank) -> None:
    found = epsilon_rank_from_spectrum(spectrum, eps, relative=eps == 0.5)
    assert int(found) == rank
    assert all(abs(Fraction(float(c)) - Fraction(int(t))) <= Fraction(found.spectrum_error)
               for c, t in zip(found.spectrum, sorted(spectrum)[::-1], strict=True))  # fmt: skip


def test_a_spectrum_with_an_error_is_counted_without_rounding() -> None:
    # 2^53 + 1 less 1 is the threshold itself, and not above it.
    found = epsilon_rank_from_spectrum(np.array([2**53 + 1]), float(2**53), error=1.0)
    assert (found.lower, found.upper) == (0, 1)
    assert int(epsilon_rank_from_spectrum([3.0, 1.0], 1.5, error=0.25)) == 1
    with pytest.raises(InputError, match="negative eigenvalue"):
        epsilon_rank_from_spectrum([1.0, -0.5], 0.1, error=0.25)
    relative = epsilon_rank_from_spectrum([1.0, 0.5], 0.5, error=0.1, relative=True)
    assert (relative.lower, relative.upper) == (1, 2)


@pytest.mark.parametrize(("dtype", "samples"), [("bfloat16", 126), ("float16", 2048)])
def test_where_gamma_is_infinite_nothing_is_known(dtype, samples) -> None:
    found = epsilon_rank_from_gram(np.eye(2), 0.5, accumulated_in=dtype, n_samples=samples)
    assert (found.lower, found.upper, found.noise_floor) == (0, 2, math.inf)
    assert dtype in found.reason
    less = epsilon_rank_from_gram(np.eye(2), 1e-9, accumulated_in="bfloat16", n_samples=125)
    assert less.noise_floor < math.inf
    floor = loss_floor_from_moments(
        np.eye(2), [1.0, 0.0], 2.0, eps=0.5, norm=1.0, accumulated_in=dtype, n_samples=samples
    )
    assert floor.tolerance == math.inf


@pytest.mark.parametrize("bound", [math.inf, math.nan, -1.0])
def test_bounds_are_finite(bound) -> None:
    with pytest.raises(InputError, match=r"^gram_error is .*; pass a finite bound"):
        epsilon_rank_from_gram(np.eye(2), 0.5, gram_error=bound)
    with pytest.raises(InputError, match=r"^error is .*; pass a finite bound"):
        epsilon_rank_from_spectrum([1.0], 0.5, error=bound)


def test_large_numbers_that_float64_holds_are_taken() -> None:
    assert to_float64(np.array([2**62, -(2**60)]), "x")[1]
    assert not to_float64(np.array([2**62 + 1]), "x")[1]
    assert real_number(2**62, "x", "") == 2.0**62 == real_number(np.int64(2**62), "x", "")
    assert (
        real_number(np.longdouble(0.5), "x", "") == 0.5 == real_number(torch.tensor(0.5), "x", "")
    )
    with pytest.raises(InputError, match="which float64 cannot hold"):
        as_eps(2**62 + 1)
    with pytest.raises(InputError, match="degenerate"):
        as_box((-1.7e308, 1.7e308))
