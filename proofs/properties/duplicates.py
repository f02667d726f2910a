"""A statement that is false: duplicating a neuron cannot raise the ε-rank."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from epsrank.proofs.properties.comparisons import rank
from epsrank.proofs.properties.search import Tally, refute, states
from epsrank.proofs.strategies import integer_features
from epsrank.theory.inputs import Array


@states(
    "duplicate-neuron",
    refutable=True,
    features=integer_features(3, 3, bound=3),
    copied=st.integers(0, 2),
    eps=st.integers(1, 30).map(float),
)
def duplicating_does_not_raise_the_rank(
    tally: Tally, features: Array, copied: int, eps: float
) -> None:
    """Appending a copy of a neuron does not raise r_ε (this is false)."""
    column = copied % features.shape[1]
    twice = np.concatenate([features, features[:, [column]]], axis=1)
    before, after = rank(features, eps, measure="raw"), rank(twice, eps, measure="raw")
    tally.count(before.resolved and after.resolved)
    if after.lower > before.upper:
        refute(
            f"copying neuron {column} raises the rank from {before.upper} to {after.lower} "
            f"at ε = {eps:g} (raw weights)"
        )
