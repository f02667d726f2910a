"""ε-rank and loss floor of a network in L²(Ω), precision raised until they are decided (C3)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from epsrank.theory.continuous.pieces import analytic_pieces
from epsrank.theory.continuous.problem import ContinuousProblem, continuous_problem, length_factor
from epsrank.theory.continuous.results import ContinuousFloor, ContinuousRank, Quadrature
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.continuous.targets import ANALYTIC_TARGETS, AnalyticTarget
from epsrank.theory.data.inputs import as_box, as_eps
from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.certificate import TOLERANCE
from epsrank.theory.floor.certified.chain import decide_chain
from epsrank.theory.floor.certified.exact_data import norm_squared
from epsrank.theory.numbers.interval import nearest
from epsrank.theory.words import plural

BiasTreatment = Literal["feature", "fixed", "none"]

# The precision doubles until all thresholds are decided; beyond this an interval stays open.
_MAX_BITS = 1536


def continuous_rank(
    network: DenseNetwork,
    eps: float,
    domain: Sequence[float] = (-1.0, 1.0),
    *,
    measure: str = "volume",
    constant: bool = False,
    bits: int = 192,
    max_bits: int = _MAX_BITS,
) -> ContinuousRank:
    """Certify r_ε of G = ∫_Ω φφᵀ dμ for a network with one input and an analytic σ.

    Ω is cut into pieces around which φ is analytic in a Bernstein ellipse, |φ| is bounded there by
    complex balls, and Gauss–Legendre sums with that remainder enclose G. Two certificates must
    agree: the inertia of G − εI by LDLᵀ in balls, and Weyl's intervals of the eigenvalues.

    Parameters
    ----------
    network : DenseNetwork
        φ; its float64 weights are exact.
    eps : float
        ε > 0.
    domain : (float, float)
        Ω.
    measure : {"volume", "mean"}
        dx, or dx/|Ω|.
    constant : bool
        Whether the constant 1 is one more feature.
    bits : int
        Precision to start with.
    max_bits : int
        Precision at which to give up.

    Returns
    -------
    ContinuousRank
        The ε-rank; an interval with a reason where an eigenvalue is too close to ε.

    Raises
    ------
    InputError
        If the network cannot be continued, or has a pole on Ω.

    Notes
    -----
    C3 in the project's numbering.
    """
    return continuous_ranks(
        network, [eps], domain, measure=measure, constant=constant, bits=bits, max_bits=max_bits
    )[0]


def continuous_ranks(
    network: DenseNetwork,
    eps: Sequence[float],
    domain: Sequence[float] = (-1.0, 1.0),
    *,
    measure: str = "volume",
    constant: bool = False,
    bits: int = 192,
    max_bits: int = _MAX_BITS,
) -> list[ContinuousRank]:
    """Certify the ε-rank at several thresholds from the same integrals."""
    thresholds = [as_eps(value) for value in eps]
    system = AnalyticSystem(network, constant)
    ends = _as_interval(domain)
    found: list[ContinuousRank] = []
    for problem in _problems(system, ends, measure, bits, max_bits, min(thresholds, default=1.0)):
        found = [_rank(problem, value, ends, measure, network.activation) for value in thresholds]
        if all(rank.resolved for rank in found):
            break
    return found


def continuous_floor(
    network: DenseNetwork,
    target: str | AnalyticTarget,
    eps: float,
    domain: Sequence[float] = (-1.0, 1.0),
    *,
    measure: str = "volume",
    bias: BiasTreatment = "feature",
    bits: int = 192,
    max_bits: int = _MAX_BITS,
) -> ContinuousFloor:
    """Certify floor ≤ envelope ≤ V(‖β‖) ≤ loss in L²(Ω) against a known target (F2, F3, C3).

    Parameters
    ----------
    network : DenseNetwork
        φ, with its output layer β of one output.
    target : str or AnalyticTarget
        u*: a key of ``ANALYTIC_TARGETS`` or a function of complex balls.
    eps : float
        ε.
    domain, measure, bits, max_bits
        As in `continuous_rank`.
    bias : {"feature", "fixed", "none"}
        The output bias as the coefficient of the constant feature, subtracted from the target, or
        left out.

    Returns
    -------
    ContinuousFloor
        Enclosures of the four numbers and a verdict for each inequality.

    Raises
    ------
    InputError
        If the network has no single output, or the target is unknown.
    """
    goal = _as_target(target)
    if network.head is None or network.head.shape[1] != 1:
        raise InputError("network", "does not have exactly one output", "pass one with a head")
    if bias not in ("feature", "fixed", "none"):
        raise InputError("bias", f"is {bias!r}", "choose 'feature', 'fixed' or 'none'")
    offset = 0.0 if network.offset is None else float(network.offset[0])
    threshold, ends = as_eps(eps), _as_interval(domain)
    system = AnalyticSystem(network, bias == "feature", goal, offset if bias == "fixed" else 0.0)
    beta = [*network.head[:, 0].tolist(), *([offset] if bias == "feature" else [])]
    budget = norm_squared(np.array(beta)[:, None])
    for problem in _problems(system, ends, measure, bits, max_bits, threshold):
        loss = problem.loss(beta)
        chain = decide_chain(problem, problem.spectrum, threshold, loss, budget, TOLERANCE)
        rank = _rank(problem, threshold, ends, measure, network.activation)
        if rank.resolved and all(verdict.holds for verdict in chain["verdicts"]):
            break
    return ContinuousFloor(
        loss=loss,
        reachable=chain["reachable"],
        envelope=chain["envelope"],
        floor=chain["floor"],
        norm_squared=budget,
        target_norm_squared=problem.target_norm,
        rank=rank,
        distances_squared=chain["distances_squared"],
        floors=chain["floors"],
        verdicts=chain["verdicts"],
        target=goal.formula,
        bias=bias,
        reason="" if all(v.holds for v in chain["verdicts"]) else chain["reason"],
    )


def _problems(
    system: AnalyticSystem,
    ends: tuple[float, float],
    measure: str,
    bits: int,
    max_bits: int,
    eps: float,
) -> Iterator[ContinuousProblem]:
    """Yield the problem in rising precision; the caller stops when it is decided."""
    if bits < 128 or max_bits < bits:
        raise InputError("bits", f"is {bits} of at most {max_bits}", "start with 128 bits or more")
    # Refuses a wrong measure now, before the search for pieces takes its time.
    length_factor(*ends, measure)
    pieces = analytic_pieces(system, *ends)
    # The remainder is absolute, so that a small ε needs as many bits more.
    extra = max(0, -math.floor(math.log2(eps)) - 40)
    while True:
        yield continuous_problem(system, *ends, measure, bits + extra, pieces)
        if 2 * bits > max_bits:
            return
        bits *= 2


def _rank(
    problem: ContinuousProblem,
    eps: float,
    ends: tuple[float, float],
    measure: str,
    activation: str,
) -> ContinuousRank:
    """Count above ε by both certificates."""
    threshold = Fraction(eps)
    spectrum = problem.spectrum.eigenvalues
    lower = sum(interval.lower > threshold for interval in spectrum)
    upper = sum(interval.upper > threshold for interval in spectrum)
    count = problem.count_above(threshold)
    if count is not None:
        if not lower <= count <= upper:
            raise ArithmeticError(f"two certificates differ: {count} outside [{lower}, {upper}]")
        lower = upper = count
    gram = problem.gram
    return ContinuousRank(
        eps=eps,
        lower=lower,
        upper=upper,
        domain=ends,
        measure=measure,
        spectrum=tuple(spectrum),
        quadrature=Quadrature(gram.pieces, gram.nodes, gram.remainder, gram.bits),
        reason=_reason(problem, eps, lower, upper),
        activation=activation,
    )


def _reason(problem: ContinuousProblem, eps: float, lower: int, upper: int) -> str:
    """Name the eigenvalues on either side of ε, or say that ε lies inside enclosures."""
    spectrum = problem.spectrum.eigenvalues
    if lower < upper:
        return (
            f"ε lies inside {upper - lower} eigenvalue enclosures "
            f"of {plural(problem.gram.bits, 'bit')}"
        )
    above = f"λ_{lower} = {nearest(spectrum[lower - 1].lower):.4g}" if lower else ""
    below = f"λ_{lower + 1} = {nearest(spectrum[lower].upper):.4g}" if lower < len(spectrum) else ""
    return " > ε ≥ ".join(part for part in (above, below) if part) or f"ε = {eps:g}"


def _as_interval(domain: Any) -> tuple[float, float]:
    """Check Ω = [a, b]."""
    box = as_box(domain)
    if len(box) != 1:
        raise InputError("domain", f"has {plural(len(box), 'side')}", "pass (a, b)")
    low, high = box[0].tolist()
    return low, high


def _as_target(target: Any) -> AnalyticTarget:
    """Return the target of a name."""
    if isinstance(target, AnalyticTarget):
        return target
    if not isinstance(target, str) or target not in ANALYTIC_TARGETS:
        known = ", ".join(ANALYTIC_TARGETS)
        raise InputError("target", f"is {target!r}", f"choose one of {known}, or an AnalyticTarget")
    return ANALYTIC_TARGETS[target]
