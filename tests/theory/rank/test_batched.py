"""Many matrices at once have the intervals that each has alone, whatever they are made of."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import lapack

from epsrank.theory.errors import InputError
from epsrank.theory.rank import batched, epsilon_rank
from epsrank.theory.rank.batched import RankBatch, batched_epsilon_rank

from .cases import KINDS, THRESHOLDS, true_rank


def ends(ranks: Any) -> list[tuple[int, int]]:
    return [(rank.lower, rank.upper) for rank in ranks]


def assert_as_alone(stack: Any, eps: float, **more: Any) -> RankBatch:
    """Check intervals, and what comes with them, against those of single calls."""
    found = batched_epsilon_rank(stack, eps, **more)
    alone = [epsilon_rank(each, eps, **more) for each in stack]
    assert ends(found) == ends(alone)
    assert list(zip(found.lower.tolist(), found.upper.tolist(), strict=True)) == ends(alone)
    for one, other in zip(found, alone, strict=True):
        assert (one.dtype, one.measure, one.eps) == (other.dtype, other.measure, other.eps)
        assert (one.n_samples, one.n_features) == (other.n_samples, other.n_features)
        assert one.route == other.route
        # Two BLAS sum in two orders.
        assert one.noise_floor == pytest.approx(other.noise_floor, rel=1e-9)
        off = one.spectrum_error + other.spectrum_error
        assert np.abs(one.spectrum - other.spectrum).max() <= off
        assert one.storage == other.storage
    return found


def stack_of(kind: str, seed: int, dtype: Any = np.float64, m: int = 4) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(seed)
    n, samples = int(generator.integers(1, 14)), int(generator.integers(1, 40))
    made = np.stack([KINDS[kind](generator, samples, n) for _ in range(m)])
    with np.errstate(all="ignore"):
        narrow = made.astype(dtype)
    return narrow if np.isfinite(narrow).all() else made


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_are_those_of_each_alone(kind: str, dtype: Any) -> None:
    for seed, eps in enumerate(THRESHOLDS[:4]):
        stack = stack_of(kind, seed, dtype)
        generator = np.random.default_rng(seed)
        weights = generator.choice([0.0, 1.0, 2.5, 1e-9, 3.0], stack.shape[1])
        weights[0] = 1.0
        assert_as_alone(stack, eps)
        assert_as_alone(stack, eps, weights=weights, measure=("raw", "mean")[seed % 2])


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e-100, 1e100, 1e200, 1e307])
def test_beyond_the_middle_of_float64(scale: float) -> None:
    ties = np.array([[1.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    assert_as_alone(np.stack([ties, 2 * ties, ties[::-1]]) * scale, 1e-6)
    # One of them is out of range, the others are not.
    assert_as_alone(np.stack([ties, scale * ties, ties]), 1.0)


def test_memory_in_any_order_and_other_types() -> None:
    stack = stack_of("tanh neurons", 3, m=6)
    for other in (
        np.asfortranarray(stack),
        np.repeat(stack, 2, axis=2)[:, :, ::2],
        stack[::-1, ::-1],
        list(stack),
        tuple(np.asfortranarray(each) for each in stack),
        stack.astype(">f8"),
        stack.tolist(),
    ):
        assert_as_alone(other, 1e-6)
    assert_as_alone(torch.from_numpy(stack).to(torch.bfloat16), 1e-3)
    assert_as_alone([torch.from_numpy(each).float() for each in stack], 1e-3)
    whole = np.arange(24).reshape(2, 4, 3)
    assert_as_alone(whole, 0.5)
    assert_as_alone(whole + 2**60, 0.5)  # beyond float64: each alone
    assert_as_alone(whole > 7, 0.5)


def test_counts_are_right() -> None:
    for kind in ("graded columns", "duplicates", "powers of two", "monomials"):
        stack = stack_of(kind, 5)
        found = batched_epsilon_rank(stack, 1e-8)
        assert found.resolved
        assert found.lower.tolist() == [true_rank(each, 1e-8) for each in stack]


def test_full_rank_needs_no_eigenvalues(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = np.random.default_rng(0).standard_normal((5, 60, 8))
    expected = epsilon_rank(stack[2], 1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(np.linalg, "eigh", lambda grams: 1 / 0)
        found = batched_epsilon_rank(stack, 1e-6)
    assert found.lower.tolist() == [8] * 5
    assert found[2].reason == "G − εI is positive definite, rounding included"
    np.testing.assert_allclose(found[2].spectrum, expected.spectrum, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-2, 1e3, np.nan])
def test_intervals_hold_for_wrong_eigenpairs(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    right = np.linalg.eigh

    def lie(grams: Any) -> Any:
        values, vectors = right(grams)
        noise = np.random.default_rng(0).standard_normal(vectors.shape)
        return values * (1 + size), vectors + size * noise

    stacks = [stack_of(kind, 7) for kind in ("tanh neurons", "duplicates", "integers")]
    expected = [ends(epsilon_rank(each, 1e-3) for each in stack) for stack in stacks]
    monkeypatch.setattr(np.linalg, "eigh", lie)
    assert [ends(batched_epsilon_rank(stack, 1e-3)) for stack in stacks] == expected


def test_a_cholesky_that_lies_is_the_only_thing_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    # `info` is what LAPACK says, as for `all_above`; a failure costs time alone.
    stack = np.random.default_rng(0).standard_normal((3, 40, 5))
    monkeypatch.setattr(lapack, "dpotrf", lambda matrix, **_: (matrix, 1))
    assert batched_epsilon_rank(stack, 1e-6).lower.tolist() == [5] * 3


def test_no_convergence_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(grams: Any) -> Any:
        raise np.linalg.LinAlgError("did not converge")

    stack = stack_of("tanh neurons", 2)
    expected = ends(epsilon_rank(each, 1e-6) for each in stack)
    monkeypatch.setattr(np.linalg, "eigh", fail)
    assert ends(batched_epsilon_rank(stack, 1e-6)) == expected


def test_threads_share_the_matrices_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    right = batched.stacked_spectra

    def watched(*arguments: Any) -> Any:
        seen.add(threading.current_thread().name)
        return right(*arguments)

    monkeypatch.setattr(batched, "stacked_spectra", watched)
    monkeypatch.setattr(batched, "_ENTRIES_AT_A_TIME", 2000)
    monkeypatch.setattr(batched, "_cores", lambda: 3)
    generator = np.random.default_rng(1)
    x = np.linspace(-1, 1, 60)[:, None]
    stack = np.stack([np.tanh(x * generator.uniform(-s, s, 8)) for s in range(1, 41)])
    found = assert_as_alone(stack, 1e-4)
    assert len(set(found.lower.tolist())) > 2
    assert threading.current_thread().name not in seen


def test_large_ones_are_taken_one_by_one() -> None:
    stack = np.random.default_rng(0).standard_normal((2, 140, 130))
    assert batched_epsilon_rank(stack, 1e-6).lower.tolist() == [130, 130]


def test_the_result_is_a_sequence() -> None:
    stack = stack_of("monomials", 1, m=10)
    found = batched_epsilon_rank(stack, 1e-6)
    assert len(found) == 10
    assert ends([found[-1]]) == ends(found)[-1:]
    assert ends(found[2:4]) == ends(found)[2:4]
    assert repr(found).startswith("10 ε-ranks at ε = 1e-06: ")
    with pytest.raises(IndexError):
        found[10]


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        (np.ones((3, 2)), r"stack has shape \(3, 2\); pass \(m, N, n\)"),
        (np.ones((0, 3, 2)), "none of them 0"),
        ([], "stack is empty"),
        ([np.ones((3, 2)), np.ones((4, 2))], r"stack has shapes \(3, 2\), \(4, 2\)"),
        ([np.ones((3, 2)), np.ones((3, 2), np.float32)], "stack has dtypes float32, float64"),
        ([np.ones((3, 2)), np.ones(3)], r"stack\[1\] has 1 dimension"),
        (np.full((2, 3, 2), np.nan), "stack has 12 non-finite entries"),
        ([np.ones((3, 2)), np.full((3, 2), np.inf)], r"stack\[1\] has 6 non-finite"),
        ("words", "stack"),
    ],
)
def test_bad_stacks_are_one_line(stack: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        batched_epsilon_rank(stack, 1e-6)
    assert "\n" not in str(error.value)


def test_other_bad_arguments_are_those_of_one_matrix() -> None:
    stack = np.ones((2, 3, 2))
    for bad in ({"eps": 0.0}, {"weights": [1.0]}, {"measure": "volume"}, {"measure": "x"}):
        with pytest.raises(InputError) as one:
            epsilon_rank(stack[0], **({"eps": 1e-6} | bad))
        with pytest.raises(InputError) as many:
            batched_epsilon_rank(stack, **({"eps": 1e-6} | bad))
        assert str(one.value) == str(many.value)
