"""F1, F2, F5 and the falling floor, decided without rounding on features of rational spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from epsrank.proofs.exact import oracle
from epsrank.proofs.exact.oracle import squared_distance
from epsrank.proofs.exact.rational_floor import RationalProblem, rational_problem, root_at_most_sum
from epsrank.proofs.strategies import (
    KnownSpectrum,
    coefficients,
    integer_features,
    known_spectra,
    norms,
    targets,
    thresholds,
)
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.floor.certified.attaining import attaining_family
from epsrank.theory.numbers.arrays import Array


@dataclass(frozen=True, eq=False)
class Instance:
    """Features of known spectrum with a target, coefficients and a threshold."""

    #: Φ.
    known: KnownSpectrum
    #: u* and W.
    target: Array
    coefficients: Array
    #: ε: a usual threshold or an eigenvalue itself.
    eps: Fraction

    def problem(self) -> RationalProblem:
        """Return the exact numbers."""
        return rational_problem(self.known, self.target, self.coefficients)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """Draw an instance, ε often equal to one of its eigenvalues."""
    known = draw(known_spectra(4))
    n_samples, n = known.features.shape
    target = draw(targets(n_samples))
    head = draw(coefficients(n, target.shape[1]))
    if draw(st.booleans()):
        # A target at the scale of the output, so that floors are neither 0 nor everything.
        moved = known.features @ head + target * 2.0 ** draw(st.integers(-20, 2))
        target = moved if np.isfinite(moved).all() else target
    positive = [value for value in known.eigenvalues if value > 0]
    eps = draw(st.sampled_from([Fraction(draw(thresholds())), *positive]))
    return Instance(known, target, head, eps)


@states("tail", instance=instances())
def tail_is_a_sum_over_eigenvalues(tally: Tally, instance: Instance) -> None:
    """‖u − P_p u‖² = Σ_{k>p} λ_k‖q_kᵀW‖² ≤ λ_{p+1}‖W‖_F² for every p, exactly (F1)."""
    problem = instance.problem()
    for p, (tail, formula) in enumerate(zip(problem.tails, problem.spectral_tails, strict=True)):
        if tail != formula:
            refute(f"p = {p}: the projection gives {tail}, the formula {formula}")
        if tail > problem.eigenvalues[p] * problem.norm:
            refute(f"p = {p}: the tail {tail} exceeds λ·‖W‖² = {problem.eigenvalues[p]}·…")
    r = problem.rank(instance.eps)
    if problem.tails[r] > instance.eps * problem.norm:
        refute(f"the tail beyond r_ε = {r} exceeds ε‖W‖²")
    tally.count(True)


@states("loss-floor", "reachable-loss", instance=instances())
def floor_holds_exactly(tally: Tally, instance: Instance) -> None:
    """d_p ≤ ‖u − u*‖ + √λ_{p+1}‖W‖_F for every p, and with ε at p = r_ε, exactly (F2)."""
    problem = instance.problem()
    for p, tail in enumerate(problem.eigenvalues):
        if not problem.floor_holds(p, tail):
            refute(f"the floor fails at p = {p}")
    r = problem.rank(instance.eps)
    if not problem.floor_holds(r, instance.eps):
        refute(f"the floor fails at r_ε = {r}, ε = {instance.eps}")
    tally.count(True)


@states("rank-budget", instance=instances())
def budget_holds_exactly(tally: Tally, instance: Instance) -> None:
    """p_min(δ) ≤ r_ε with δ² the loss and B = ‖W‖_F, exactly (F5)."""
    problem = instance.problem()
    budget, r = problem.rank_budget(instance.eps), problem.rank(instance.eps)
    if budget > r:
        refute(f"the budget asks for {budget}, but r_ε = {r} reached the loss {problem.loss}")
    tally.count(True)


@states("floor-decreases", instance=instances(), reach=st.fractions(0, 100))
def floor_at_fixed_tail_falls_with_rank(tally: Tally, instance: Instance, reach: Fraction) -> None:
    """(d_p − τ)₊ is non-increasing in p for every fixed τ, exactly."""
    distances = instance.problem().distances
    for p in range(len(distances) - 1):
        # (d − τ)₊ is monotone in d, so the distances decide for every τ; τ itself is spot-checked.
        if distances[p + 1] > distances[p]:
            refute(f"d_{p + 1} > d_{p}")
        if root_at_most_sum(distances[p], reach, Fraction(0)) and not root_at_most_sum(
            distances[p + 1], reach, Fraction(0)
        ):
            refute(f"floor 0 at p = {p} but not at p = {p + 1}, τ² = {reach}")
    tally.count(True)


@states(
    "floor-tight",
    n=st.integers(1, 6),
    below=st.integers(0, 5),
    eps=thresholds(),
    norm=norms(),
    factor=st.sampled_from((1.0, 1.5, 4.0, 1000.0)),
    more=st.integers(0, 3),
    share=0.5,
)
def floor_is_attained_exactly(
    tally: Tally, n: int, below: int, eps: float, norm: float, factor: float, more: int
) -> None:
    """For drawn n, p, ε, B, α the family has r_ε = p and ‖u − u*‖ = d_p − √ε‖β‖, exactly (F4)."""
    p = below % n
    assume(1e-200 < eps < 1e200)
    alpha = factor * math.sqrt(eps) * (norm or 1.0)
    family = attaining_family(n, p, eps, norm, alpha, n + more, generator=n)
    if not family.verify().holds:
        refute(f"the two sides of F2 differ: {family.verify()}")
    count = oracle.exact_rank(family.features, family.eps, family.weights, "raw")
    if count != p:
        refute(f"the ε-rank is {count}, not p = {p}")
    tally.count(True)


@states("floor-decreases", features=integer_features(5, 5, bound=5), data=st.data(), share=0.5)
def best_fit_by_fewer_neurons_is_no_better(
    tally: Tally, features: Array, data: st.DataObject
) -> None:
    """E_p over all p-subsets of a finite dictionary of neurons is non-increasing in p, exactly."""
    goal_array = data.draw(targets(features.shape[0], 1), label="target")
    goal = [row[0] for row in oracle.rational(goal_array)]
    columns = oracle.transpose(oracle.rational(features))
    best = [
        min(squared_distance([columns[k] for k in chosen], [goal]) for chosen in subsets)
        for subsets in (list(combinations(range(len(columns)), p)) for p in range(len(columns) + 1))
    ]
    for p, (fewer, more) in enumerate(pairwise(best)):
        if more > fewer:
            refute(f"E_{p + 1}² = {more} > E_{p}² = {fewer}")
    tally.count(True)
