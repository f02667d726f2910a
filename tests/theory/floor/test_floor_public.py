"""The public function: contract, chain, bias, planted faults, bad input."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.spectral import rank_of, spectral_loss_norm
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.floor.loss_floor import floor_of, loss_floor


def network(seed=0, n_samples=60, n=6, k=1):
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n_samples)
    features = np.tanh(np.outer(x, rng.standard_normal(n)) + rng.standard_normal(n))
    target = np.stack([np.sin((j + 2) * x) for j in range(k)], axis=1)
    return features, target, rng.standard_normal((n, k))


CONTRACT = {
    "measure",
    "eps",
    "rank",
    "coefficient_norm",
    "loss",
    "reachable",
    "envelope",
    "floor",
    "rank_budget",
    "reading",
}


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
def test_numbers_mean_what_they_say(measure, k):
    features, target, coefficients = network(k=k)
    weights = np.random.default_rng(1).uniform(0, 1, 60)
    weights[5] = 0
    result = loss_floor(
        features, target, eps=1e-4, coefficients=coefficients, weights=weights, measure=measure
    )
    density = weights / weights.sum() if measure == "mean" else weights
    loss = np.sum(density[:, None] * (features @ coefficients - target) ** 2)
    assert result.loss == pytest.approx(loss, rel=1e-12)
    assert result.coefficient_norm == pytest.approx(np.linalg.norm(coefficients), rel=1e-15)
    gram = np.linalg.eigvalsh(features.T @ (density[:, None] * features))[::-1]
    assert result.rank.lower == result.rank.upper == np.count_nonzero(gram > 1e-4)
    p = result.rank.upper
    assert result.floor == pytest.approx(
        max(result.distances[p] - 1e-2 * result.coefficient_norm, 0) ** 2
    )
    assert result.envelope == pytest.approx(result.floors.max())
    assert result.floor <= result.envelope <= result.reachable <= result.loss
    assert result.reachable_unbounded <= result.reachable
    assert result.n_outputs == k
    assert result.measure == measure
    assert check_chain(result).strict


def test_json_obeys_the_contract_and_has_no_nan_or_infinity():
    features, target, coefficients = network()
    for result in (
        loss_floor(features, target, eps=1e-6, coefficients=coefficients),
        loss_floor(features, target, eps=1e-6, norm=np.inf),
        loss_floor(features * 1e200, target * 1e200, eps=1e-6, norm=1.0),
        loss_floor(np.zeros((3, 2)), np.zeros(3), eps=1e-6, coefficients=np.zeros(2)),
    ):
        text = json.dumps(result.to_json(), allow_nan=False)
        read = json.loads(text)
        assert set(read) >= CONTRACT
        assert set(read["rank"]) == {"lower", "upper"}
        assert all(set(entry) == {"loss", "rank"} for entry in read["rank_budget"])
        assert read["reading"] in str(result)
        assert "<table>" in result._repr_html_()
    norm_only = loss_floor(features, target, eps=1e-6, norm=2.0)
    assert norm_only.loss is None
    assert norm_only.to_json()["loss"] is None
    assert norm_only.reading == "undetermined"


def test_torch_and_low_precision_features():
    features, target, coefficients = network()
    plain = loss_floor(features, target, eps=1e-4, coefficients=coefficients)
    tensors = loss_floor(
        torch.tensor(features),
        torch.tensor(target),
        eps=1e-4,
        coefficients=torch.tensor(coefficients),
    )
    assert tensors.to_json() == plain.to_json()
    short = loss_floor(
        torch.tensor(features).bfloat16(), target, eps=1e-4, coefficients=coefficients
    )
    assert short.dtype == "bfloat16"
    assert check_chain(short).holds


def test_plateau_readings():
    features, target, _ = network()
    best = np.linalg.lstsq(features, target, rcond=None)[0]
    assert loss_floor(features, target, eps=1e-6, coefficients=best).reading == "feature-limited"
    worse = loss_floor(features, target, eps=1e-6, coefficients=-best)
    assert worse.reading == "optimiser-limited"
    exact = loss_floor(features, features @ best, eps=1e-6, coefficients=best)
    assert exact.reading == "undetermined"
    assert exact.loss_norm <= exact.tolerance


def chain_of(result):
    """The JSON without the reading, whose bias is free whatever that of the chain."""
    return {k: v for k, v in result.to_json().items() if k not in result.verdict.to_json()}


def test_bias_as_a_feature_is_an_appended_column():
    features, target, coefficients = network()
    widened = np.hstack([features, np.ones((60, 1))])
    joined = np.vstack([coefficients, [[0.3]]])
    found = loss_floor(
        features, target, eps=1e-4, coefficients=coefficients, bias="feature", bias_value=0.3
    )
    literal = loss_floor(widened, target, eps=1e-4, coefficients=joined)
    assert {**chain_of(found), "bias": None} == chain_of(literal)
    assert found.n_features == 7
    asked = loss_floor(features, target, eps=1e-4, norm=1.0, bias="feature")
    assert asked.reachable == loss_floor(widened, target, eps=1e-4, norm=1.0).reachable


def test_a_fixed_bias_moves_the_target():
    features, target, coefficients = network(k=2)
    value = np.array([0.3, -1.0])
    found = loss_floor(
        features, target, eps=1e-4, coefficients=coefficients, bias="fixed", bias_value=value
    )
    literal = loss_floor(features, target - value, eps=1e-4, coefficients=coefficients)
    assert {**chain_of(found), "bias": None} == chain_of(literal)
    # The reading is that of W with any bias: a shift of the target changes none of its numbers.
    moved = loss_floor(
        features, target + 100, eps=1e-4, coefficients=coefficients, bias="feature",
        bias_value=value + 100,
    )  # fmt: skip
    assert (found.reading, found.verdict.bias) == (moved.reading, "free")
    assert moved.ratio == pytest.approx(found.ratio, rel=1e-9)
    assert moved.half_ratio == pytest.approx(found.half_ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "norm and coefficients: neither"),
        ({"norm": 1.0, "coefficients": np.ones(6)}, "both"),
        ({"norm": -1.0}, "norm"),
        ({"norm": np.nan}, "norm"),
        ({"coefficients": np.ones(5)}, "coefficients"),
        ({"coefficients": np.ones((6, 2))}, "coefficients"),
        ({"coefficients": np.full(6, np.nan)}, "coefficients"),
        ({"norm": 1.0, "eps": 0.0}, "eps"),
        ({"norm": 1.0, "measure": "mass"}, "measure"),
        ({"norm": 1.0, "measure": "volume"}, "measure"),
        ({"norm": 1.0, "bias": "none"}, "bias"),
        ({"norm": 1.0, "bias": "fixed"}, "bias_value"),
        ({"norm": 1.0, "bias": "feature", "bias_value": 1.0}, "bias_value"),
        ({"coefficients": np.ones(6), "bias": "feature"}, "bias_value"),
        ({"norm": 1.0, "bias_value": 1.0}, "bias_value"),
        ({"norm": 1.0, "bias": "fixed", "bias_value": [1.0, 2.0]}, "bias_value"),
        ({"norm": 1.0, "target": np.ones(59)}, "target"),
        ({"norm": 1.0, "target": np.full(60, np.inf)}, "target"),
        ({"norm": 1.0, "losses": [-1.0]}, "losses"),
    ],
)
def test_bad_input_is_named_in_one_line(arguments, match):
    features, target, _ = network()
    given_target = arguments.pop("target", target) if "target" in arguments else target
    with pytest.raises(InputError, match=match) as caught:
        loss_floor(features, given_target, **{"eps": 1e-6, **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "link"),
    [
        ({"floor_norm": 1e-6}, "floor ≤ envelope"),
        ({"envelope_norm": 1e-6}, "envelope ≤ reachable"),
        ({"reachable_norm": 1e-6}, "reachable ≤ loss"),
        ({"loss_norm": -1e-6}, "reachable ≤ loss"),
        ({"unbounded_norm": 1e-6}, "unbounded ≤ reachable"),
    ],
)
def test_an_inflated_number_is_caught(fault, link):
    """A millionth too much in a chain that holds with equality is a violation, not rounding."""
    ((name, shift),) = fault.items()
    features, target, _ = network()
    best = np.linalg.lstsq(features, target, rcond=None)[0]
    result = loss_floor(features, target, eps=1e-300, coefficients=best)
    assert check_chain(result).holds
    reference = {
        "floor_norm": result.envelope_norm,
        "envelope_norm": result.reachable_norm,
        "unbounded_norm": result.reachable_norm,
        "reachable_norm": result.loss_norm,
        "loss_norm": result.reachable_norm,
    }[name]
    broken = dataclasses.replace(result, **{name: reference + shift})
    check = check_chain(broken)
    assert not check.holds
    assert f"{link}: violated" in str(check)


def test_a_falsified_floor_of_one_p_and_nan_are_caught():
    features, target, coefficients = network()
    result = loss_floor(features, target, eps=1e-6, coefficients=coefficients)
    raised = result.floor_norms.copy()
    raised[3] = 2 * result.reachable_norm
    assert not check_chain(dataclasses.replace(result, floor_norms=raised)).holds
    assert not check_chain(dataclasses.replace(result, loss_norm=float("nan"))).holds
    within = dataclasses.replace(result, loss_norm=result.reachable_norm - 0.5 * result.tolerance)
    assert check_chain(within).holds
    assert not check_chain(within).strict


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(-12, 2),
    st.floats(-6, 8),
    st.sampled_from(["float64", "float32", "float16"]),
    st.booleans(),
)
def test_the_chain_holds_within_its_derived_tolerance(
    seed, n_samples, n, log_eps, log_norm, dtype, fitted
):
    rng = np.random.default_rng(seed)
    features = (rng.standard_normal((n_samples, n)) * np.logspace(0, -6, n)).astype(dtype)
    coefficients = rng.standard_normal(n) * 10.0**log_norm
    target = features.astype(float) @ coefficients if fitted else rng.standard_normal(n_samples)
    result = loss_floor(features, target, eps=10.0**log_eps, coefficients=coefficients)
    check = check_chain(result)
    assert check.holds, str(check)
    # The bound is of the size of rounding, not a licence.
    size = np.linalg.norm(features.astype(float)) * np.linalg.norm(coefficients)
    assert result.tolerance <= 1e-12 * (size + np.linalg.norm(target))


def test_one_decomposition_serves_many_thresholds_and_norms():
    features, target, coefficients = network()
    checked = as_features(features)
    law = as_measure("mean", None, 60)
    data = decompose(weighted_problem(checked, as_target(target, 60), law))
    for eps in (1e-12, 1e-8, 1e-4):
        for norm in (0.1, 1.0, 100.0):
            fast = floor_of(data, eps=eps, norm=norm)
            slow = loss_floor(features, target, eps=eps, norm=norm)
            assert fast.to_json() == slow.to_json()
            assert rank_of(data, eps).route == "svd"
    slow = loss_floor(features, target, eps=1e-6, coefficients=coefficients)
    assert spectral_loss_norm(data, coefficients) == pytest.approx(
        slow.loss_norm, abs=slow.tolerance, rel=0
    )


def test_the_free_rank_stays_open_where_rounding_decides():
    """λ = ε to the last digit: two counts cannot decide, and say so."""
    features = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 3)))[0]
    law = as_measure("raw", None, 8)
    data = decompose(weighted_problem(as_features(features), np.ones((8, 1)), law))
    interval = rank_of(data, 1.0)
    assert (interval.lower, interval.upper) == (0, 3)
    assert not interval.resolved
    assert rank_of(data, 0.9).lower == 3
    with pytest.raises(ValueError, match="only known to lie"):
        int(interval)


hostile = st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-308, -1e-160, 1e160, 1e308, -1.7e308])


@given(
    st.data(),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from([5e-324, 1e-300, 1e-6, 1e300]),
)
def test_the_chain_holds_at_the_ends_of_float64(data, n_samples, n, k, eps):
    def draw(*shape):
        size = int(np.prod(shape))
        return np.reshape(data.draw(st.lists(hostile, min_size=size, max_size=size)), shape)

    weights = np.abs(draw(n_samples))
    weights[0] = weights[0] or 1.0
    result = loss_floor(
        draw(n_samples, n),
        draw(n_samples, k),
        eps=eps,
        coefficients=draw(n, k),
        weights=weights,
        measure=data.draw(st.sampled_from(["mean", "raw"])),
    )
    check = check_chain(result)
    assert check.holds, str(check)
    json.dumps(result.to_json(), allow_nan=False)


def test_no_coefficients_and_enormous_features():
    """Found by search: φ·0 is 0, and must not hide a small target behind the features' exponent."""
    result = loss_floor([[1e308], [1.0]], [0.0, 1e-308], eps=1e-6, coefficients=[0.0])
    assert result.loss_norm == pytest.approx(1e-308 / np.sqrt(2))
    assert check_chain(result).holds


def test_the_text_claims_no_order_that_its_numbers_do_not_have():
    x = np.random.default_rng(1).normal(size=(50, 3))
    found = loss_floor(x, x @ np.ones(3), eps=1e-6, coefficients=np.ones(3))
    assert found.loss < found.reachable  # both are 0, to rounding
    assert f"loss {found.loss:.6g} ≈ V(B) {found.reachable:.6g} ≥ envelope" in str(found)
