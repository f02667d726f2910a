"""The public functions: choose p neurons, or as few as a tolerance allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from epsrank.theory.data.inputs import Features, as_coefficients, as_features, as_norm, as_whole
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.dyadic import root_above
from epsrank.theory.numbers.rounding import upward
from epsrank.theory.numbers.scaled import frobenius, norm_error
from epsrank.theory.selection.basis import NeuronBasis, neuron_basis
from epsrank.theory.selection.certify import (
    certified_bound,
    certified_distance,
    exact_distance,
    transfer_matrix,
)
from epsrank.theory.selection.constants import draft_bound, selection_bound
from epsrank.theory.selection.result import NeuronSelection
from epsrank.theory.selection.rows import closest_neurons, kept_by_exchange, kept_by_minor

Method = Literal["auto", "minors", "exchange", "closest"]

#: Subsets up to which ``auto`` tries all minors, and up to which exhaustion is allowed at all.
FEW_SUBSETS, MOST_SUBSETS = 5_000, 2_000_000


def select_neurons(
    features: Any,
    p: int,
    *,
    coefficients: Any = None,
    method: Method = "auto",
    f: float = 1.1,
    weights: Any = None,
    measure: Any = "mean",
    exact: bool = False,
) -> NeuronSelection:
    """Return p of the n neurons that carry u = φ·W up to √((1 + f²p(n−p)) λ_{p+1}) ‖W‖_F (N1).

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ.
    p : int
        Neurons to keep, 0 ≤ p ≤ n.
    coefficients : array_like or tensor, shape (n,) or (n, k), optional
        β or W; without them the selection serves every W (see `NeuronSelection.transfer`).
    method : {"auto", "minors", "exchange", "closest"}
        ``minors``: the largest |det V₂₂| by trying all subsets (f = 1). ``exchange``: strong
        rank-revealing QR, polynomial, factor 1 + f²p(n−p). ``closest``: the least
        dist(u, span φ_S) by trying all subsets; needs `coefficients` and promises no constant of
        its own. ``auto``: ``minors`` where there are few subsets, else ``exchange``.
    f : float
        Bound f > 1 of the exchange on the entries of V₁₂V₂₂⁻¹.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"}
        Normalisation of the weights.
    exact : bool
        Whether the error is computed in integers instead of float64 with a rounding bound.

    Returns
    -------
    NeuronSelection
        Neurons, coefficients, certified error and both constants.

    Raises
    ------
    InputError
        If an argument cannot be used, or a method would try too many subsets.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(3 * x[:, None] + np.linspace(-2, 2, 12))
    >>> chosen = select_neurons(features, 6, coefficients=np.ones(12))
    >>> chosen.error <= chosen.bound <= chosen.draft
    True
    """
    case = _case(features, coefficients, weights, measure, exact)
    count = as_whole(p, "p", least=0, most=case.basis.n_features)
    return _select(case, count, _as_method(method), _as_f(f))


def fewest_neurons(
    features: Any,
    tolerance: float,
    *,
    coefficients: Any,
    method: Method = "auto",
    f: float = 1.1,
    weights: Any = None,
    measure: Any = "mean",
    exact: bool = False,
) -> NeuronSelection:
    """Return few neurons with certified ‖u − φ_S·C‖ ≤ tolerance, p found by bisection.

    The tolerance is met for certain. That no smaller p meets it is not: the certified error of one
    method need not fall with p, though it all but does.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ.
    tolerance : float
        Largest ‖u − u_p‖ in the measure; √loss grows by no more.
    coefficients : array_like or tensor, shape (n,) or (n, k)
        β or W.
    method, f, weights, measure, exact
        As in `select_neurons`.

    Returns
    -------
    NeuronSelection
        The selection.
    """
    case = _case(features, coefficients, weights, measure, exact)
    limit, how, bound = as_norm(tolerance, name="tolerance"), _as_method(method), _as_f(f)
    # With all neurons C = W, and the error is 0: every tolerance is met.
    low, high = 0, case.basis.n_features
    found = _select(case, high, how, bound)
    while low < high:
        middle = (low + high) // 2
        tried = _select(case, middle, how, bound)
        if tried.error is not None and tried.error <= limit:
            high, found = middle, tried
        else:
            low = middle + 1
    return found


@dataclass(frozen=True, eq=False)
class _Case:
    """Checked input and its decomposition."""

    features: Features
    measure: Measure
    basis: NeuronBasis
    coefficients: Array | None
    exact: bool


def _case(features: Any, coefficients: Any, weights: Any, measure: Any, exact: bool) -> _Case:
    """Check the arguments and decompose the features once."""
    checked = as_features(features)
    law = as_measure(measure, weights, checked.n_samples)
    head = None if coefficients is None else as_coefficients(coefficients, checked.n_features)
    return _Case(checked, law, neuron_basis(checked, law), head, exact)


def _as_method(method: str) -> str:
    """Check the name of a method."""
    if method not in get_args(Method):
        raise InputError("method", f"is {method!r}", f"choose one of {', '.join(get_args(Method))}")
    return method


def _as_f(f: float) -> float:
    """Check f > 1, a little above so that exchanges end."""
    value = as_norm(f, name="f")
    if not 1.001 <= value <= 1e6:
        raise InputError("f", f"is {value:g}", "pass a number from 1.001 up, such as 1.1")
    return value


def _kept(case: _Case, p: int, method: str, f: float) -> tuple[NDArray[np.intp], str]:
    """Return S and the method that chose it."""
    basis = case.basis
    n = basis.n_features
    count = math.comb(n, p)
    if method == "auto":
        method = "minors" if count <= FEW_SUBSETS else "exchange"
    if method != "exchange" and count > MOST_SUBSETS:
        raise InputError("method", f"is {method!r} with {count} subsets", "choose 'exchange'")
    if method == "minors":
        return kept_by_minor(basis.vectors, p), method
    if method == "exchange":
        return kept_by_exchange(basis.vectors, p, f), method
    if case.coefficients is None:
        raise InputError("method", "is 'closest' without coefficients", "pass them, or 'minors'")
    return closest_neurons(basis.compressed(), _unit(case.coefficients), p), method


def _unit(coefficients: Array) -> Array:
    """Return W scaled by a power of two to a norm near 1."""
    return np.ldexp(coefficients, -int(np.frexp(frobenius(coefficients))[1]))


def _select(case: _Case, p: int, method: str, f: float) -> NeuronSelection:
    """Choose, then certify."""
    basis = case.basis
    kept, how = _kept(case, p, method, f)
    transfer = transfer_matrix(basis, kept)
    constant = certified_bound(basis, kept, transfer)
    growth = float(np.max(np.abs(transfer), initial=0.0))
    chosen = route = error = rounding = norm = bound = ours = draft = None
    if case.coefficients is not None:
        chosen, route, error, rounding = _fitted(case, kept, transfer)
        norm = frobenius(case.coefficients)
        bound = upward(constant * norm * (1 + norm_error(case.coefficients.size))) if norm else 0.0
        ours = selection_bound(basis.singular_values, p, norm)
        draft = draft_bound(basis.singular_values, p, norm)
    return NeuronSelection(
        neurons=kept,
        n_features=basis.n_features,
        method=how,
        growth=growth,
        transfer=transfer,
        constant=constant,
        coefficients=chosen,
        route=route,
        error=error,
        rounding=rounding,
        norm=norm,
        bound=bound,
        ours=ours,
        draft=draft,
        measure=case.measure.name,
        dtype=case.features.dtype,
    )


def _fitted(
    case: _Case, kept: NDArray[np.intp], transfer: Array
) -> tuple[Array, str, float, float]:
    """Return the better of the theorem's C and the least-squares C, with its certified error."""
    head = case.coefficients
    assert head is not None
    left_out = np.setdiff1d(np.arange(len(head)), kept)
    candidates: list[tuple[str, Array]] = []
    if np.isfinite(transfer).all():
        # Where u has no neuron left out, this is W itself and the error is 0.
        candidates.append(("transfer", head[kept] - transfer @ head[left_out]))
    if len(left_out):
        candidates.append(("least-squares", _projected(case.basis, kept, head)))
    judged = []
    for route, chosen in candidates:
        if not np.isfinite(chosen).all():
            continue
        error, rounding = certified_distance(case.basis, kept, head, chosen)
        if case.exact:
            squared = exact_distance(case.features, case.measure, kept, head, chosen)
            error, rounding = root_above(squared), 0.0
        judged.append((error, rounding, route, chosen))
    if not judged:
        # Where every candidate overflowed C = 0 is left, with the error ‖u‖.
        zero = np.zeros((len(kept), head.shape[1]))
        error, rounding = certified_distance(case.basis, kept, head, zero)
        judged.append((error, rounding, "transfer", zero))
    error, rounding, route, chosen = min(judged, key=lambda entry: entry[0])
    return chosen, route, error, rounding


def _projected(basis: NeuronBasis, kept: NDArray[np.intp], head: Array) -> Array:
    """Return argmin_C ‖A_S C − A W‖_F, the least one in norm where A_S is rank-deficient."""
    if len(kept) == 0:
        return np.zeros((0, head.shape[1]))
    compressed = basis.compressed()
    shift = int(np.frexp(frobenius(head))[1])
    goal = compressed @ np.ldexp(head, -shift)
    # Singular values that are rounding are not to be divided by.
    solution = scipy.linalg.lstsq(
        compressed[:, kept], goal, cond=4 * len(head) * 2.0**-52, check_finite=False
    )[0]
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(solution, shift))
