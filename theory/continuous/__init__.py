"""Certified ε-rank and floors of one-dimensional networks in L²(Ω), without a grid (C3)."""

from epsrank.theory.continuous.certify import continuous_floor, continuous_rank, continuous_ranks
from epsrank.theory.continuous.results import ContinuousFloor, ContinuousRank
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.continuous.targets import ANALYTIC_TARGETS, AnalyticTarget

__all__ = [
    "ANALYTIC_TARGETS",
    "AnalyticSystem",
    "AnalyticTarget",
    "ContinuousFloor",
    "ContinuousRank",
    "continuous_floor",
    "continuous_rank",
    "continuous_ranks",
]
