"""ε-rank of neural-network features: certified counts, loss floors, training and verification.

The names below are imported when first used, so that ``import epsrank`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numerics.dense import dense_network, network_of_run
    from numerics.monitor import RankMonitor, RankWarning
    from numerics.operators import BoundaryProblem, OperatorSystem, linear_operator
    from numerics.pruning import load_pruned, prune
    from numerics.staircase import Staircase, detect_staircase
    from numerics.structured import structured_first_layer_
    from numerics.training import Run, RunConfig, load_run, train
    from proofs.outcome import Report
    from proofs.runner import verify
    from theory.apriori import AprioriFloor, SegmentedDistances, apriori_floor, relu_distances
    from theory.continuous import (
        ContinuousFloor,
        ContinuousRank,
        continuous_floor,
        continuous_rank,
    )
    from theory.dense import DenseNetwork
    from theory.errors import InputError
    from theory.floor.convex_floor import ConvexFloor, convex_floor
    from theory.floor.lipschitz_floor import LipschitzFloor, lipschitz_floor
    from theory.floor.loss_floor import loss_floor
    from theory.floor.result import LossFloor
    from theory.kernels.catalogue import layer_kernel
    from theory.kernels.input_measure import box_measure, data_measure
    from theory.kernels.layer_kernel import LayerKernel
    from theory.kernels.prediction import InitialRank, initial_ranks
    from theory.kernels.slope import SlopeChoice, choose_slope
    from theory.rank import (
        algebraic_rank,
        epsilon_rank,
        epsilon_rank_from_gram,
        epsilon_rank_from_spectrum,
        epsilon_ranks,
    )
    from theory.rank_interval import RankInterval
    from theory.sampling import PopulationRank, population_rank
    from theory.selection import NeuronSelection, fewest_neurons, select_neurons

__version__ = "0.1.0"

_HOMES = {
    "BoundaryProblem": "numerics.operators",
    "ContinuousFloor": "theory.continuous",
    "ContinuousRank": "theory.continuous",
    "ConvexFloor": "theory.floor.convex_floor",
    "DenseNetwork": "theory.dense",
    "InitialRank": "theory.kernels.prediction",
    "AprioriFloor": "theory.apriori",
    "InputError": "theory.errors",
    "LayerKernel": "theory.kernels.layer_kernel",
    "LipschitzFloor": "theory.floor.lipschitz_floor",
    "LossFloor": "theory.floor.result",
    "NeuronSelection": "theory.selection",
    "OperatorSystem": "numerics.operators",
    "PopulationRank": "theory.sampling",
    "RankInterval": "theory.rank_interval",
    "RankMonitor": "numerics.monitor",
    "RankWarning": "numerics.monitor",
    "Report": "proofs.outcome",
    "Run": "numerics.training",
    "RunConfig": "numerics.training",
    "SlopeChoice": "theory.kernels.slope",
    "Staircase": "numerics.staircase",
    "SegmentedDistances": "theory.apriori",
    "algebraic_rank": "theory.rank",
    "apriori_floor": "theory.apriori",
    "box_measure": "theory.kernels.input_measure",
    "choose_slope": "theory.kernels.slope",
    "continuous_floor": "theory.continuous",
    "continuous_rank": "theory.continuous",
    "convex_floor": "theory.floor.convex_floor",
    "data_measure": "theory.kernels.input_measure",
    "dense_network": "numerics.dense",
    "detect_staircase": "numerics.staircase",
    "epsilon_rank": "theory.rank",
    "epsilon_rank_from_gram": "theory.rank",
    "epsilon_rank_from_spectrum": "theory.rank",
    "epsilon_ranks": "theory.rank",
    "fewest_neurons": "theory.selection",
    "initial_ranks": "theory.kernels.prediction",
    "layer_kernel": "theory.kernels.catalogue",
    "linear_operator": "numerics.operators",
    "lipschitz_floor": "theory.floor.lipschitz_floor",
    "load_pruned": "numerics.pruning",
    "load_run": "numerics.training",
    "loss_floor": "theory.floor.loss_floor",
    "network_of_run": "numerics.dense",
    "population_rank": "theory.sampling",
    "prune": "numerics.pruning",
    "relu_distances": "theory.apriori",
    "select_neurons": "theory.selection",
    "structured_first_layer_": "numerics.structured",
    "train": "numerics.training",
    "verify": "proofs.runner",
}

__all__ = [
    "AprioriFloor",
    "BoundaryProblem",
    "ContinuousFloor",
    "ContinuousRank",
    "ConvexFloor",
    "DenseNetwork",
    "InitialRank",
    "InputError",
    "LayerKernel",
    "LipschitzFloor",
    "LossFloor",
    "NeuronSelection",
    "OperatorSystem",
    "PopulationRank",
    "RankInterval",
    "RankMonitor",
    "RankWarning",
    "Report",
    "Run",
    "RunConfig",
    "SegmentedDistances",
    "SlopeChoice",
    "Staircase",
    "__version__",
    "algebraic_rank",
    "apriori_floor",
    "box_measure",
    "choose_slope",
    "continuous_floor",
    "continuous_rank",
    "convex_floor",
    "data_measure",
    "dense_network",
    "detect_staircase",
    "epsilon_rank",
    "epsilon_rank_from_gram",
    "epsilon_rank_from_spectrum",
    "epsilon_ranks",
    "fewest_neurons",
    "initial_ranks",
    "layer_kernel",
    "linear_operator",
    "lipschitz_floor",
    "load_pruned",
    "load_run",
    "loss_floor",
    "network_of_run",
    "population_rank",
    "prune",
    "relu_distances",
    "select_neurons",
    "structured_first_layer_",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562).

    Parameters
    ----------
    name : str
        Attribute that was asked for.

    Returns
    -------
    object
        The object of that name.

    Raises
    ------
    AttributeError
        If the name is not public.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names.

    Returns
    -------
    list of str
        The names.
    """
    return sorted(__all__)
