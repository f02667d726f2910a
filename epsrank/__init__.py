"""ε-rank of neural-network features: certified counts, loss floors, training and verification.

The names below are imported when first used, so that ``import epsrank`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from os.path import dirname, isdir, join
from typing import TYPE_CHECKING, Any

# The rooms are links in a checkout; a copy made without links would fail far from the cause.
for _room in ("theory", "numerics", "proofs"):
    if not isdir(join(dirname(__file__), _room)):
        raise ImportError(
            f"epsrank/{_room} is not a folder: this copy was made without symbolic links; "
            "clone it with git (on Windows: git clone -c core.symlinks=true)"
        )

if TYPE_CHECKING:
    from epsrank.numerics.checkpoint.dense import dense_network, network_of_run
    from epsrank.numerics.first_layer.structured import structured_first_layer_
    from epsrank.numerics.monitor import RankMonitor, RankWarning
    from epsrank.numerics.operators import BoundaryProblem, OperatorSystem, linear_operator
    from epsrank.numerics.pruning import load_pruned, prune
    from epsrank.numerics.staircase import Staircase, detect_staircase
    from epsrank.numerics.training import Run, RunConfig, load_run, train
    from epsrank.proofs.ledger.outcome import Report
    from epsrank.proofs.runner import verify
    from epsrank.theory.apriori import (
        AprioriFloor,
        SegmentedDistances,
        apriori_floor,
        relu_distances,
    )
    from epsrank.theory.continuous import (
        ContinuousFloor,
        ContinuousRank,
        continuous_floor,
        continuous_rank,
    )
    from epsrank.theory.dense import DenseNetwork
    from epsrank.theory.errors import InputError
    from epsrank.theory.floor.convex.floor import ConvexFloor, convex_floor
    from epsrank.theory.floor.convex.lipschitz import LipschitzFloor, lipschitz_floor
    from epsrank.theory.floor.loss_floor import loss_floor
    from epsrank.theory.floor.result import LossFloor
    from epsrank.theory.kernels.catalogue import layer_kernel
    from epsrank.theory.kernels.input_measure import box_measure, data_measure
    from epsrank.theory.kernels.layer_kernel import LayerKernel
    from epsrank.theory.kernels.prediction import InitialRank, initial_ranks
    from epsrank.theory.kernels.slope import SlopeChoice, choose_slope
    from epsrank.theory.rank import (
        algebraic_rank,
        epsilon_rank,
        epsilon_rank_from_gram,
        epsilon_rank_from_spectrum,
        epsilon_ranks,
    )
    from epsrank.theory.rank.interval import RankInterval
    from epsrank.theory.sampling import PopulationRank, population_rank
    from epsrank.theory.selection import NeuronSelection, fewest_neurons, select_neurons

__version__ = "0.1.0"

_HOMES = {
    "BoundaryProblem": "epsrank.numerics.operators",
    "ContinuousFloor": "epsrank.theory.continuous",
    "ContinuousRank": "epsrank.theory.continuous",
    "ConvexFloor": "epsrank.theory.floor.convex.floor",
    "DenseNetwork": "epsrank.theory.dense",
    "InitialRank": "epsrank.theory.kernels.prediction",
    "AprioriFloor": "epsrank.theory.apriori",
    "InputError": "epsrank.theory.errors",
    "LayerKernel": "epsrank.theory.kernels.layer_kernel",
    "LipschitzFloor": "epsrank.theory.floor.convex.lipschitz",
    "LossFloor": "epsrank.theory.floor.result",
    "NeuronSelection": "epsrank.theory.selection",
    "OperatorSystem": "epsrank.numerics.operators",
    "PopulationRank": "epsrank.theory.sampling",
    "RankInterval": "epsrank.theory.rank.interval",
    "RankMonitor": "epsrank.numerics.monitor",
    "RankWarning": "epsrank.numerics.monitor",
    "Report": "epsrank.proofs.ledger.outcome",
    "Run": "epsrank.numerics.training",
    "RunConfig": "epsrank.numerics.training",
    "SlopeChoice": "epsrank.theory.kernels.slope",
    "Staircase": "epsrank.numerics.staircase",
    "SegmentedDistances": "epsrank.theory.apriori",
    "algebraic_rank": "epsrank.theory.rank",
    "apriori_floor": "epsrank.theory.apriori",
    "box_measure": "epsrank.theory.kernels.input_measure",
    "choose_slope": "epsrank.theory.kernels.slope",
    "continuous_floor": "epsrank.theory.continuous",
    "continuous_rank": "epsrank.theory.continuous",
    "convex_floor": "epsrank.theory.floor.convex.floor",
    "data_measure": "epsrank.theory.kernels.input_measure",
    "dense_network": "epsrank.numerics.checkpoint.dense",
    "detect_staircase": "epsrank.numerics.staircase",
    "epsilon_rank": "epsrank.theory.rank",
    "epsilon_rank_from_gram": "epsrank.theory.rank",
    "epsilon_rank_from_spectrum": "epsrank.theory.rank",
    "epsilon_ranks": "epsrank.theory.rank",
    "fewest_neurons": "epsrank.theory.selection",
    "initial_ranks": "epsrank.theory.kernels.prediction",
    "layer_kernel": "epsrank.theory.kernels.catalogue",
    "linear_operator": "epsrank.numerics.operators",
    "lipschitz_floor": "epsrank.theory.floor.convex.lipschitz",
    "load_pruned": "epsrank.numerics.pruning",
    "load_run": "epsrank.numerics.training",
    "loss_floor": "epsrank.theory.floor.loss_floor",
    "network_of_run": "epsrank.numerics.checkpoint.dense",
    "population_rank": "epsrank.theory.sampling",
    "prune": "epsrank.numerics.pruning",
    "relu_distances": "epsrank.theory.apriori",
    "select_neurons": "epsrank.theory.selection",
    "structured_first_layer_": "epsrank.numerics.first_layer.structured",
    "train": "epsrank.numerics.training",
    "verify": "epsrank.proofs.runner",
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
