"""How far the chosen neurons are from the network: bounds with the rounding against us."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.decomposed.weighting import WeightedProblem, residual_norm
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.dyadic import dyadic_matrix, power_of_two
from epsrank.theory.numbers.rounding import UNDERFLOW, chunked_product, gamma, upward
from epsrank.theory.numbers.scaled import frobenius, norm_error, times_power_of_two
from epsrank.theory.selection.basis import ENTRY_ERROR, NeuronBasis
from epsrank.theory.selection.constants import selection_factor


def transfer_matrix(basis: NeuronBasis, kept: NDArray[np.intp]) -> Matrix:
    """Return K = V₁₂V₂₂⁻¹: the p neurons kept take over −K W_T of the n − p left out (N1).

    The combination C = W_S − K W_T has u − φ_S C = φ·(K; I)W_T, whose coefficients lie in the span
    of the trailing eigenvectors. Computed from the smaller block, as V₁₂V₂₂⁻¹ = −(V₂₁V₁₁⁻¹)ᵀ.
    """
    n, p = basis.n_features, len(kept)
    left_out = np.setdiff1d(np.arange(n), kept)
    vectors = basis.vectors
    small = 2 * p <= n
    block = vectors[:, :p] if small else vectors[:, p:]
    inside, outside = (kept, left_out) if small else (left_out, kept)
    try:
        with warnings.catch_warnings():
            # An ill-conditioned block makes a large residual, and that is measured.
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            found = scipy.linalg.solve(block[inside].T, block[outside].T, check_finite=False)
    except np.linalg.LinAlgError:
        return np.full((p, n - p), math.inf)
    return np.ascontiguousarray(-found if small else found.T)


def certified_bound(basis: NeuronBasis, kept: NDArray[np.intp], transfer: Matrix) -> float:
    """Return c with ‖u − φ_S(W_S − K W_T)‖ ≤ c ‖W_T‖_F for every W, rounding included (N1).

    With K as stored, t = max|K_ij| and the residual R = V₂ − (K; I)V₂₂ of the computed trailing
    eigenvectors, A(K; I) = (A V₂ − A R)V₂₂⁻¹ and ‖V₂₂⁻¹‖ ≤ ‖(K; I)‖/(1 − δ_V − ‖R‖), so

        c = √(1 + t²p(n−p)) (σ_{p+1} + F + ‖A‖(δ_V + ‖R‖)) / (1 − δ_V − ‖R‖).

    Nothing is assumed of the solver or of the eigenvectors beyond the residuals measured here.
    """
    n, p = basis.n_features, len(kept)
    if p == n:
        return 0.0
    if not np.isfinite(transfer).all():
        return math.inf
    left_out = np.setdiff1d(np.arange(n), kept)
    trailing = basis.vectors[:, p:]
    residual = 0.0
    if p:
        product, g = chunked_product(transfer, trailing[left_out])
        rest = trailing[kept] - product
        sizes = frobenius(transfer) * frobenius(trailing[left_out]) + frobenius(trailing[kept])
        residual = upward(
            frobenius(rest) * (1 + norm_error(rest.size))
            + (g + 2.0**-52) * (1 + 1e-9) * sizes
            + UNDERFLOW
        )
    loss = upward(basis.defect + residual)
    if loss >= 0.5:
        return math.inf
    growth = float(np.max(np.abs(transfer), initial=0.0))
    reach = float(basis.sigma[p]) + basis.error + basis.size * loss
    scaled = math.sqrt(upward(selection_factor(n, p, growth))) * reach / (1 - loss)
    return times_power_of_two(upward(scaled), basis.problem.feature_exponent)


def certified_distance(
    basis: NeuronBasis, kept: NDArray[np.intp], coefficients: Matrix, chosen: Matrix
) -> tuple[float, float]:
    """Return an upper bound of ‖φ·W − φ_S·C‖, and the rounding in it, from the data.

    The rounding is that of `output_norm` at z with z_S = W_S − C and z_T = W_T.
    """
    difference = coefficients.copy()
    difference[kept] -= chosen
    return output_norm(basis.problem, basis.size, difference)


def output_norm(problem: WeightedProblem, size: float, difference: Matrix) -> tuple[float, float]:
    """Return an upper bound of ‖φ·z‖ in the measure, and the rounding in it, from the data.

    The norm is formed in float64; every rounding of features, weights, products and sums, and one
    in every entry of z, is covered by F‖z‖_F.

    The second number is that part, F‖z‖_F.
    """
    if not difference.any():
        return 0.0, 0.0
    # With y = 0 the residual ‖Az − y‖ is ‖Az‖.
    zero = np.zeros((problem.matrix.shape[0], difference.shape[1]))
    measured = residual_norm(replace(problem, target=zero), difference)
    evaluation = norm_error(zero.size)
    factor = (
        2 * ENTRY_ERROR
        + gamma(problem.matrix.shape[1] + 4)
        + evaluation
        + norm_error(difference.size)
    )
    rounding = times_power_of_two(upward(factor * size), problem.feature_exponent)
    rounding = upward(rounding * frobenius(difference) + UNDERFLOW)
    return upward(measured * (1 + evaluation) + rounding), rounding


def exact_distance(
    features: Features,
    measure: Measure,
    kept: NDArray[np.intp],
    coefficients: Matrix,
    chosen: Matrix,
) -> Fraction:
    """Return ‖φ·W − φ_S·C‖² without rounding: zᵀGz in integers."""
    gram = exact_gram(features, measure)
    n, outputs = coefficients.shape
    spread = np.zeros((n, outputs))
    spread[kept] = chosen
    both, exponent = dyadic_matrix(np.concatenate([coefficients, spread], axis=1))
    table = both.tolist()
    columns = [[row[j] - row[outputs + j] for row in table] for j in range(outputs)]
    total = 0
    for column in columns:
        image = gram.matrix * type(both)(n, 1, column)
        total += sum(int(x) * int(image[i, 0]) for i, x in enumerate(column))
    return total * gram.scale * power_of_two(2 * exponent)
