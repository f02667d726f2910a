"""The ε-rank of a population from N i.i.d. samples, with a stated probability (C4)."""

from theory.sampling.domain import Supremum, largest_leverage
from theory.sampling.population import population_rank
from theory.sampling.result import PopulationRank
from theory.sampling.tails import closed_form_samples, deviation, sufficient_samples

__all__ = [
    "PopulationRank",
    "Supremum",
    "closed_form_samples",
    "deviation",
    "largest_leverage",
    "population_rank",
    "sufficient_samples",
]
