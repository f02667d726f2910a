"""Whatever settings and optimiser states there are, they come back as they were."""

import itertools
import json
import math
import string

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from epsrank.numerics.tasks import TASKS
from epsrank.numerics.training import RunConfig
from epsrank.numerics.training.making import measurement_steps
from epsrank.numerics.training.tensors import flatten, unflatten

positive = st.floats(min_value=5e-324, max_value=1e300)
configs = st.builds(
    RunConfig,
    task=st.sampled_from(sorted(TASKS)),
    network=st.sampled_from(["mlp", "resnet"]),
    width=st.integers(1, 10**6),
    init=st.sampled_from(["normal", "uniform", "structured"]),
    init_scale=st.none() | positive,
    learning_rate=st.none() | positive,
    batch_size=st.none() | st.integers(1, 10**9),
    seed=st.integers(0, 2**63 - 1),
    eps=st.lists(positive, min_size=1, unique=True).map(tuple),
    measure_every=st.just("auto") | st.integers(1, 10**9),
    data=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)

# Values that JSON, TOML and safetensors each have their own trouble with.
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(string.printable)
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.integers() | st.sampled_from(["tensor", "tuple", "dict", ""]), inner)
    ),
    max_leaves=12,
)


@given(configs)
@example(RunConfig(task="mnist", data='quote " and \\ back\nslash'))
def test_settings_survive_toml(config):
    assert RunConfig.from_toml(config.to_toml()) == config


@given(trees)
@example({"tensor": "tuple", 0: ({"dict": []},)})
@example([math.inf, -0.0, 5e-324])
def test_state_survives_json(tree):
    tensors = {}
    values = json.loads(json.dumps(flatten(tree, tensors, "t")))
    again = unflatten(values, tensors)
    assert again == tree
    assert repr(again) == repr(tree)
    assert tensors == {}


@given(st.lists(st.lists(st.floats(width=32), max_size=3), max_size=3))
def test_tensors_stay_beside_the_json(rows):
    tree = {i: {"old": [torch.tensor(row)], "none": None} for i, row in enumerate(rows)}
    tensors = {}
    again = unflatten(json.loads(json.dumps(flatten(tree, tensors, "t"))), tensors)
    assert len(tensors) == len(rows)
    for i, row in enumerate(rows):
        assert torch.equal(again[i]["old"][0].nan_to_num(7.0), torch.tensor(row).nan_to_num(7.0))


@given(st.integers(0, 10**6), st.just("auto") | st.integers(10**3, 10**6))
def test_schedule_begins_at_zero_ends_at_the_end_and_increases(steps, every):
    chosen = measurement_steps(steps, every)
    assert chosen[0] == 0
    assert chosen[-1] == steps
    assert all(a < b for a, b in itertools.pairwise(chosen))


def test_a_lossy_round_trip_would_be_seen():
    values = json.loads(json.dumps({"a": (1, 2), 0: None}))
    with pytest.raises(AssertionError):
        assert values == {"a": (1, 2), 0: None}
