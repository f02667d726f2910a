"""Mathematics of the ε-rank: definitions, floors, kernels, certified numbers. No torch here."""

from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.rank import (
    algebraic_rank,
    epsilon_rank,
    epsilon_rank_from_gram,
    epsilon_rank_from_spectrum,
    epsilon_ranks,
)
from epsrank.theory.rank.interval import RankInterval

__all__ = [
    "InputError",
    "Measure",
    "RankInterval",
    "algebraic_rank",
    "epsilon_rank",
    "epsilon_rank_from_gram",
    "epsilon_rank_from_spectrum",
    "epsilon_ranks",
]
