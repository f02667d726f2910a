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
    from epsrank.numerics.ensemble import group_configs, train_in_groups, train_many
    from epsrank.numerics.first_layer.structured import structured_first_layer_
    from epsrank.numerics.monitor import (
        Quantity,
        QuantityData,
        RankMonitor,
        RankRequirementError,
        RankTooLow,
        RankUndecided,
        RankVerdict,
        RankWarning,
    )
    from epsrank.numerics.monitor.measuring.schedule import OverheadBudget
    from epsrank.numerics.monitor.quantity.of_layer import LayerQuantity, weight_norms
    from epsrank.numerics.operators import (
        BoundaryProblem,
        OperatorSystem,
        laplacian,
        linear_operator,
        partial,
    )
    from epsrank.numerics.plots.staircase_validity import draw_staircase
    from epsrank.numerics.pruning import load_pruned, prune
    from epsrank.numerics.results import (
        Comparison,
        SweepResults,
        compare_results,
        import_runs,
        load_results,
    )
    from epsrank.numerics.staircase import Staircase, detect_staircase
    from epsrank.numerics.sweeps import Trial, TrialStore, run_trials
    from epsrank.numerics.training import Run, RunConfig, load_run, train
    from epsrank.proofs.ledger.outcome import Report
    from epsrank.proofs.runner import verify
    from epsrank.theory.apriori import (
        AprioriFloor,
        SegmentedDistances,
        apriori_floor,
        poisson_stability,
        relu_distances,
        sobolev_widths,
        width_floor,
    )
    from epsrank.theory.continuous import (
        AnalyticTarget,
        ContinuousFloor,
        ContinuousRank,
        continuous_floor,
        continuous_rank,
    )
    from epsrank.theory.dense import ANALYTIC, BALL_ACTIVATIONS, DenseNetwork
    from epsrank.theory.dimension.definitions import DefinitionTable, ranks_by_definition
    from epsrank.theory.dimension.lidar import LidarSums, lidar
    from epsrank.theory.dimension.moments import FeatureMoments
    from epsrank.theory.dimension.neurons import dead_neurons, dormant_neurons, feature_norm
    from epsrank.theory.dimension.participation import participation_interval, participation_ratio
    from epsrank.theory.dimension.soft_ranks import (
        alpha_req,
        effective_rank,
        feature_rank,
        rankme,
        srank,
        stable_rank,
    )
    from epsrank.theory.errors import InputError
    from epsrank.theory.estimate import Estimate
    from epsrank.theory.floor.change.counterfactual import (
        CounterfactualFloor,
        counterfactual_floor,
    )
    from epsrank.theory.floor.change.distances import (
        new_direction,
        rank_distance,
        rank_forced,
    )
    from epsrank.theory.floor.change.explain import explain_drop
    from epsrank.theory.floor.change.rank_used import RankUsed, rank_used
    from epsrank.theory.floor.convex.floor import ConvexFloor, convex_floor
    from epsrank.theory.floor.convex.lipschitz import LipschitzFloor, lipschitz_floor
    from epsrank.theory.floor.loss_floor import loss_floor
    from epsrank.theory.floor.plateau import plateau_curve, read_plateau
    from epsrank.theory.floor.reading import Reading
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
    from epsrank.theory.rank.batched import RankBatch, batched_epsilon_rank
    from epsrank.theory.rank.interval import RankInterval
    from epsrank.theory.sampling import PopulationRank, population_rank
    from epsrank.theory.selection import NeuronSelection, fewest_neurons, select_neurons

__version__ = "0.1.0"

_HOMES = {
    "algebraic_rank": "epsrank.theory.rank",
    "alpha_req": "epsrank.theory.dimension.soft_ranks",
    "ANALYTIC": "epsrank.theory.dense",
    "AnalyticTarget": "epsrank.theory.continuous",
    "apriori_floor": "epsrank.theory.apriori",
    "AprioriFloor": "epsrank.theory.apriori",
    "BALL_ACTIVATIONS": "epsrank.theory.dense",
    "batched_epsilon_rank": "epsrank.theory.rank.batched",
    "BoundaryProblem": "epsrank.numerics.operators",
    "box_measure": "epsrank.theory.kernels.input_measure",
    "choose_slope": "epsrank.theory.kernels.slope",
    "compare_results": "epsrank.numerics.results",
    "Comparison": "epsrank.numerics.results",
    "continuous_floor": "epsrank.theory.continuous",
    "continuous_rank": "epsrank.theory.continuous",
    "ContinuousFloor": "epsrank.theory.continuous",
    "ContinuousRank": "epsrank.theory.continuous",
    "convex_floor": "epsrank.theory.floor.convex.floor",
    "ConvexFloor": "epsrank.theory.floor.convex.floor",
    "counterfactual_floor": "epsrank.theory.floor.change.counterfactual",
    "CounterfactualFloor": "epsrank.theory.floor.change.counterfactual",
    "data_measure": "epsrank.theory.kernels.input_measure",
    "dead_neurons": "epsrank.theory.dimension.neurons",
    "DefinitionTable": "epsrank.theory.dimension.definitions",
    "dense_network": "epsrank.numerics.checkpoint.dense",
    "DenseNetwork": "epsrank.theory.dense",
    "detect_staircase": "epsrank.numerics.staircase",
    "dormant_neurons": "epsrank.theory.dimension.neurons",
    "draw_staircase": "epsrank.numerics.plots.staircase_validity",
    "effective_rank": "epsrank.theory.dimension.soft_ranks",
    "epsilon_rank": "epsrank.theory.rank",
    "epsilon_rank_from_gram": "epsrank.theory.rank",
    "epsilon_rank_from_spectrum": "epsrank.theory.rank",
    "epsilon_ranks": "epsrank.theory.rank",
    "Estimate": "epsrank.theory.estimate",
    "explain_drop": "epsrank.theory.floor.change.explain",
    "feature_norm": "epsrank.theory.dimension.neurons",
    "feature_rank": "epsrank.theory.dimension.soft_ranks",
    "FeatureMoments": "epsrank.theory.dimension.moments",
    "fewest_neurons": "epsrank.theory.selection",
    "group_configs": "epsrank.numerics.ensemble",
    "import_runs": "epsrank.numerics.results",
    "initial_ranks": "epsrank.theory.kernels.prediction",
    "InitialRank": "epsrank.theory.kernels.prediction",
    "InputError": "epsrank.theory.errors",
    "laplacian": "epsrank.numerics.operators",
    "layer_kernel": "epsrank.theory.kernels.catalogue",
    "LayerKernel": "epsrank.theory.kernels.layer_kernel",
    "LayerQuantity": "epsrank.numerics.monitor.quantity.of_layer",
    "lidar": "epsrank.theory.dimension.lidar",
    "LidarSums": "epsrank.theory.dimension.lidar",
    "linear_operator": "epsrank.numerics.operators",
    "lipschitz_floor": "epsrank.theory.floor.convex.lipschitz",
    "LipschitzFloor": "epsrank.theory.floor.convex.lipschitz",
    "load_pruned": "epsrank.numerics.pruning",
    "load_results": "epsrank.numerics.results",
    "load_run": "epsrank.numerics.training",
    "loss_floor": "epsrank.theory.floor.loss_floor",
    "LossFloor": "epsrank.theory.floor.result",
    "network_of_run": "epsrank.numerics.checkpoint.dense",
    "NeuronSelection": "epsrank.theory.selection",
    "new_direction": "epsrank.theory.floor.change.distances",
    "OperatorSystem": "epsrank.numerics.operators",
    "OverheadBudget": "epsrank.numerics.monitor.measuring.schedule",
    "partial": "epsrank.numerics.operators",
    "participation_interval": "epsrank.theory.dimension.participation",
    "participation_ratio": "epsrank.theory.dimension.participation",
    "plateau_curve": "epsrank.theory.floor.plateau",
    "poisson_stability": "epsrank.theory.apriori",
    "population_rank": "epsrank.theory.sampling",
    "PopulationRank": "epsrank.theory.sampling",
    "prune": "epsrank.numerics.pruning",
    "Quantity": "epsrank.numerics.monitor",
    "QuantityData": "epsrank.numerics.monitor",
    "rank_distance": "epsrank.theory.floor.change.distances",
    "rank_forced": "epsrank.theory.floor.change.distances",
    "rank_used": "epsrank.theory.floor.change.rank_used",
    "RankBatch": "epsrank.theory.rank.batched",
    "RankInterval": "epsrank.theory.rank.interval",
    "rankme": "epsrank.theory.dimension.soft_ranks",
    "RankMonitor": "epsrank.numerics.monitor",
    "RankRequirementError": "epsrank.numerics.monitor",
    "ranks_by_definition": "epsrank.theory.dimension.definitions",
    "RankTooLow": "epsrank.numerics.monitor",
    "RankUndecided": "epsrank.numerics.monitor",
    "RankUsed": "epsrank.theory.floor.change.rank_used",
    "RankVerdict": "epsrank.numerics.monitor",
    "RankWarning": "epsrank.numerics.monitor",
    "read_plateau": "epsrank.theory.floor.plateau",
    "Reading": "epsrank.theory.floor.reading",
    "relu_distances": "epsrank.theory.apriori",
    "Report": "epsrank.proofs.ledger.outcome",
    "Run": "epsrank.numerics.training",
    "run_trials": "epsrank.numerics.sweeps",
    "RunConfig": "epsrank.numerics.training",
    "SegmentedDistances": "epsrank.theory.apriori",
    "select_neurons": "epsrank.theory.selection",
    "SlopeChoice": "epsrank.theory.kernels.slope",
    "sobolev_widths": "epsrank.theory.apriori",
    "srank": "epsrank.theory.dimension.soft_ranks",
    "stable_rank": "epsrank.theory.dimension.soft_ranks",
    "Staircase": "epsrank.numerics.staircase",
    "structured_first_layer_": "epsrank.numerics.first_layer.structured",
    "SweepResults": "epsrank.numerics.results",
    "train": "epsrank.numerics.training",
    "train_in_groups": "epsrank.numerics.ensemble",
    "train_many": "epsrank.numerics.ensemble",
    "Trial": "epsrank.numerics.sweeps",
    "TrialStore": "epsrank.numerics.sweeps",
    "verify": "epsrank.proofs.runner",
    "weight_norms": "epsrank.numerics.monitor.quantity.of_layer",
    "width_floor": "epsrank.theory.apriori",
}

__all__ = [
    "ANALYTIC", "BALL_ACTIVATIONS", "AnalyticTarget", "AprioriFloor", "BoundaryProblem",
    "Comparison", "ContinuousFloor", "ContinuousRank", "ConvexFloor", "CounterfactualFloor",
    "DefinitionTable", "DenseNetwork", "Estimate", "FeatureMoments", "InitialRank", "InputError",
    "LayerKernel", "LayerQuantity", "LidarSums", "LipschitzFloor", "LossFloor", "NeuronSelection",
    "OperatorSystem", "OverheadBudget", "PopulationRank", "Quantity", "QuantityData", "RankBatch",
    "RankInterval", "RankMonitor", "RankRequirementError", "RankTooLow", "RankUndecided",
    "RankUsed", "RankVerdict", "RankWarning", "Reading", "Report", "Run", "RunConfig",
    "SegmentedDistances", "SlopeChoice", "Staircase", "SweepResults", "Trial", "TrialStore",
    "__version__", "algebraic_rank", "alpha_req", "apriori_floor", "batched_epsilon_rank",
    "box_measure", "choose_slope", "compare_results", "continuous_floor", "continuous_rank",
    "convex_floor", "counterfactual_floor", "data_measure", "dead_neurons", "dense_network",
    "detect_staircase", "dormant_neurons", "draw_staircase", "effective_rank", "epsilon_rank",
    "epsilon_rank_from_gram", "epsilon_rank_from_spectrum", "epsilon_ranks", "explain_drop",
    "feature_norm", "feature_rank", "fewest_neurons", "group_configs", "import_runs",
    "initial_ranks", "laplacian", "layer_kernel", "lidar", "linear_operator", "lipschitz_floor",
    "load_pruned", "load_results", "load_run", "loss_floor", "network_of_run", "new_direction",
    "partial", "participation_interval", "participation_ratio", "plateau_curve",
    "poisson_stability", "population_rank", "prune", "rank_distance", "rank_forced", "rank_used",
    "rankme", "ranks_by_definition", "read_plateau", "relu_distances", "run_trials",
    "select_neurons", "sobolev_widths", "srank", "stable_rank", "structured_first_layer_",
    "train", "train_in_groups", "train_many", "verify", "weight_norms", "width_floor",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from epsrank.theory.extras import optional_packages

    with optional_packages():  # the bare installation has what ranks and the monitor need
        value = getattr(import_module(_HOMES[name]), name)
    # From now on the name is found without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
