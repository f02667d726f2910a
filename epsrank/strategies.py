"""Hypothesis strategies of the ε-rank: ``from epsrank.strategies import feature_matrices``."""

from epsrank.proofs import strategies as _home
from epsrank.proofs.strategies import *  # noqa: F403

__all__ = list(_home.__all__)
