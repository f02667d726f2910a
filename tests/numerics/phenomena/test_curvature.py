"""Curvature against dense Hessians, quadratics whose Hessian is known, and literal formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, jacrev
from torch.nn import functional as F

from epsrank import (
    InputError,
    QuantityData,
    StabilityLimit,
    batch_sharpness,
    gradient_noise,
    hessian_density,
    hessian_eigenvalues,
    hessian_top,
    negative_curvature,
    noise_directions,
    noise_scale,
    noise_top,
    top_space_share,
)
from epsrank.numerics.phenomena.derivatives import drawn_batches
from epsrank.numerics.phenomena.lanczos import lanczos
from tests.numerics.phenomena.cases import NETWORKS, attentive, cross_entropy, mlp, samples


def dense(model, data, loss=cross_entropy):
    """Return the Hessian as a matrix, by nested differentiation of the loss in all parameters."""
    held = {name: p.detach() for name, p in model.named_parameters()}
    shapes = [p.shape for p in held.values()]
    sizes = [p.numel() for p in held.values()]
    start = torch.cat([p.reshape(-1) for p in held.values()])

    def value(vector):
        parts = [v.reshape(s) for v, s in zip(vector.split(sizes), shapes, strict=True)]
        outputs = functional_call(model, dict(zip(held, parts, strict=True)), (data.inputs,))
        return loss(outputs, data.targets)

    return jacrev(grad(value))(start)  # forward mode would compile


def quadratic(diagonal):
    """Return a model and samples whose mean squared loss has this Hessian, each entry once."""
    d = torch.tensor(diagonal, dtype=torch.float64)
    x = torch.diag((d * len(d) / 2).sqrt())
    return nn.Linear(len(d), 1, bias=False).double(), QuantityData(x, torch.zeros(len(d), 1))


@pytest.mark.parametrize("name", ["mlp", "attentive"])
def test_eigenvalues_are_those_of_the_dense_hessian(name):
    model = NETWORKS[name](1).double().eval()
    data = samples()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        torch.backends.mha.set_fastpath_enabled(False)
        expected = np.linalg.eigvalsh(dense(model, data).detach().numpy())[::-1]
        torch.backends.mha.set_fastpath_enabled(True)
    found, residuals = hessian_eigenvalues(model, cross_entropy, data, count=4, tolerance=1e-8)
    assert found == pytest.approx(expected[:4], rel=1e-7)
    assert (residuals <= 1e-7 * expected[0]).all()


@pytest.mark.parametrize("name", ["mlp", "attentive"])
def test_the_share_in_the_top_space_is_that_of_a_dense_eigenbasis(name):
    model = NETWORKS[name](1).double().eval()
    data = samples()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        torch.backends.mha.set_fastpath_enabled(False)
        _, vectors = np.linalg.eigh(dense(model, data).detach().numpy())
        loss = cross_entropy(model(data.inputs), data.targets)
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        torch.backends.mha.set_fastpath_enabled(True)
    g = torch.cat([slope.reshape(-1) for slope in slopes]).numpy()
    for count in (1, 3):
        expected = float(np.sum((vectors[:, -count:].T @ g) ** 2) / np.sum(g**2))
        found = top_space_share(model, cross_entropy, data, count=count, tolerance=1e-8)
        assert found.value == pytest.approx(expected, rel=1e-5)
        assert 0 < found.high - found.low < 1e-3
        # Few products: the interval is wide, and still holds the share.
        rough = top_space_share(model, cross_entropy, data, count=count, steps=count + 3)
        assert rough.low <= expected <= rough.high


def test_shares_of_a_quadratic():
    model, data = quadratic([7.0, 3.0, 1.0, 0.0])
    nn.init.constant_(model.weight, 1.0)
    squares = np.array([49.0, 9.0, 1.0, 0.0])
    for count in (1, 2, 3, 4):
        found = top_space_share(model, F.mse_loss, data, count=count)
        assert found.value == pytest.approx(squares[:count].sum() / 59)
    # Two equal eigenvalues have no first eigenvector of their own: one of their plane is seen.
    twice, data = quadratic([5.0, 5.0, 1.0])
    nn.init.constant_(twice.weight, 1.0)
    assert 0 <= top_space_share(twice, F.mse_loss, data, count=1).value <= 50 / 51 + 1e-12
    # One product does not say what lies beside its vector.
    blind = top_space_share(model, F.mse_loss, quadratic([7.0, 3.0, 1.0, 0.0])[1], count=1, steps=1)
    assert (blind.low, blind.high) == (0, 1)


def test_quadratics_with_known_hessian():
    model, data = quadratic([7.0, 7.0, 3.0, 1.0, 0.0, 0.0])
    found, _ = hessian_eigenvalues(model, F.mse_loss, data, count=6)
    assert found == pytest.approx([7, 7, 3, 1, 0, 0], abs=1e-9)
    estimate = hessian_top(model, F.mse_loss, data)
    assert estimate.low <= 7 + 1e-9
    assert estimate.high >= 7 - 1e-9
    density = hessian_density(model, F.mse_loss, data, probes=60)
    assert density.trace == pytest.approx(18, rel=0.15)
    assert density.share(5).value == pytest.approx(2 / 6, abs=0.08)
    assert density.share(-1, 0.5).value == pytest.approx(2 / 6, abs=0.08)
    grid = np.linspace(-2, 9, 400)
    assert np.trapezoid(density.density(grid, 0.2), grid) == pytest.approx(1, abs=1e-3)


def test_a_saddle_has_its_share_of_negative_curvature():
    model = nn.Linear(4, 1, bias=False).double()
    data = QuantityData(torch.eye(4, dtype=torch.float64), torch.zeros(4, 1))
    signs = torch.tensor([1.0, -1.0, -2.0, 3.0], dtype=torch.float64)

    def loss(outputs, targets):
        return (signs * (outputs - targets)[:, 0] ** 2).sum() / 2

    found = hessian_eigenvalues(model, loss, data, count=4)[0]
    assert found == pytest.approx([3, 1, -1, -2])
    assert negative_curvature(model, loss, data, probes=60).value == pytest.approx(0.5, abs=0.1)


def test_a_loss_that_is_linear_in_the_parameters_has_no_curvature():
    def loss(outputs, targets):
        return outputs.mean()

    model, data = nn.Linear(8, 1), samples(dtype=torch.float32)
    assert hessian_top(model, loss, data).value == 0.0


def test_lanczos_knows_multiple_and_clustered_eigenvalues():
    draw = torch.Generator().manual_seed(0)
    q = torch.linalg.qr(torch.randn(60, 60, generator=draw, dtype=torch.float64))[0]
    values = torch.cat([torch.full((3,), 10.0), torch.linspace(-1, 1, 57)]).double()
    matrix = q @ torch.diag(values) @ q.T
    start = torch.randn(60, generator=draw, dtype=torch.float64)
    found = lanczos(lambda v: matrix @ v, start, steps=60, wanted=1, tolerance=1e-10)
    assert found.values[-1] == pytest.approx(10, rel=1e-12)
    assert len(found.values) < 40
    whole = lanczos(lambda v: matrix @ v, start, steps=60)
    assert whole.weights.sum() == pytest.approx(1)


def literal_noise(model, data, size, batches, seed):
    """Return Σ_i (g_i − ḡ)(g_i − ḡ)ᵀ/(L − 1) as a matrix of parameters, as it is written."""
    gradients = []
    for rows in drawn_batches(len(data.inputs), size, batches, seed):
        model.zero_grad()
        cross_entropy(model(data.inputs[rows]), data.targets[rows]).backward()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]).numpy())
    model.zero_grad()
    return np.cov(np.array(gradients).T)


def test_noise_is_the_covariance_as_written():
    model, data = mlp(), samples()
    covariance = literal_noise(model, data, 6, 12, 3)
    expected = np.linalg.eigvalsh(covariance)[::-1][:11]
    found = gradient_noise(model, cross_entropy, data, batch_size=6, batches=12, seed=3)
    assert found.eigenvalues == pytest.approx(expected, rel=1e-9)
    assert found.trace == pytest.approx(np.trace(covariance))
    assert found.bias == pytest.approx(found.trace / 11)
    options = {"batch_size": 6, "batches": 12, "seed": 3}
    top = noise_top(model, cross_entropy, data, **options)
    assert (top.value, top.low) == pytest.approx((expected[0], expected[0] - found.bias))
    ratio = noise_directions(model, cross_entropy, data, **options)
    assert 1 <= ratio == pytest.approx(found.trace / expected[0])


def test_the_trace_is_that_of_single_samples_over_the_measuring_batch():
    """K = Σ/S: with another measuring batch the same point reads as another noise."""
    model, data = mlp(), samples(40)
    rows = [QuantityData(data.inputs[[i]], data.targets[[i]]) for i in range(40)]
    each = np.stack([
        np.concatenate([
            g.detach().numpy().ravel()
            for g in torch.autograd.grad(
                cross_entropy(model(row.inputs), row.targets), list(model.parameters())
            )
        ])
        for row in rows
    ])  # fmt: skip
    sigma = np.trace(np.cov(each.T, bias=True))
    square = float((each.mean(axis=0) ** 2).sum())
    for size in (2, 20):
        found = gradient_noise(model, cross_entropy, data, batch_size=size, batches=60)
        assert found.trace == pytest.approx(sigma / size, rel=0.2)
        assert found.scale == pytest.approx(sigma / square, rel=0.2)
        assert found.square == pytest.approx(square)


def test_identical_samples_have_no_noise_and_one_curvature():
    x = torch.ones(6, 8, dtype=torch.float64)
    data = QuantityData(x, torch.zeros(6, dtype=torch.long))
    found = gradient_noise(mlp(), cross_entropy, data, batch_size=3)
    assert found.trace == found.top == found.scale == 0
    assert math.isnan(noise_directions(mlp(), cross_entropy, data))
    assert noise_scale(mlp(), cross_entropy, data) == 0
    once = batch_sharpness(mlp(), cross_entropy, data, batch_size=1, batches=2)
    many = batch_sharpness(mlp(), cross_entropy, data, batch_size=5, batches=9)
    assert once.value == pytest.approx(many.value)
    assert many.high - many.low < 1e-9


def test_without_centring_the_gradient_counts_as_noise():
    x = torch.ones(6, 8, dtype=torch.float64)
    data = QuantityData(x, torch.zeros(6, dtype=torch.long))
    found = gradient_noise(mlp(), cross_entropy, data, batches=4, centred=False)
    assert found.top == pytest.approx(found.square)


def test_batch_sharpness_as_written():
    model, data = mlp(), samples()
    quotients = []
    for rows in drawn_batches(30, 7, 5, 2):
        few = QuantityData(data.inputs[rows], data.targets[rows])
        h = dense(model, few)
        loss = cross_entropy(model(few.inputs), few.targets)
        g = torch.cat([t.reshape(-1) for t in torch.autograd.grad(loss, list(model.parameters()))])
        quotients.append(float(g @ h @ g / (g @ g)))
    found = batch_sharpness(model, cross_entropy, data, batch_size=7, batches=5, seed=2)
    assert found.value == pytest.approx(np.mean(quotients))
    # On the whole set it lies below the largest eigenvalue.
    once = batch_sharpness(model, cross_entropy, data, batch_size=3000, batches=1)
    assert once.value <= hessian_top(model, cross_entropy, data).value * 1.2


def test_the_limit_follows_the_optimiser():
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    limit = StabilityLimit(optimizer)
    assert limit(model, None, None) == pytest.approx(10)
    optimizer.param_groups[0]["lr"] = 0.4
    optimizer.param_groups[0]["momentum"] = 0.9
    assert limit(model, None, None) == pytest.approx(9.5)
    assert StabilityLimit(0.5)(model, None, None) == 4
    damped = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5, dampening=1.0)
    assert StabilityLimit(damped)(model, None, None) == np.inf


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.5, "dampening": 0.5},
        {"momentum": 0.9, "weight_decay": 3.0},
        {"weight_decay": 3.0},
    ],
)
def test_steps_on_a_quadratic_diverge_beyond_the_limit_and_converge_below_it(options):
    def ends(share):
        x = nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = torch.optim.SGD([x], lr=0.1, **options)
        curvature = share * StabilityLimit(optimizer)(nn.Linear(1, 1), None, None)
        for _ in range(400):
            x.grad = curvature * x.detach()
            optimizer.step()
        return abs(x.item())

    assert ends(0.8) < 1e-6
    assert ends(1.2) > 1e6


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: StabilityLimit(torch.optim.Adam(mlp().parameters())), "optimizer is Adam"),
        (lambda: StabilityLimit(-1.0), "optimizer is -1"),
        (lambda: hessian_top(mlp(), None, samples()), "loss is missing"),
        (lambda: hessian_top(mlp().requires_grad_(False), cross_entropy, samples()), "no param"),
        (lambda: hessian_eigenvalues(mlp(), cross_entropy, samples(), count=0), "count is 0"),
        (lambda: gradient_noise(mlp(), cross_entropy, samples(), batches=1), "batches is 1"),
        (
            lambda: top_space_share(nn.Linear(2, 1), F.mse_loss, QuantityData(
                torch.ones(3, 2), torch.ones(3, 1)), count=9), "count is 9, and the model has 3 p",
        ),
        (
            lambda: top_space_share(nn.Linear(2, 1, bias=False), F.mse_loss, QuantityData(
                torch.zeros(3, 2), torch.ones(3, 1)), count=1), "model has no gradient",
        ),
        (
            lambda: noise_top(mlp(), cross_entropy, QuantityData(
                samples().inputs, samples().targets, torch.ones(30))), "have weights",
        ),
        (
            lambda: noise_top(mlp(), cross_entropy, QuantityData(
                samples().inputs, samples().targets[:9])), r"have \[9, 30\] rows",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_one_line(make, match):
    with pytest.raises(InputError, match=match):
        make()


@pytest.mark.parametrize("function", [hessian_top, gradient_noise, batch_sharpness])
def test_numbers_that_are_not_finite_are_named(function):
    model = mlp()
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    with pytest.raises(InputError, match=r"model has weights that .* \(0\.weight\)"):
        function(model, cross_entropy, samples())


def test_attention_has_second_derivatives_in_single_precision_too():
    model, data = attentive(), samples(dtype=torch.float32)
    assert hessian_top(model, cross_entropy, data).value > 0


def test_batches_of_inputs_are_joined():
    data = samples()
    parts = QuantityData([data.inputs[:11], data.inputs[11:]], data.targets)
    for function in (hessian_top, noise_top):
        first, second = (function(mlp(), cross_entropy, d) for d in (data, parts))
        assert first.value == pytest.approx(second.value, rel=1e-12)
