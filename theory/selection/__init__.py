"""N1: p of the n neurons that span nearly the whole network, with a certified error."""

from epsrank.theory.selection.constants import draft_factor, selection_factor
from epsrank.theory.selection.result import NeuronSelection
from epsrank.theory.selection.select import fewest_neurons, select_neurons

__all__ = [
    "NeuronSelection",
    "draft_factor",
    "fewest_neurons",
    "select_neurons",
    "selection_factor",
]
