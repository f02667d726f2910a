"""The ε-rank of a population from N i.i.d. samples, with a stated probability (C4)."""

from epsrank.theory.sampling.domain import Supremum, largest_leverage
from epsrank.theory.sampling.population import population_rank
from epsrank.theory.sampling.result import PopulationRank
from epsrank.theory.sampling.tails import closed_form_samples, deviation, sufficient_samples

__all__ = [
    "PopulationRank",
    "Supremum",
    "closed_form_samples",
    "deviation",
    "largest_leverage",
    "population_rank",
    "sufficient_samples",
]
