"""Feature matrices Φ ∈ R^{N×n}, one flavour per way in which a rank count can go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from epsrank.proofs.strategies.entries import full_mantissas, small_integers
from epsrank.proofs.strategies.spectra import known_spectra
from epsrank.theory.numbers.arrays import Array, Matrix

#: What `feature_matrices` mixes; pass some of them to restrict it.
FLAVOURS = (
    "integers",
    "mantissas",
    "duplicated",
    "zero_columns",
    "deficient",
    "graded",
    "huge_range",
    "near_duplicates",
    "known",
    "float32",
    "float16",
    "bfloat16",
)


@st.composite
def _shape(draw: st.DrawFn, max_samples: int, max_features: int) -> tuple[int, int]:
    return draw(st.integers(1, max_samples)), draw(st.integers(1, max_features))


@st.composite
def integer_features(
    draw: st.DrawFn, max_samples: int = 7, max_features: int = 6, bound: int = 9
) -> Matrix:
    """Draw integer features, held in float64.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_samples, max_features : int
        Largest N and n.
    bound : int
        Largest modulus of an entry.

    Returns
    -------
    ndarray of float64, shape (N, n)
        Φ.
    """
    shape = draw(_shape(max_samples, max_features))
    return draw(
        hnp.arrays(np.int64, shape, elements=small_integers(bound), fill=st.nothing())
    ).astype(np.float64)


@st.composite
def _mantissas(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    shape = draw(_shape(max_samples, max_features))
    return draw(hnp.arrays(np.float64, shape, elements=full_mantissas(), fill=st.nothing()))


@st.composite
def _duplicated(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    base = draw(_mantissas(max_samples, max(1, max_features // 2)))
    columns = draw(st.lists(st.integers(0, base.shape[1] - 1), min_size=1, max_size=max_features))
    return base[:, columns]


@st.composite
def _zero_columns(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    base = draw(integer_features(max_samples, max_features)).copy()
    count = draw(st.integers(1, base.shape[1]))
    base[:, :count] = 0.0
    return base


@st.composite
def _deficient(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    left = draw(integer_features(max_samples, max(1, max_features // 2)))
    width = draw(st.integers(1, max_features))
    right = draw(
        hnp.arrays(np.int64, (left.shape[1], width), elements=small_integers(4), fill=st.nothing())
    )
    return left @ right.astype(np.float64)


@st.composite
def _graded(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    """Columns on scales 10^0 … 10^-15: spectra that decay as those of smooth features do."""
    base = draw(_mantissas(max_samples, max_features))
    steps = draw(st.lists(st.integers(0, 15), min_size=base.shape[1], max_size=base.shape[1]))
    return base * 10.0 ** -np.array(steps, dtype=np.float64)


@st.composite
def _huge_range(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    base = draw(integer_features(max_samples, max_features))
    powers = st.sampled_from((0, 150, -150, 100, -100, 30, -30))
    if draw(st.booleans()):
        return base * 10.0 ** draw(powers)
    steps = draw(st.lists(powers, min_size=base.shape[1], max_size=base.shape[1]))
    return base * 10.0 ** np.array(steps, dtype=np.float64)


@st.composite
def _near_duplicates(draw: st.DrawFn, max_samples: int, max_features: int) -> Array:
    """Columns that differ by 10⁻³⁰ where they are zero, and by one ulp elsewhere."""
    base = draw(integer_features(max_samples, max(1, max_features // 2)))
    twin = base.copy()
    if draw(st.booleans()):
        twin[twin == 0] = 1e-30
    else:
        twin = np.nextafter(twin, np.inf)
        # Next to 0 is the least subnormal number, of which squares underflow.
        twin[np.abs(twin) < 1e-300] = 0.0
    return np.concatenate([base, twin], axis=1)


@st.composite
def narrow_features(
    draw: st.DrawFn, dtype: str, max_samples: int = 7, max_features: int = 6
) -> NDArray[Any]:
    """Draw features whose entries are float32, float16 or bfloat16 numbers.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    dtype : {"float32", "float16", "bfloat16"}
        Type to round to. bfloat16 comes as a float32 array of bfloat16 numbers.
    max_samples, max_features : int
        Largest N and n.

    Returns
    -------
    ndarray of float32 or float16, shape (N, n)
        Φ.
    """
    base = draw(
        st.one_of(_mantissas(max_samples, max_features), _graded(max_samples, max_features))
    )
    if dtype == "float16":
        return np.asarray(base, dtype=np.float16)
    narrow: NDArray[Any] = np.asarray(base, dtype=np.float32)
    if dtype == "bfloat16":
        bits = narrow.view(np.uint32)
        # Round half up in the last kept bit; ties to even would not matter here.
        narrow = ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)
    return narrow


@st.composite
def feature_matrices(
    draw: st.DrawFn,
    max_samples: int = 7,
    max_features: int = 6,
    flavours: tuple[str, ...] = FLAVOURS,
) -> NDArray[Any]:
    """Draw features of one of the flavours (`FLAVOURS`).

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_samples, max_features : int
        Largest N and n; the flavour ``known`` goes up to n = 4 and ``near_duplicates`` to one
        feature more where `max_features` is odd.
    flavours : tuple of str
        Which to choose from.

    Returns
    -------
    ndarray of float64, float32 or float16, shape (N, n)
        Φ, finite.
    """
    flavour = draw(st.sampled_from(flavours))
    sizes = (max_samples, max_features)
    if flavour in {"float32", "float16", "bfloat16"}:
        return draw(narrow_features(flavour, *sizes))
    if flavour == "known":
        return draw(known_spectra(4)).features
    table = {
        "integers": integer_features,
        "mantissas": _mantissas,
        "duplicated": _duplicated,
        "zero_columns": _zero_columns,
        "deficient": _deficient,
        "graded": _graded,
        "huge_range": _huge_range,
        "near_duplicates": _near_duplicates,
    }
    return draw(table[flavour](*sizes))


@st.composite
def feature_pairs(
    draw: st.DrawFn, max_samples: int = 6, max_features: int = 5
) -> tuple[Array, Array]:
    """Draw two feature matrices over the same neurons (equal n), with samples of their own.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_samples, max_features : int
        Largest N and n of each.

    Returns
    -------
    tuple of ndarray of float64
        Φ ∈ R^{N×n} and Ψ ∈ R^{M×n}.
    """
    flavours = ("integers", "mantissas", "graded", "deficient", "zero_columns", "huge_range")
    first = draw(feature_matrices(max_samples, max_features, flavours)).astype(np.float64)
    n = first.shape[1]
    entries = draw(st.sampled_from((small_integers(), full_mantissas())))
    rows = draw(st.integers(1, max_samples))
    second = draw(hnp.arrays(np.float64, (rows, n), elements=entries, fill=st.nothing()))
    return first, second * 10.0 ** draw(st.sampled_from((0, 0, -3, -8, 4)))
