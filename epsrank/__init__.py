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
        History,
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
    from epsrank.numerics.phenomena.amplitudes import AmplitudeTransport
    from epsrank.numerics.phenomena.connectivity import (
        BarrierTo,
        losses_between,
    )
    from epsrank.numerics.phenomena.curvature import (
        SpectralDensity,
        StabilityLimit,
        batch_sharpness,
        hessian_density,
        hessian_eigenvalues,
        hessian_top,
        negative_curvature,
        top_space_share,
    )
    from epsrank.numerics.phenomena.frequency import (
        FrequencyError,
        frequency_errors,
        principal_coordinates,
    )
    from epsrank.numerics.phenomena.neurons import Condensation, Orientations, condensation
    from epsrank.numerics.phenomena.noise import (
        GradientNoise,
        gradient_noise,
        noise_directions,
        noise_scale,
        noise_top,
    )
    from epsrank.numerics.phenomena.products import ProductRank
    from epsrank.numerics.phenomena.stiffness import (
        Stiffness,
        m_coherence,
        stiffness,
        stiffness_matrix,
    )
    from epsrank.numerics.phenomena.weights import (
        InitialDistance,
        PathLength,
        SignChanges,
        UpdateCosine,
    )
    from epsrank.numerics.plots.staircase_validity import draw_staircase
    from epsrank.numerics.plots.training_stages import draw_training_stages
    from epsrank.numerics.pruning import load_pruned, prune
    from epsrank.numerics.results import (
        Comparison,
        SweepResults,
        compare_results,
        import_runs,
        load_results,
    )
    from epsrank.numerics.stages import Stages, training_stages
    from epsrank.numerics.staircase import Staircase, detect_staircase, validate_detector
    from epsrank.numerics.sweeps import Trial, TrialStore, run_trials
    from epsrank.numerics.tasks import Task
    from epsrank.numerics.tightness import Tightness, tightness
    from epsrank.numerics.training import Run, RunConfig, RunRecorder, load_run, train
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
    from epsrank.theory.floor.tightness.layer import layer_tightness
    from epsrank.theory.floor.tightness.result import LayerTightness
    from epsrank.theory.flows.alternating import Drop, alternating_flow
    from epsrank.theory.flows.condensation_bound import CondensationBound, condensation_bound
    from epsrank.theory.flows.escape import escape_rate
    from epsrank.theory.flows.leading_order import BlowUp, leading_order_blow_up
    from epsrank.theory.flows.plateau_bound import PlateauBound, plateau_bound
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

__version__ = "0.2.0"

# Where the public names are, by module.
_NAMES_OF = {
    "epsrank.numerics.checkpoint.dense": "dense_network network_of_run",
    "epsrank.numerics.ensemble": "group_configs train_in_groups train_many",
    "epsrank.numerics.first_layer.structured": "structured_first_layer_",
    "epsrank.numerics.monitor": (
        "History Quantity QuantityData RankMonitor RankRequirementError RankTooLow RankUndecided "
        "RankVerdict RankWarning"
    ),
    "epsrank.numerics.monitor.measuring.schedule": "OverheadBudget",
    "epsrank.numerics.monitor.quantity.of_layer": "LayerQuantity weight_norms",
    "epsrank.numerics.operators": (
        "BoundaryProblem laplacian linear_operator OperatorSystem partial"
    ),
    "epsrank.numerics.phenomena.amplitudes": "AmplitudeTransport",
    "epsrank.numerics.phenomena.curvature": (
        "batch_sharpness hessian_density hessian_eigenvalues hessian_top negative_curvature "
        "SpectralDensity StabilityLimit top_space_share"
    ),
    "epsrank.numerics.phenomena.neurons": "Condensation condensation Orientations",
    "epsrank.numerics.phenomena.noise": (
        "gradient_noise GradientNoise noise_directions noise_scale noise_top"
    ),
    "epsrank.numerics.phenomena.products": "ProductRank",
    "epsrank.numerics.phenomena.stiffness": "m_coherence Stiffness stiffness stiffness_matrix",
    "epsrank.numerics.phenomena.frequency": "frequency_errors FrequencyError principal_coordinates",
    "epsrank.numerics.phenomena.connectivity": "BarrierTo losses_between",
    "epsrank.numerics.phenomena.weights": "InitialDistance PathLength SignChanges UpdateCosine",
    "epsrank.numerics.plots.staircase_validity": "draw_staircase",
    "epsrank.numerics.plots.training_stages": "draw_training_stages",
    "epsrank.numerics.pruning": "load_pruned prune",
    "epsrank.numerics.results": "compare_results Comparison import_runs load_results SweepResults",
    "epsrank.numerics.stages": "Stages training_stages",
    "epsrank.numerics.staircase": "detect_staircase Staircase validate_detector",
    "epsrank.numerics.sweeps": "run_trials Trial TrialStore",
    "epsrank.numerics.tasks": "Task",
    "epsrank.numerics.tightness": "tightness Tightness",
    "epsrank.numerics.training": "load_run Run RunConfig RunRecorder train",
    "epsrank.proofs.ledger.outcome": "Report",
    "epsrank.proofs.runner": "verify",
    "epsrank.theory.apriori": (
        "apriori_floor AprioriFloor poisson_stability relu_distances SegmentedDistances "
        "sobolev_widths width_floor"
    ),
    "epsrank.theory.continuous": (
        "AnalyticTarget continuous_floor continuous_rank ContinuousFloor ContinuousRank"
    ),
    "epsrank.theory.dense": "ANALYTIC BALL_ACTIVATIONS DenseNetwork",
    "epsrank.theory.dimension.definitions": "DefinitionTable ranks_by_definition",
    "epsrank.theory.dimension.lidar": "lidar LidarSums",
    "epsrank.theory.dimension.moments": "FeatureMoments",
    "epsrank.theory.dimension.neurons": "dead_neurons dormant_neurons feature_norm",
    "epsrank.theory.dimension.participation": "participation_interval participation_ratio",
    "epsrank.theory.dimension.soft_ranks": (
        "alpha_req effective_rank feature_rank rankme srank stable_rank"
    ),
    "epsrank.theory.errors": "InputError",
    "epsrank.theory.estimate": "Estimate",
    "epsrank.theory.floor.change.counterfactual": "counterfactual_floor CounterfactualFloor",
    "epsrank.theory.floor.change.distances": "new_direction rank_distance rank_forced",
    "epsrank.theory.floor.change.explain": "explain_drop",
    "epsrank.theory.floor.change.rank_used": "rank_used RankUsed",
    "epsrank.theory.floor.convex.floor": "convex_floor ConvexFloor",
    "epsrank.theory.floor.convex.lipschitz": "lipschitz_floor LipschitzFloor",
    "epsrank.theory.floor.loss_floor": "loss_floor",
    "epsrank.theory.floor.plateau": "plateau_curve read_plateau",
    "epsrank.theory.floor.reading": "Reading",
    "epsrank.theory.floor.result": "LossFloor",
    "epsrank.theory.floor.tightness.layer": "layer_tightness",
    "epsrank.theory.floor.tightness.result": "LayerTightness",
    "epsrank.theory.flows.alternating": "Drop alternating_flow",
    "epsrank.theory.flows.condensation_bound": "CondensationBound condensation_bound",
    "epsrank.theory.flows.escape": "escape_rate",
    "epsrank.theory.flows.leading_order": "BlowUp leading_order_blow_up",
    "epsrank.theory.flows.plateau_bound": "PlateauBound plateau_bound",
    "epsrank.theory.kernels.catalogue": "layer_kernel",
    "epsrank.theory.kernels.input_measure": "box_measure data_measure",
    "epsrank.theory.kernels.layer_kernel": "LayerKernel",
    "epsrank.theory.kernels.prediction": "initial_ranks InitialRank",
    "epsrank.theory.kernels.slope": "choose_slope SlopeChoice",
    "epsrank.theory.rank": (
        "algebraic_rank epsilon_rank epsilon_rank_from_gram epsilon_rank_from_spectrum "
        "epsilon_ranks"
    ),
    "epsrank.theory.rank.batched": "batched_epsilon_rank RankBatch",
    "epsrank.theory.rank.interval": "RankInterval",
    "epsrank.theory.sampling": "population_rank PopulationRank",
    "epsrank.theory.selection": "fewest_neurons NeuronSelection select_neurons",
}
_HOMES = {name: module for module, names in _NAMES_OF.items() for name in names.split()}

__all__ = [
    "ANALYTIC", "BALL_ACTIVATIONS", "AmplitudeTransport", "AnalyticTarget", "AprioriFloor",
    "BarrierTo", "BlowUp", "BoundaryProblem", "Comparison", "Condensation", "CondensationBound",
    "ContinuousFloor", "ContinuousRank", "ConvexFloor", "CounterfactualFloor", "DefinitionTable",
    "DenseNetwork", "Drop", "Estimate", "FeatureMoments", "FrequencyError", "GradientNoise",
    "History", "InitialDistance", "InitialRank", "InputError", "LayerKernel", "LayerQuantity",
    "LayerTightness", "LidarSums", "LipschitzFloor", "LossFloor", "NeuronSelection",
    "OperatorSystem", "Orientations", "OverheadBudget", "PathLength", "PlateauBound",
    "PopulationRank", "ProductRank", "Quantity", "QuantityData", "RankBatch", "RankInterval",
    "RankMonitor", "RankRequirementError", "RankTooLow", "RankUndecided", "RankUsed", "RankVerdict",
    "RankWarning", "Reading", "Report", "Run", "RunConfig", "RunRecorder", "SegmentedDistances",
    "SignChanges", "SlopeChoice", "SpectralDensity", "StabilityLimit", "Stages", "Staircase",
    "Stiffness", "SweepResults", "Task", "Tightness", "Trial", "TrialStore", "UpdateCosine",
    "__version__", "algebraic_rank", "alpha_req", "alternating_flow", "apriori_floor",
    "batch_sharpness", "batched_epsilon_rank", "box_measure", "choose_slope", "compare_results",
    "condensation", "condensation_bound", "continuous_floor", "continuous_rank", "convex_floor",
    "counterfactual_floor", "data_measure", "dead_neurons", "dense_network", "detect_staircase",
    "dormant_neurons", "draw_staircase", "draw_training_stages", "effective_rank", "epsilon_rank",
    "epsilon_rank_from_gram", "epsilon_rank_from_spectrum", "epsilon_ranks", "escape_rate",
    "explain_drop", "feature_norm", "feature_rank", "fewest_neurons", "frequency_errors",
    "gradient_noise", "group_configs", "hessian_density", "hessian_eigenvalues", "hessian_top",
    "import_runs", "initial_ranks", "laplacian", "layer_kernel", "layer_tightness",
    "leading_order_blow_up", "lidar", "linear_operator", "lipschitz_floor", "load_pruned",
    "load_results", "load_run", "loss_floor", "losses_between", "m_coherence", "negative_curvature",
    "network_of_run", "new_direction", "noise_directions", "noise_scale", "noise_top", "partial",
    "participation_interval", "participation_ratio", "plateau_bound", "plateau_curve",
    "poisson_stability", "population_rank", "principal_coordinates", "prune", "rank_distance",
    "rank_forced", "rank_used", "rankme", "ranks_by_definition", "read_plateau", "relu_distances",
    "run_trials", "select_neurons", "sobolev_widths", "srank", "stable_rank", "stiffness",
    "stiffness_matrix", "structured_first_layer_", "tightness", "top_space_share", "train",
    "train_in_groups", "train_many", "training_stages", "validate_detector", "verify",
    "weight_norms", "width_floor",
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
