"""Pruning with a guarantee: the p-neuron network that N1 promises, and what it can lose."""

from epsrank.numerics.pruning.prune import prune
from epsrank.numerics.pruning.record import PrunedNetwork, load_pruned
from epsrank.numerics.pruning.shrink import shrink

__all__ = ["PrunedNetwork", "load_pruned", "prune", "shrink"]
