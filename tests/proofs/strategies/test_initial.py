"""Networks before training and their domains: what is drawn can be built, over every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epsrank.numerics.first_layer.initial_rank import initial_network
from epsrank.numerics.networks import ACTIVATIONS, INITIALISATIONS, capture
from epsrank.proofs.strategies import (
    Domain,
    Initialisation,
    InitialNetwork,
    data_sets,
    domains,
    first_layers,
    initial_networks,
    intervals,
)
from epsrank.proofs.strategies.initial import ACTIVATION_NAMES, INITIALISATION_NAMES
from epsrank.theory.kernels.input_measure import box_measure


def test_the_names_are_those_of_the_networks():
    assert set(ACTIVATION_NAMES) == set(ACTIVATIONS)
    # TransNet's slope is tuned on random fields, which takes seconds for each network.
    assert set(INITIALISATION_NAMES) == set(INITIALISATIONS) - {"transnet"}


@pytest.mark.parametrize("init", INITIALISATION_NAMES)
@pytest.mark.parametrize("kernel", [None, (2, 3)])
def test_every_initialisation_builds_both_kinds_of_first_layer(init, kernel):
    rng = np.random.default_rng(0)
    shape = (5, 2) if kernel is None else (5, 2, 4, 4)
    network = InitialNetwork(Domain(data=rng.normal(size=shape)), 3, 2, "relu",
                             Initialisation(init), 7, kernel)  # fmt: skip
    first = network.first_layer()
    assert tuple(first.weight.shape) == ((3, 2) if kernel is None else (3, 2, 2, 3))
    features = network.features()
    assert features.shape == (5 if kernel is None else 5 * 3 * 2, 3)
    assert (network.features() == features).all()
    assert network.rank(1e-6).upper <= 3


def test_a_dense_network_is_the_multilayer_perceptron_of_its_seed():
    box = ((-1.0, 1.0),)
    network = InitialNetwork(Domain(box=box), 6, 3, seed=5)
    inputs = box_measure(box)
    model = initial_network(inputs, "tanh", 6, 3, seed=5)
    import torch

    expected = capture(model, torch.as_tensor(inputs.points))
    assert (network.features() == expected[-1].numpy()).all()
    assert (network.features(0) == expected[0].numpy()).all()


def test_only_the_first_layer_differs_under_the_structured_initialisation():
    network = InitialNetwork(Domain(box=((-1.0, 1.0),)), 4, 2)
    plain, placed = network.model().layers, network.with_init("structured").model().layers
    assert (plain[1].weight == placed[1].weight).all()
    assert placed[0].weight.flatten().tolist() == [2.0] * 4


@given(first_layers() | initial_networks(widths=(1, 5), depths=(2, 2)))
@settings(max_examples=15)
def test_what_is_drawn_can_be_built(network):
    features = network.features()
    assert features.shape[1] == network.width
    assert np.isfinite(features).all()


@given(domains(), intervals(), st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)))
def test_domains_are_usable(domain, interval, shape):
    assert interval[0] < interval[1]
    assert 1 <= domain.n_inputs == domain.measure().dimension <= 3


@given(data_sets(1) | data_sets(3) | data_sets((2, 2, 2), max_samples=3))
def test_data_sets_vary(data):
    assert (data != data[:1]).any()
    assert (data * 8 == np.round(data * 8)).all()
