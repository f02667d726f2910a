"""The structured first layer against its formulas (I3), and what it is for."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.first_layer.placement import patches
from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.networks import ACTIVATIONS, activation_function
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def column(low, high, count=201):
    return torch.linspace(low, high, count, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (2.0, 7.5)])
def test_grid_is_equation_4_3_on_any_interval(low, high):
    layer = nn.Linear(1, 20, dtype=torch.float64)
    result = structured_first_layer_(layer, (low, high), activation="tanh")
    x = column(low, high)
    centres = torch.linspace(low, high, 20, dtype=torch.float64)
    expected = torch.tanh(20 / (high - low) * (x - centres))
    torch.testing.assert_close(torch.tanh(layer(x)).detach(), expected, rtol=0, atol=1e-12)
    assert result.mode == "grid"
    assert f"{20 / (high - low):g}" in str(result)


def test_on_the_standard_interval_the_slope_is_half_the_width():
    layer = nn.Linear(1, 30, dtype=torch.float64)
    structured_first_layer_(layer, (-1, 1), activation="relu")
    assert bool((layer.weight == 15).all())


def test_global_generator_is_untouched():
    grid, box = nn.Linear(1, 9), nn.Linear(4, 9)
    before = torch.get_rng_state()
    structured_first_layer_(grid, (0, 1), activation="tanh")
    structured_first_layer_(box, (0, 1), activation="tanh", generator=generator())
    assert torch.equal(before, torch.get_rng_state())


def test_box_follows_sfli():
    layer = nn.Linear(3, 400, dtype=torch.float64)
    domain = [(-1.0, 1.0), (0.0, 4.0), (2.0, 3.0)]
    result = structured_first_layer_(layer, domain, activation="tanh", generator=generator())
    gamma = (400 ** (1 / 3) - 1) / 8 ** (1 / 3)
    assert result.slopes.numpy() == pytest.approx(gamma, rel=1e-14)
    torch.testing.assert_close(result.directions.norm(dim=1), torch.ones(400).double())
    # Every hyperplane meets the box: the pre-activation changes sign over its corners.
    corners = torch.cartesian_prod(*(torch.tensor(pair).double() for pair in domain))
    z = layer(corners).detach()
    assert bool((z.amin(dim=0) <= 1e-9).all() and (z.amax(dim=0) >= -1e-9).all())


def test_box_density_of_hyperplanes_is_uniform():
    """The mean number of hyperplanes within τ of a point is the same at all inner points."""
    count, tau = 40_000, 0.05
    layer = nn.Linear(2, count, dtype=torch.float64)
    result = structured_first_layer_(
        layer, [(-1, 1), (-3, 3)], activation="tanh", generator=generator(3)
    )
    points = torch.tensor([[0.0, 0.0], [0.9, 0.0], [0.9, 2.9], [-0.5, 2.0]]).double()
    distance = (points @ result.directions.T - result.offsets).abs()
    near = (distance < tau).double().mean(dim=1).numpy()
    error = 4 * math.sqrt(near.mean() / count)
    assert np.ptp(near) < 2 * error


def test_data_rule_places_offsets_within_the_projections():
    x = torch.randn(300, 6, dtype=torch.float64, generator=generator(1)) * torch.arange(1.0, 7)
    layer = nn.Linear(6, 50, dtype=torch.float64)
    result = structured_first_layer_(layer, data=x, activation="tanh", generator=generator())
    projections = x @ result.directions.T
    low, high = projections.amin(dim=0), projections.amax(dim=0)
    assert bool(((low <= result.offsets) & (result.offsets <= high)).all())
    torch.testing.assert_close(result.slopes, 4 / (high - low))
    z = layer(x).detach()
    torch.testing.assert_close(z, (projections - result.offsets) * result.slopes)


def test_one_dimensional_data_give_the_grid_of_their_range():
    on_data, on_interval = nn.Linear(1, 12), nn.Linear(1, 12)
    structured_first_layer_(on_data, data=np.array([0.5, -2.0, 3.0]), activation="tanh")
    structured_first_layer_(on_interval, (-2.0, 3.0), activation="tanh")
    assert torch.equal(on_data.weight, on_interval.weight)
    assert torch.equal(on_data.bias, on_interval.bias)


def test_cosine_directions_are_not_normalised():
    layer = nn.Linear(4, 2000, dtype=torch.float64)
    result = structured_first_layer_(layer, (0, 1), activation="cosine", generator=generator())
    assert float(result.directions.var()) == pytest.approx(1, rel=0.1)
    assert float(result.directions.norm(dim=1).std()) > 0.3


def test_gaussian_on_an_interval_is_radial():
    layer = nn.Linear(1, 10, dtype=torch.float64)
    result = structured_first_layer_(layer, (0, 2), activation="gaussian", generator=generator())
    x = column(0, 2)
    features = activation_function("gaussian")(layer(x)).detach()
    expected = torch.exp(-((4.5 * (x - result.offsets)) ** 2))
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_layer_raises_the_rank_over_the_default(activation):
    x = column(-1, 1, 400)
    sigma = activation_function(activation)
    torch_default = nn.Linear(1, 50, dtype=torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch_default.reset_parameters()
    layer = nn.Linear(1, 50, dtype=torch.float64)
    structured_first_layer_(layer, (-1, 1), activation=activation, generator=generator())
    ranks = [
        epsilon_rank(sigma(linear(x)).detach().numpy(), 1e-6) for linear in (torch_default, layer)
    ]
    assert ranks[0].upper < ranks[1].lower


def test_gamma_replaces_the_rule():
    layer = nn.Linear(1, 5, dtype=torch.float64)
    structured_first_layer_(layer, (-1, 1), activation="tanh", gamma=3.0)
    assert bool((layer.weight == 3).all())


def test_a_single_neuron_is_no_constant():
    for d in (1, 2):
        for activation in ("tanh", "cosine"):
            layer = nn.Linear(d, 1)
            structured_first_layer_(layer, (0, 2), activation=activation, generator=generator())
            assert float(layer.weight.detach().abs().max()) > 0


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [
        (nn.Conv2d(3, 4, 3, stride=2, dilation=2, dtype=torch.float64), (5, 3, 11, 12)),
        (nn.Conv2d(2, 4, (1, 3), dtype=torch.float64), (5, 2, 4, 6)),
        (nn.Conv1d(2, 4, 3, stride=2, dtype=torch.float64), (5, 2, 11)),
    ],
)
def test_patches_are_what_the_convolution_sees(convolution, shape):
    x = torch.randn(*shape, dtype=torch.float64)
    rows = patches(x, convolution) @ convolution.weight.reshape(4, -1).T + convolution.bias
    output = torch.movedim(convolution(x), 1, -1).reshape(-1, 4)
    torch.testing.assert_close(rows, output)


def test_patches_of_groups_and_padding():
    convolution = nn.Conv2d(4, 4, 3, padding=1, groups=2, dtype=torch.float64)
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    rows = patches(x, convolution)
    assert rows.shape == (2 * 9 * 2, 18)
    inner = nn.Conv2d(4, 4, 3, groups=2, dtype=torch.float64)
    first = rows[0] @ inner.weight[0].reshape(-1) + inner.bias[0]
    torch.testing.assert_close(first, inner(x)[0, 0, 0, 0])


def test_many_patches_are_thinned():
    rows = patches(torch.randn(30, 1, 64, 64), nn.Conv2d(1, 2, 3))
    assert 30_000 < len(rows) <= 65_536


def test_convolution_is_placed_over_its_patches():
    images = torch.rand(20, 1, 8, 8, dtype=torch.float64, generator=generator(1))
    layer = nn.Conv2d(1, 6, 3, padding=1, dtype=torch.float64)
    result = structured_first_layer_(layer, data=images, activation="tanh", generator=generator())
    z = layer(images).detach()[:, :, 1:-1, 1:-1]
    spread = z.amax(dim=(0, 2, 3)) - z.amin(dim=(0, 2, 3))
    torch.testing.assert_close(spread, torch.full((6,), 4.0).double())
    assert result.mode == "data"
    boxed = structured_first_layer_(layer, (0, 1), activation="tanh", generator=generator())
    assert len(boxed.domain) == 9


def test_result_goes_to_json():
    result = structured_first_layer_(nn.Linear(1, 3), (0, 1), activation="tanh")
    assert result.to_json()["slopes"] == [3.0, 3.0, 3.0]
    assert "γ" in result._repr_html_()


X = torch.randn(5, 2)


@pytest.mark.parametrize(
    ("layer", "given", "argument"),
    [
        (nn.Bilinear(1, 1, 1), {"domain": (0, 1)}, "layer"),
        (nn.LazyLinear(3), {"domain": (0, 1)}, "layer"),
        (nn.Linear(1, 3, bias=False), {"domain": (0, 1)}, "layer"),
        (nn.Linear(2, 3), {}, "domain and data"),
        (nn.Linear(2, 3), {"domain": (0, 1), "data": X}, "domain and data"),
        (nn.Linear(2, 3), {"domain": (1, 1)}, "domain"),
        (nn.Linear(2, 3), {"domain": (1, 0)}, "domain"),
        (nn.Linear(2, 3), {"domain": (0, math.inf)}, "domain"),
        (nn.Linear(2, 3), {"domain": (0, math.nan)}, "domain"),
        (nn.Linear(2, 3), {"domain": [(0, 1)] * 3}, "domain"),
        (nn.Linear(2, 3), {"domain": "unit"}, "domain"),
        (nn.Linear(2, 3), {"data": X * math.nan}, "data"),
        (nn.Linear(2, 3), {"data": X[:0]}, "data"),
        (nn.Linear(2, 3), {"data": X[:1]}, "data"),
        (nn.Linear(2, 3), {"data": torch.ones(5, 2)}, "data"),
        (nn.Linear(2, 3), {"data": X[:, :1]}, "data"),
        (nn.Linear(1, 3), {"data": torch.ones(5)}, "data"),
        (nn.Conv2d(1, 2, 3), {"data": X}, "data"),
        (nn.Conv2d(1, 2, 3), {"data": torch.rand(4, 1, 2, 9)}, "data"),
        (nn.Linear(2, 3), {"domain": (0, 1), "gamma": 0.0}, "gamma"),
        (nn.Linear(2, 3), {"domain": (0, 1), "gamma": math.nan}, "gamma"),
        (nn.Linear(2, 3), {"domain": (0, 1), "activation": "swish"}, "activation"),
    ],
)
def test_bad_input_names_the_argument(layer, given, argument):
    with pytest.raises(InputError) as caught:
        structured_first_layer_(layer, **{"activation": "tanh", **given})
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)


def test_data_without_variation_along_a_direction():
    x = torch.full((5, 3), 1e9, dtype=torch.float64)
    x[0, 0] += 1e-6
    with pytest.raises(InputError, match="constant"):
        structured_first_layer_(nn.Linear(3, 4), data=x, activation="tanh")


@pytest.mark.parametrize(
    ("dtype", "domain", "words"),
    [
        (torch.float32, (0.0, 1e-300), "beyond float32"),
        (torch.float64, (0.0, 5e-324), "beyond float64"),
        (torch.float16, (0.0, 1e-5), "beyond float16"),
        (torch.float32, (0.0, 1e300), "which are 0 in float32"),
        (torch.float16, (0.0, 1e9), "which are 0 in float16"),
    ],
)
def test_a_layer_that_cannot_hold_the_weights_stays_as_it_was(dtype, domain, words):
    layer = nn.Linear(1, 4).to(dtype)
    before = layer.weight.clone()
    with pytest.raises(InputError, match=words):
        structured_first_layer_(layer, domain=domain, activation="tanh")
    assert torch.equal(layer.weight, before)
