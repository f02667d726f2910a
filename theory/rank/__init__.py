"""The ε-rank of a feature matrix, of a Gram matrix or of a spectrum: certified counts.

Begin with `epsilon`, the public functions; `of_features` and `of_gram` try the `routes` by cost,
and `interval` is what they answer. `batched` takes many small matrices at once.
"""

from epsrank.theory.rank.epsilon import algebraic_rank, epsilon_rank, epsilon_ranks
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.rank.of_gram import epsilon_rank_from_gram, epsilon_rank_from_spectrum

__all__ = [
    "RankInterval",
    "algebraic_rank",
    "epsilon_rank",
    "epsilon_rank_from_gram",
    "epsilon_rank_from_spectrum",
    "epsilon_ranks",
]
