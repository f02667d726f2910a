"""V(B) of the squared error in ball arithmetic, also with a free bias and in few directions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import arb_mat

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.certified.ball_reachable import reachable
from epsrank.theory.floor.certified.ball_spectrum import BallSpectrum, ball_spectrum
from epsrank.theory.floor.certified.exact_data import ExactData, exact_data
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.interval import Interval

_PRECISION = 192


def certified_value(
    features: Features,
    target: Matrix,
    norm: float,
    measure: Measure,
    *,
    free: bool,
    directions: int | None = None,
    precision: int = _PRECISION,
) -> Interval:
    """Enclose V(B), or with `directions` p the T(p, B) of R; `free` leaves the bias unpenalised."""
    given = features
    if free:
        ones = np.ones((features.n_samples, 1))
        given = replace(features, given=np.hstack([features.values, ones]), exact=True)
    data = exact_data(given, target, measure)
    if free:
        data = without_last_feature(data)
    spectrum = ball_spectrum(data, precision)
    if directions is not None and directions < spectrum.size:
        spectrum = _leading(spectrum, directions)
    best = Interval(Fraction(0), data.target_norm_squared)
    return reachable(data, spectrum, best, Fraction(norm) ** 2).value


def without_last_feature(data: ExactData) -> ExactData:
    """Project the last feature off all others and off the target, exactly.

    With J the joint Gram matrix of [F T] and c its index, J′ = (J_cc J − J_·c J_c·)/J_cc.
    """
    last, size = data.n_features - 1, data.n_features + data.n_outputs
    pivot = int(data.joint[last, last])
    kept = [index for index in range(size) if index != last]
    rows = [
        [
            pivot * int(data.joint[i, j]) - int(data.joint[i, last]) * int(data.joint[last, j])
            for j in kept
        ]
        for i in kept
    ]
    return ExactData(
        joint=type(data.joint)(rows),
        n_features=last,
        n_outputs=data.n_outputs,
        gram_unit=data.gram_unit / pivot,
        moment_unit=data.moment_unit / pivot,
        target_unit=data.target_unit / pivot,
    )


def _leading(spectrum: BallSpectrum, count: int) -> BallSpectrum:
    """Return the same basis cut to its first columns."""
    moments = spectrum.moments.tolist()[:count]
    block = [row[:count] for row in spectrum.matrix.tolist()[:count]]
    return replace(
        spectrum,
        diagonal=spectrum.diagonal[:count],
        couplings=[row[:count] for row in spectrum.couplings[:count]],
        matrix=arb_mat(block) if count else arb_mat(0, 0),
        moments=arb_mat(moments) if count else arb_mat(0, spectrum.moments.ncols()),
        eigenvalues=spectrum.eigenvalues[:count],
        rank=min(spectrum.rank, count),
    )
