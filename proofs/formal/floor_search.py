"""The search for a floor certificate: nearly the best output layer, in as few bits as it takes.

Nothing here is trusted. The multiplier μ of V(B) comes from ball arithmetic, β = (G + μI)⁻¹b from
a linear solve; then β and its residual are rounded to fewer and fewer bits, and the bound that is
left is evaluated exactly. Its error is of second order in the rounding where the norm is active.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, ctx, fmpz_mat

from epsrank.proofs.formal.floor_check import DualBound, IntegerTarget, dual_bound, dual_vectors
from epsrank.proofs.formal.integer_data import IntegerData
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_distance import distances
from epsrank.theory.floor.certified.ball_matrix import identity, largest_exponent
from epsrank.theory.floor.certified.ball_reachable import reachable
from epsrank.theory.floor.certified.ball_spectrum import ball_spectrum
from epsrank.theory.floor.certified.exact_data import ExactData
from epsrank.theory.numbers.dyadic import nearest_integer, power_of_two, to_fmpq
from epsrank.theory.numbers.interval import Interval

# Bits of the ball arithmetic that encloses V(B), and of the linear solve.
_BALLS, _SOLVE = 256, 1024

# Bits after the point that are tried for β.
_LADDER = (24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512)

# Near enough: relative to V(B), or to ‖u*‖² where V(B) is next to nothing.
_RELATIVE, _ABSOLUTE = Fraction(1, 10**9), Fraction(1, 10**18)


@dataclass(frozen=True, eq=False)
class FloorWitness:
    """What a floor certificate adds to the measurement."""

    #: The bound, in the 53 bits of a float64.
    x: Fraction
    #: β·2^b.
    layer: fmpz_mat
    #: b, and s for the rounded residual.
    layer_scale: int
    dual_scale: int
    #: V(B).
    reachable: Interval


def search_floor(
    data: IntegerData, target: IntegerTarget, exact: ExactData, norm_squared: Fraction
) -> FloorWitness:
    """Find a certificate that the checker accepts, close to V(B)."""
    spectrum = ball_spectrum(exact, _BALLS)
    best = distances(exact, spectrum).squared[-1]
    enclosure = reachable(exact, spectrum, best, norm_squared)
    layer = _best_layer(exact, enclosure.multiplier, norm_squared)
    wanted = enclosure.value.lower
    wanted -= max(_RELATIVE * wanted, _ABSOLUTE * exact.target_norm_squared)

    def evaluate(bits: int, dual_scale: int) -> Fraction:
        rounded = _rounded(layer, bits)
        dual = dual_vectors(data, target, rounded, bits, dual_scale)
        return lower_end(dual_bound(data, target, dual, dual_scale), norm_squared)

    # Tiny layers and targets have their digits further behind the point.
    entries = [entry for entry in layer.entries() if entry != 0]
    tiny_layer = max(0, -largest_exponent(entries)) if entries else 0
    largest = max(abs(u) for row in target.outputs for u in row)
    tiny_target = max(0, target.level - largest.bit_length())
    # First β with a residual fine enough for it, then the residual in as few bits as do.
    rungs = [(b + tiny_layer, b + tiny_target) for b in _LADDER]
    bits, finest = next((r for r in rungs if evaluate(r[0], r[1] + 8) >= wanted), rungs[-1])
    scales = range(tiny_target + 8, finest + 8, 4)
    dual_scale = next((s for s in scales if evaluate(bits, s) >= wanted), finest + 8)
    x = evaluate(bits, dual_scale)
    below = _rounded_down(x) if x > 0 else Fraction(0)
    if below <= 0:
        raise InputError(
            "norm",
            f"leaves V(B) in {enclosure.value}, of which no positive bound was certified",
            "pass a smaller bound; a floor of 0 needs no certificate",
        )
    return FloorWitness(below, _rounded(layer, bits), bits, dual_scale, enclosure.value)


def lower_end(bound: DualBound, norm_squared: Fraction) -> Fraction:
    """Return  value − 2B |Φᵀρ|, the root rounded up."""
    square = 4 * norm_squared * bound.correlation_squared
    if square == 0:
        return bound.value
    # 128 bits of the root, whatever its size.
    size = square.numerator.bit_length() - square.denominator.bit_length()
    shift = 128 - size // 2
    scaled = square * power_of_two(2 * shift)
    # isqrt rounds down: one more is above the root.
    root = math.isqrt(-(-scaled.numerator // scaled.denominator)) + 1
    return bound.value - root * power_of_two(-shift)


def _rounded_down(x: Fraction) -> Fraction:
    """Return x > 0 in the 53 bits of a float64, whose range it may leave."""
    shift = 52 - (x.numerator.bit_length() - x.denominator.bit_length())
    return math.floor(x * power_of_two(shift)) * power_of_two(-shift)


def _best_layer(exact: ExactData, multiplier: Fraction, norm_squared: Fraction) -> Any:
    """Return β = (G + μI)⁻¹b as points, one row per output; 0 where B = 0.

    A singular G with μ = 0 gets a multiplier far below all that matters.
    """
    size, outputs = exact.n_features, exact.n_outputs
    if norm_squared == 0 or exact.rank == 0:
        return arb_mat(outputs, size)
    with ctx.workprec(_SOLVE):
        largest = max(abs(int(x)) for x in exact.gram_integers.entries())
        gram = arb_mat(exact.gram_integers) * arb(to_fmpq(exact.gram_unit))
        least = exact.gram_unit * largest * power_of_two(-_SOLVE // 3)
        shift = arb(to_fmpq(max(multiplier, least)))
        moments = arb_mat(exact.moment_integers) * arb(to_fmpq(exact.moment_unit))
        # Midpoints: nothing has to be enclosed, since the checker tries the integers anyhow.
        solved = (gram + identity(size) * shift).mid().solve(moments.mid())
        return solved.mid().transpose()


def _rounded(layer: Any, bits: int) -> fmpz_mat:
    """Return the entries times 2^bits, rounded."""
    with ctx.workprec(_SOLVE):
        scaled = (layer * arb(2) ** bits).tolist()
        return fmpz_mat([[_nearest(x) for x in row] for row in scaled])


def _nearest(number: arb) -> int:
    mantissa, exponent = number.mid().man_exp()
    return nearest_integer(int(mantissa), int(exponent))
