"""Every public entry takes numbers as they are, or refuses them in one line: one table for all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

import epsrank
from epsrank import InputError

FEATURES = np.linspace(-1, 1, 6)[:, None] * [1.0, 2.0, 0.5] + np.eye(6)[:, :3]
TARGET = np.linspace(0, 1, 6)
LABELS = np.array([0, 1, 2, 0, 1, 2])
HEAD = np.array([1.0, -0.5, 0.25])
GRAM = FEATURES.T @ FEATURES
NETWORK = epsrank.DenseNetwork("tanh", (np.ones((2, 1)),), (np.zeros(2),))
DRIVE = np.array([[2.0, 1.0], [1.0, 3.0]])
OUT = np.array([[1.0, -1.0]])
GRID = np.linspace(0.0, 3.0, 4)
BOX = epsrank.box_measure((-1.0, 1.0), n_points=8)


@dataclass(frozen=True)
class Slot:
    """One argument of a public entry that takes numbers."""

    #: Words of which the error has to begin with one.
    names: tuple[str, ...]
    #: What it takes: an array, one real number, or a whole number.
    kind: str
    #: The call, with everything else as it should be.
    call: Callable[[Any], Any]
    #: A value that is taken.
    good: Any
    #: Whether +∞ has a meaning here.
    infinite: bool = False


def rows(name: str, call: Callable[[Any], Any], good: Any = FEATURES, *more: str, **options: Any):
    """Return the slot of an array."""
    return Slot((name, *more), "array", call, np.asarray(good), **options)


def real(name: str, call: Callable[[Any], Any], good: float = 0.5, **options: Any) -> Slot:
    """Return the slot of one real number."""
    return Slot((name,), "real", call, good, **options)


def whole(name: str, call: Callable[[Any], Any], good: int = 2) -> Slot:
    """Return the slot of a whole number."""
    return Slot((name,), "whole", call, good)


def layer(**arguments: Any) -> Any:
    """Set a fresh layer of one input."""
    fresh = torch.nn.Linear(1, 4)
    return epsrank.structured_first_layer_(fresh, activation="tanh", **arguments)


def of_features(function: Callable[..., Any], *rest: Any, **options: Any) -> list[Slot]:
    """Return the slots that all ranks of features have."""
    return [
        rows("features", lambda x: function(x, *rest, **options)),
        rows("weights", lambda w: function(FEATURES, *rest, weights=w, **options), np.ones(6)),
    ]


def training(step: Any = (0, 1, 2, 3), loss: Any = (4.0, 3.0, 2.0, 1.0), **options: Any) -> Any:
    """Put a short training on one axis."""
    return epsrank.training_stages({"step": step, "loss": loss}, **options)


E = epsrank
ENTRIES: dict[str, list[Slot]] = {
    "algebraic_rank": of_features(E.algebraic_rank),
    "batched_epsilon_rank": [
        rows("stack", lambda x: E.batched_epsilon_rank([x], 1e-6)),
        rows("weights", lambda w: E.batched_epsilon_rank([FEATURES], 1e-6, weights=w), np.ones(6)),
        real("eps", lambda e: E.batched_epsilon_rank([FEATURES], e)),
    ],
    "epsilon_rank": [
        *of_features(E.epsilon_rank, 1e-6),
        real("eps", lambda e: E.epsilon_rank(FEATURES, e)),
    ],
    "epsilon_ranks": [
        *of_features(E.epsilon_ranks, [1e-6]),
        real("eps", lambda e: E.epsilon_ranks(FEATURES, [e])),
    ],
    "epsilon_rank_from_gram": [
        rows("gram", lambda g: E.epsilon_rank_from_gram(g, 1e-6), GRAM),
        real("eps", lambda e: E.epsilon_rank_from_gram(GRAM, e)),
        real("gram_error", lambda t: E.epsilon_rank_from_gram(GRAM, 1.0, gram_error=t)),
        whole("n_samples", lambda n: E.epsilon_rank_from_gram(GRAM, 1.0, n_samples=n)),
    ],
    "epsilon_rank_from_spectrum": [
        rows("spectrum", lambda s: E.epsilon_rank_from_spectrum(s, 1e-6), np.arange(3.0)),
        real("eps", lambda e: E.epsilon_rank_from_spectrum([1.0], e)),
        real("error", lambda t: E.epsilon_rank_from_spectrum([1.0], 0.5, error=t)),
    ],
    "read_plateau": [
        *of_features(E.read_plateau, TARGET, norm=1.0, loss_value=0.1),
        rows("target", lambda y: E.read_plateau(FEATURES, y, norm=1.0, loss_value=0.1), TARGET),
        real(
            "norm",
            lambda b: E.read_plateau(FEATURES, TARGET, norm=b, loss_value=0.1),
            infinite=True,
        ),
        real("loss_value", lambda t: E.read_plateau(FEATURES, TARGET, norm=1.0, loss_value=t)),
        real(
            "loss_error",
            lambda t: E.read_plateau(FEATURES, TARGET, norm=1.0, loss_value=1.0, loss_error=t),
        ),
        rows(
            "coefficients",
            lambda w: E.read_plateau(FEATURES, TARGET, coefficients=w, bias_value=0.0),
            HEAD,
        ),
        rows(
            "constant", lambda d: E.read_plateau(FEATURES, TARGET, norm=1.0, constant=d), np.ones(6)
        ),
        rows("offset", lambda o: E.read_plateau(FEATURES, TARGET, norm=1.0, offset=o), TARGET),
    ],
    "plateau_curve": [
        *of_features(E.plateau_curve, TARGET, norm=1.0, n_norms=3),
        whole("n_norms", lambda n: E.plateau_curve(FEATURES, TARGET, norm=1.0, n_norms=n)),
    ],
    "counterfactual_floor": [
        *of_features(E.counterfactual_floor, TARGET, 1.0, 0.1),
        rows("target", lambda y: E.counterfactual_floor(FEATURES, y, 1.0, 0.1), TARGET),
        real("norm_after", lambda b: E.counterfactual_floor(FEATURES, TARGET, b, 0.1)),
        real("loss_after", lambda t: E.counterfactual_floor(FEATURES, TARGET, 1.0, t)),
        real(
            "loss_error", lambda t: E.counterfactual_floor(FEATURES, TARGET, 1.0, 0.1, loss_error=t)
        ),
    ],
    "rank_used": [
        *of_features(E.rank_used, TARGET, 1.0, 0.1, rank_before=1),
        rows("target", lambda y: E.rank_used(FEATURES, y, 1.0, 0.1, rank_before=1), TARGET),
        real("norm_after", lambda b: E.rank_used(FEATURES, TARGET, b, 0.1, rank_before=1)),
        real("loss_after", lambda t: E.rank_used(FEATURES, TARGET, 1.0, t, rank_before=1)),
        real(
            "loss_before",
            lambda t: E.rank_used(FEATURES, TARGET, 1.0, 0.1, rank_before=1, loss_before=t),
        ),
        whole("rank_before", lambda p: E.rank_used(FEATURES, TARGET, 1.0, 0.1, rank_before=p)),
    ],
    "new_direction": [
        *of_features(E.new_direction, TARGET, 1.0, 0.1, rank=1),
        real("norm_after", lambda b: E.new_direction(FEATURES, TARGET, b, 0.1, rank=1)),
        real("loss_after", lambda t: E.new_direction(FEATURES, TARGET, 1.0, t, rank=1)),
        whole("rank", lambda p: E.new_direction(FEATURES, TARGET, 1.0, 0.1, rank=p)),
    ],
    "rank_forced": [
        rows("outputs", lambda u: E.rank_forced(u, FEATURES, weight_norm=1.0)),
        rows("target", lambda y: E.rank_forced(FEATURES, y, weight_norm=1.0)),
        real("weight_norm", lambda b: E.rank_forced(FEATURES, FEATURES, weight_norm=b)),
        real("eps", lambda e: E.rank_forced(FEATURES, FEATURES, weight_norm=1.0, eps=e)),
    ],
    "rank_distance": [
        *of_features(E.rank_distance, 1e-6, 2),
        real("eps", lambda e: E.rank_distance(FEATURES, e, 2)),
        whole("rank", lambda q: E.rank_distance(FEATURES, 1e-6, q)),
    ],
    "explain_drop": [
        rows(
            "features",
            lambda a: E.explain_drop(
                a, FEATURES, TARGET, coefficients_before=HEAD, coefficients_after=HEAD
            ),
        ),
        rows(
            "features",
            lambda a: E.explain_drop(
                FEATURES, a, TARGET, coefficients_before=HEAD, coefficients_after=HEAD
            ),
        ),
        real(
            "eps",
            lambda e: E.explain_drop(
                FEATURES, FEATURES, TARGET, coefficients_before=HEAD, coefficients_after=HEAD, eps=e
            ),
        ),
    ],
    "loss_floor": [
        *of_features(E.loss_floor, TARGET, eps=1e-6, norm=1.0),
        rows("target", lambda y: E.loss_floor(FEATURES, y, eps=1e-6, norm=1.0), TARGET),
        rows(
            "coefficients",
            lambda c: E.loss_floor(FEATURES, TARGET, eps=1e-6, coefficients=c),
            HEAD,
        ),
        rows(
            "bias_value",
            lambda b: E.loss_floor(
                FEATURES, TARGET, eps=1e-6, norm=1.0, bias="fixed", bias_value=b
            ),
            [1.0],
        ),
        rows(
            "constant",
            lambda c: E.loss_floor(
                FEATURES, TARGET, eps=1e-6, norm=1.0, bias="feature", constant=c
            ),
            np.ones(6),
        ),
        real("eps", lambda e: E.loss_floor(FEATURES, TARGET, eps=e, norm=1.0)),
        real("norm", lambda b: E.loss_floor(FEATURES, TARGET, eps=1e-6, norm=b), infinite=True),
        real(
            "losses",
            lambda d: E.loss_floor(FEATURES, TARGET, eps=1e-6, norm=1.0, losses=[d]),
            infinite=True,
        ),
    ],
    "layer_tightness": [
        *of_features(E.layer_tightness, TARGET, coefficients=HEAD),
        rows("target", lambda y: E.layer_tightness(FEATURES, y, coefficients=HEAD), TARGET),
        rows("coefficients", lambda c: E.layer_tightness(FEATURES, TARGET, coefficients=c), HEAD),
    ],
    "convex_floor": [
        *of_features(E.convex_floor, LABELS, norm=1.0),
        rows("target", lambda y: E.convex_floor(FEATURES, y, norm=1.0, loss="huber"), TARGET),
        rows("target", lambda y: E.convex_floor(FEATURES, y, norm=1.0), LABELS),
        rows(
            "coefficients",
            lambda c: E.convex_floor(FEATURES, TARGET, coefficients=c, loss="mse"),
            HEAD,
        ),
        rows(
            "bias_value",
            lambda b: E.convex_floor(
                FEATURES, TARGET, loss="mse", norm=1.0, bias="fixed", bias_value=b
            ),
            [1.0],
        ),
        rows(
            "start", lambda c: E.convex_floor(FEATURES, TARGET, norm=1.0, loss="mse", start=c), HEAD
        ),
        real("norm", lambda b: E.convex_floor(FEATURES, LABELS, norm=b)),
        real("tolerance", lambda t: E.convex_floor(FEATURES, LABELS, norm=1.0, tolerance=t)),
        whole("iterations", lambda n: E.convex_floor(FEATURES, LABELS, norm=1.0, iterations=n)),
        whole("n_outputs", lambda n: E.convex_floor(FEATURES, LABELS, norm=1.0, n_outputs=n), 3),
    ],
    "lipschitz_floor": [
        *of_features(E.lipschitz_floor, LABELS, eps=1e-6, norm=1.0),
        rows("target", lambda y: E.lipschitz_floor(FEATURES, y, eps=1e-6, norm=1.0), LABELS),
        real("eps", lambda e: E.lipschitz_floor(FEATURES, LABELS, eps=e, norm=1.0)),
        real("norm", lambda b: E.lipschitz_floor(FEATURES, LABELS, eps=1e-6, norm=b)),
    ],
    "select_neurons": [
        *of_features(E.select_neurons, 2),
        rows("coefficients", lambda c: E.select_neurons(FEATURES, 2, coefficients=c), HEAD),
        whole("p", lambda p: E.select_neurons(FEATURES, p)),
    ],
    "fewest_neurons": [
        *of_features(E.fewest_neurons, 0.1, coefficients=HEAD),
        rows("coefficients", lambda c: E.fewest_neurons(FEATURES, 0.1, coefficients=c), HEAD),
        real(
            "tolerance", lambda t: E.fewest_neurons(FEATURES, t, coefficients=HEAD), infinite=True
        ),
    ],
    "apriori_floor": [
        *of_features(E.apriori_floor, TARGET, TARGET, norm=1.0),
        rows("points", lambda x: E.apriori_floor(FEATURES, x, TARGET, norm=1.0), TARGET),
        rows("target", lambda y: E.apriori_floor(FEATURES, TARGET, y, norm=1.0), TARGET),
        real("norm", lambda b: E.apriori_floor(FEATURES, TARGET, TARGET, norm=b), infinite=True),
        real(
            "feature_error",
            lambda d: E.apriori_floor(FEATURES, TARGET, TARGET, norm=1.0, feature_error=d),
            infinite=True,
        ),
    ],
    "relu_distances": [
        rows("points", lambda x: E.relu_distances(x, TARGET, 2), TARGET),
        rows("target", lambda y: E.relu_distances(TARGET, y, 2), TARGET),
        whole("neurons", lambda p: E.relu_distances(TARGET, TARGET, p)),
    ],
    "population_rank": [
        rows("features", lambda x: E.population_rank(x, 1e-6, resamples=0)),
        real("eps", lambda e: E.population_rank(FEATURES, e, resamples=0)),
        real("confidence", lambda c: E.population_rank(FEATURES, 1e-6, confidence=c, resamples=0)),
        real(
            "leverage",
            lambda k: E.population_rank(FEATURES, 1e-6, leverage=k, resamples=0),
            good=9.0,
        ),
        real(
            "envelope",
            lambda k: E.population_rank(FEATURES, 1e-6, envelope=k, resamples=0),
            good=99.0,
        ),
        real("ridge", lambda k: E.population_rank(FEATURES, 1e-6, ridge=k, resamples=0)),
    ],
    "width_floor": [
        rows(
            "distances", lambda d: E.width_floor(d, eps=1e-6, norm=1.0), [2.0, 1.0], infinite=True
        ),
        real("eps", lambda e: E.width_floor([2.0, 1.0], eps=e, norm=1.0)),
        real("norm", lambda b: E.width_floor([2.0, 1.0], eps=1e-6, norm=b), infinite=True),
    ],
    "sobolev_widths": [
        real("smoothness", lambda s: E.sobolev_widths(s, 3)),
        real("period", lambda s: E.sobolev_widths(1.0, 3, period=s)),
        real("radius", lambda s: E.sobolev_widths(1.0, 3, radius=s)),
        whole("count", lambda n: E.sobolev_widths(1.0, n)),
        whole("dimension", lambda n: E.sobolev_widths(1.0, 2, dimension=n)),
    ],
    "poisson_stability": [
        rows("sides", E.poisson_stability, [1.0, 2.0]),
        real("penalty", lambda k: E.poisson_stability([1.0], penalty=k)),
    ],
    "data_measure": [
        rows("points", E.data_measure),
        rows("points", E.data_measure, TARGET),
        rows("weights", lambda w: E.data_measure(FEATURES, weights=w), np.ones(6)),
    ],
    "box_measure": [
        rows("domain", E.box_measure, [-1.0, 1.0]),
        whole("n_points", lambda n: E.box_measure((-1, 1), n_points=n)),
    ],
    "initial_ranks": [
        real("eps", lambda e: E.initial_ranks(BOX, "tanh", width=2, eps=[e], draws=1)),
        whole("width", lambda n: E.initial_ranks(BOX, "tanh", width=n, draws=1)),
        whole("depth", lambda n: E.initial_ranks(BOX, "tanh", width=2, depth=n, draws=1), 1),
        real("confidence", lambda c: E.initial_ranks(BOX, "tanh", width=2, confidence=c, draws=1)),
    ],
    "choose_slope": [
        whole("width", lambda n: E.choose_slope("tanh", n, domain=(-1, 1), by="kernel"), 4),
        real("eps", lambda e: E.choose_slope("tanh", 4, eps=e, domain=(-1, 1), by="kernel")),
    ],
    "continuous_rank": [
        real("eps", lambda e: E.continuous_rank(NETWORK, e)),
        rows("domain", lambda d: E.continuous_rank(NETWORK, 1e-3, d), [-1.0, 1.0]),
    ],
    "continuous_floor": [
        rows(
            "domain",
            lambda d: E.continuous_floor(
                E.DenseNetwork("tanh", (np.ones((1, 1)),), (np.zeros(1),), np.ones((1, 1))),
                "cosines",
                1e-3,
                d,
            ),
            [-1.0, 1.0],
        ),
    ],
    "DenseNetwork": [
        rows("weights", lambda w: E.DenseNetwork("tanh", (w,), (np.zeros(2),)), [[1.0], [2.0]]),
        rows("biases", lambda b: E.DenseNetwork("tanh", (np.ones((2, 1)),), (b,)), [0.0, 1.0]),
    ],
    "structured_first_layer_": [
        rows("domain", lambda d: layer(domain=d), [-1.0, 1.0]),
        rows("data", lambda x: layer(data=x), FEATURES[:, :1]),
        real("gamma", lambda g: layer(domain=(-1, 1), gamma=g)),
        real("eps", lambda e: layer(domain=(-1, 1), gamma="auto", eps=e)),
    ],
    **{
        name: [rows("features", getattr(E, name))]
        for name in (
            "alpha_req",
            "dead_neurons",
            "dormant_neurons",
            "effective_rank",
            "feature_norm",
            "feature_rank",
            "participation_interval",
            "participation_ratio",
            "rankme",
            "ranks_by_definition",
            "srank",
            "stable_rank",
        )
    },
    "lidar": [
        rows("features", lambda x: E.lidar(x, [0, 0, 1, 1, 2, 2])),
    ],
    "condensation": [
        rows("weights", E.condensation, [[1.0, 2.0], [3.0, 4.0]]),
        rows("amplitudes", lambda a: E.condensation([[1.0, 2.0], [3.0, 4.0]], a), [1.0, 2.0]),
    ],
    "escape_rate": [
        rows("inputs", lambda x: E.escape_rate(x, [1.0, 2.0]), [[1.0], [2.0]]),
        rows("target", lambda y: E.escape_rate([[1.0], [2.0]], y), [1.0, 2.0]),
    ],
    "leading_order_blow_up": [
        rows("layers", lambda w: E.leading_order_blow_up([w, DRIVE, OUT], [1.0, 2.0]), DRIVE),
        rows("drive", lambda d: E.leading_order_blow_up([DRIVE, DRIVE, OUT], d), [1.0, 2.0]),
    ],
    "frequency_errors": [
        rows("target", lambda y: E.frequency_errors(GRID, y, GRID, [1.0]), [1.0, 2.0, 3.0, 4.0]),
    ],
    "training_stages": [
        # NaN is a gap; a column of words is left out, and then there is no loss.
        rows("loss", lambda y: training(loss=y), np.array([4, 3, 2, 1]), "training 1"),
        rows("step", lambda t: training(step=t), np.array([0, 1, 2, 3]), "training 1"),
        real("eps", lambda e: training(eps=e)),
        real("level", lambda v: training(level=v)),
        real("momentum", lambda m: training(momentum=m)),
    ],
    "principal_coordinates": [
        rows("x", E.principal_coordinates, [[1.0, 2.0], [3.0, 5.0], [2.0, 1.0]]),
    ],
}

#: Public names without an argument that is a number to compute with, and why.
WITHOUT_NUMBERS = {
    "results": "AprioriFloor ContinuousFloor ContinuousRank ConvexFloor InitialRank LipschitzFloor "
    "LossFloor NeuronSelection PopulationRank RankInterval Report SegmentedDistances SlopeChoice "
    "Staircase Estimate Run RankBatch Reading DefinitionTable FeatureMoments LidarSums "
    "CounterfactualFloor RankUsed RankVerdict LayerTightness Tightness History SweepResults "
    "Comparison BlowUp Condensation GradientNoise SpectralDensity Stages Stiffness "
    "CondensationBound PlateauBound Drop",
    "bounds and flows of whole networks, with tests of their own": "alternating_flow "
    "condensation_bound plateau_bound",
    "quantities of a model, with tests of their own": "AmplitudeTransport BarrierTo FrequencyError "
    "InitialDistance Orientations PathLength ProductRank SignChanges StabilityLimit UpdateCosine "
    "batch_sharpness gradient_noise hessian_density hessian_eigenvalues hessian_top losses_between "
    "m_coherence negative_curvature noise_directions noise_scale noise_top stiffness "
    "stiffness_matrix top_space_share",
    "functions, tables and protocols": "ANALYTIC BALL_ACTIVATIONS AnalyticTarget LayerKernel "
    "layer_kernel laplacian partial linear_operator Quantity LayerQuantity QuantityData "
    "BoundaryProblem OperatorSystem",
    "errors": "InputError RankWarning RankRequirementError RankTooLow RankUndecided __version__",
    "settings of runs, with tests of their own": "RunConfig train train_many train_in_groups "
    "group_configs run_trials Trial TrialStore verify prune OverheadBudget RankMonitor RunRecorder "
    "Task",
    "files and models": "load_run load_pruned network_of_run dense_network weight_norms tightness "
    "load_results import_runs compare_results",
    "statistics of a series and its picture, nothing certified": "detect_staircase draw_staircase "
    "draw_training_stages validate_detector",
}


def test_no_public_name_is_forgotten() -> None:
    other = {name for names in WITHOUT_NUMBERS.values() for name in names.split()}
    assert not other & ENTRIES.keys()
    assert other | ENTRIES.keys() == set(epsrank.__all__)


def quantised(values: np.ndarray) -> Any:
    """Return a quantised tensor; PyTorch warns that it will drop them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.tensor(values).float(), 0.1, 0, torch.qint8)


class Frame:
    """A data frame with a column of objects, as pandas has them."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.dtypes = values, {"a": "float64", "b": "object"}

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values.astype(object)


def as_floats(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float64))


BAD_ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "complex": lambda a: a + 0j,
    "text": lambda a: a.astype(str),
    "objects": lambda a: a.astype(object),
    "dates": lambda a: a.astype(int).astype("datetime64[D]"),
    "masked": lambda a: np.ma.masked_array(a, mask=a > 0),
    "a frame with an object column": Frame,
    "nan": lambda a: np.where(np.arange(a.size).reshape(a.shape) == a.size - 1, np.nan, a),
    "sparse matrix": lambda a: scipy.sparse.csr_array(np.atleast_2d(a)),
    "sparse tensor": lambda a: as_floats(a).to_sparse(),
    "meta": lambda a: as_floats(a).to("meta"),
    "quantised": quantised,
    "nested": lambda a: torch.nested.nested_tensor(
        [as_floats(a).ravel(), as_floats(np.zeros(2))], layout=torch.jagged
    ),
    "complex tensor": lambda a: as_floats(a) + 0j,
    "long double": lambda a: np.asarray(a, dtype=np.longdouble) + np.longdouble(1) / 3,
    "rounded integers": lambda a: _with_entry(a.tolist(), 2**62 + 1),
}

BAD_REALS: dict[str, Any] = {
    "nan": float("nan"),
    "complex": 1j,
    "text": "a half",
    "truth": True,
    "a list": [0.5],
    "integer beyond float64": 2**62 + 1,
    "fraction": Fraction(1, 3),
    "long double": np.longdouble(1) / 3,
    "huge": 10**400,
    "meta": torch.tensor(0.5, device="meta"),
}

BAD_WHOLES: dict[str, Any] = {
    "half": 1.5,
    "float": 2.0,
    "text": "2",
    "truth": True,
    "negative": -1,
    "list": [2],
}


def _with_entry(nested: Any, entry: int) -> Any:
    """Return a nested list whose last number is another, beside a float."""
    if not isinstance(nested[-1], list):
        return [0.5, *nested[1:-1], entry] if len(nested) > 1 else [entry]
    return [*nested[:-1], _with_entry(nested[-1], entry)]


def refused(slot: Slot, value: Any) -> None:
    """See one line that begins with the argument and ends with a remedy."""
    with pytest.raises(InputError) as caught:
        slot.call(value)
    line = str(caught.value)
    assert line.startswith(slot.names), line
    assert "\n" not in line
    assert "; " in line


SLOTS = [
    pytest.param(slot, id=f"{name}-{slot.names[0]}-{k}")
    for name, slots in ENTRIES.items()
    for k, slot in enumerate(slots)
]


@pytest.mark.parametrize("slot", SLOTS)
def test_what_is_no_exact_number_is_refused(slot: Slot) -> None:
    slot.call(slot.good)
    if slot.kind == "whole":
        for value in BAD_WHOLES.values():
            refused(slot, value)
        return
    if slot.kind == "real":
        values = dict(BAD_REALS)
        if not slot.infinite:
            values["infinite"] = float("inf")
        for value in values.values():
            refused(slot, value)
        return
    wide = np.finfo(np.longdouble).nmant > 52
    for name, make in BAD_ARRAYS.items():
        if name == "long double" and not wide:
            continue
        if name == "nan" and slot.good.dtype.kind in "iu":
            continue
        # One number beside nothing stays an integer, which the entry may take exactly.
        if name == "rounded integers" and slot.good.size == 1:
            continue
        refused(slot, make(slot.good))
