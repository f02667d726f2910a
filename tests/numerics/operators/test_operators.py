"""Linear operators on features: closed forms, linearity, quadrature, the loss of a PINN."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from epsrank.numerics.networks import ACTIVATIONS, MLP
from epsrank.numerics.operators import (
    OPERATORS,
    PROBLEMS,
    BoundaryProblem,
    boundary_points,
    box_points,
    constant,
    heat,
    helmholtz,
    images,
    laplacian,
    linear_operator,
    named_operator,
    parabolic_faces,
    partial,
    poisson,
)
from epsrank.theory.errors import InputError
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.rank import epsilon_rank


def tanh_layer(n=7, d=2, seed=0):
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(n, d)) * 2, rng.normal(size=n)

    def features(x):
        return torch.tanh(x @ torch.from_numpy(weight).T + torch.from_numpy(bias))

    return weight, bias, features


def test_second_derivatives_of_a_tanh_layer():
    weight, bias, features = tanh_layer()
    x = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    t = np.tanh(x @ weight.T + bias)
    slope, bend = 1 - t**2, -2 * t * (1 - t**2)
    points = torch.from_numpy(x)
    expected = {
        "poisson": -bend * (weight**2).sum(axis=1),
        "helmholtz": bend * (weight**2).sum(axis=1) + 9 * t,
        "heat": slope * weight[:, 1] - 0.3 * bend * weight[:, 0] ** 2,
    }
    found = {
        "poisson": poisson()(features)(points),
        "helmholtz": helmholtz(3.0)(features)(points),
        "heat": heat(0.3)(features)(points),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values, rtol=1e-12, atol=1e-12)
    # A wrong sign is not within rounding of anything.
    assert not np.allclose(-found["poisson"].numpy(), expected["poisson"], atol=1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_second_derivatives(name):
    sigma, step = ACTIVATIONS[name], 1e-4
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None] + 0.01
    differences = (sigma(x + step) - 2 * sigma(x) + sigma(x - step)) / step**2
    np.testing.assert_allclose(laplacian(sigma)(x), differences, atol=1e-6)


def test_gradients_pass_through_the_operator():
    torch.manual_seed(0)
    model = MLP(2, 6, 2).double()
    x = torch.rand(20, 2, dtype=torch.float64)

    def loss():
        return poisson()(model)(x).square().mean()

    loss().backward()
    weight = model.layers[0].weight
    slope = weight.grad.clone()
    way, step = torch.randn_like(weight), 1e-5
    with torch.no_grad():
        weight.add_(step * way)
        above = loss()
        weight.sub_(2 * step * way)
        below = loss()
    assert float((slope * way).sum()) == pytest.approx(float(above - below) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("name", PROBLEMS)
def test_solutions_solve_their_problems(name):
    problem = PROBLEMS[name]
    x, _ = box_points(problem.domain, 30)
    h, u = 1e-3, problem.solution
    d = x.shape[1]

    def shifted(axis, steps):
        return u(x + steps * h * np.eye(d)[axis])

    def second(axis):
        return (
            -(shifted(axis, 2) + shifted(axis, -2)) / 12
            + 4 / 3 * (shifted(axis, 1) + shifted(axis, -1))
            - 5 / 2 * u(x)
        ) / h**2

    if problem.operator.name in {"burgers", "allen-cahn"}:
        pytest.skip("held against its equation in test_references.py")
    if problem.operator.name == "heat":
        first = (8 * (shifted(1, 1) - shifted(1, -1)) - shifted(1, 2) + shifted(1, -2)) / (12 * h)
        image = first - 0.1 * second(0)
    elif problem.operator.name == "helmholtz":
        wave = 4.0 if d == 1 else 1.0
        image = sum(second(axis) for axis in range(d)) + wave**2 * u(x)
    else:
        image = -sum(second(axis) for axis in range(d))
    np.testing.assert_allclose(image, problem.source(x), atol=1e-5 * (1 + np.abs(image).max()))
    edge, _ = boundary_points(problem.domain, 9, faces=problem.faces)
    np.testing.assert_allclose(u(edge), problem.boundary(edge), atol=1e-12)


def test_rules_integrate():
    box = [(-1.0, 2.0), (0.0, 1.0)]
    x, w = box_points(box, 16)
    assert w.sum() == pytest.approx(3.0, rel=1e-14)
    assert w @ (x[:, 0] ** 6 * x[:, 1] ** 3) == pytest.approx((2**7 + 1) / 7 / 4, rel=1e-13)
    edge, v = boundary_points(box, 5)
    assert v.sum() == pytest.approx(8.0, rel=1e-14)
    assert v @ edge[:, 0] == pytest.approx(2 * 1.5 - 1 + 2, rel=1e-13)
    assert boundary_points([(-1.0, 1.0)], 9)[0].tolist() == [[-1.0], [1.0]]
    early, _ = boundary_points(box, 4, faces=parabolic_faces(2))
    assert early[:, 1].max() < 1.0
    drawn, v = box_points(box, 1000, "random", np.random.default_rng(0))
    assert v.sum() == pytest.approx(3.0)
    assert v @ drawn[:, 1] == pytest.approx(1.5, abs=0.1)


def test_the_stacked_norm_is_the_loss_of_a_pinn():
    weight, bias, features = tanh_layer(n=9)
    problem = PROBLEMS["poisson"]
    system = problem.system(49, kappa=7.0)
    beta = np.random.default_rng(3).normal(size=(9, 1))

    def output(x):
        return features(x) @ torch.from_numpy(beta)

    matrix = system.features(features)
    floor = loss_floor(
        matrix, system.target, eps=1e-6, coefficients=beta, weights=system.weights,
        measure=system.measure,
    )  # fmt: skip
    assert floor.loss == pytest.approx(system.loss(output), rel=1e-12)
    assert all(link.state != "violated" for link in check_chain(floor).links)
    # By hand, with nothing of the package: −Δ of tanh, κ on the boundary.
    x, inside = system.x.numpy(), system.stacked.inside.numpy()
    t = np.tanh(x @ weight.T + bias)
    residual = 2 * t * (1 - t**2) * (weight**2).sum(axis=1) @ beta
    residual -= 8 * np.sin(2 * x).prod(axis=1, keepdims=True)
    first = system.weights[inside] @ residual[inside, 0] ** 2
    edge = system.weights[~inside] @ (t @ beta)[~inside, 0] ** 2
    assert floor.loss == pytest.approx(first + 7.0 * edge, rel=1e-12)
    # Without κ it is another number: a missing factor cannot hide.
    assert abs(floor.loss - first - edge) > 1e-3 * floor.loss
    rank = epsilon_rank(matrix, 1e-6, weights=system.weights, measure="volume")
    assert rank.upper <= 9


def test_a_bias_enters_by_the_image_of_the_constant():
    system = PROBLEMS["helmholtz-1d"].system(20, kappa=4.0)
    ones = images(system.stacked, constant, system.x)[:, 0]
    inside = system.stacked.inside.numpy()
    assert set(ones[inside]) == {16.0}
    assert set(ones[~inside]) == {2.0}
    _, _, features = tanh_layer(n=5, d=1)
    beta, bias = np.ones((5, 1)), 0.7

    def output(x):
        return features(x) @ torch.from_numpy(beta) + bias

    for way in ("feature", "fixed"):
        floor = loss_floor(
            system.features(features), system.target, eps=1e-6, coefficients=beta, bias=way,
            bias_value=bias, constant=ones, weights=system.weights, measure="volume",
        )  # fmt: skip
        assert floor.loss == pytest.approx(system.loss(output), rel=1e-12)


def test_batches_keep_the_order_of_their_points():
    system = PROBLEMS["heat"].system(16, kappa=3.0)
    _, _, features = tanh_layer(n=4)
    whole = system.stacked(features, system.x)
    index = torch.randperm(len(system.x), generator=torch.Generator().manual_seed(0))[:11]
    part = system.stacked(features, system.x[index], index)
    np.testing.assert_allclose(part, whole[index], rtol=1e-13, atol=1e-13)
    for chosen in (system.stacked.inside, ~system.stacked.inside):
        alone = chosen.nonzero()[:, 0]
        np.testing.assert_allclose(
            system.stacked(features, system.x[alone], alone), whole[alone], atol=1e-13
        )


BOX = [(-1.0, 2.0)]


def drift(u):
    return lambda x: laplacian(u)(x) + x[:, :1] * partial(u, 0)(x) - torch.exp(x[:, :1]) * u(x)


def test_own_operators_are_taken_when_linear():
    operator = linear_operator(drift, BOX, name="drift", formula="u″ + xu′ − eˣu")
    assert (operator.name, operator.n_inputs) == ("drift", 1)
    assert "u″" in str(operator)
    problem = BoundaryProblem(
        "", operator, ((-1.0, 2.0),), lambda x: x[:, 0], lambda x: 0 * x[:, 0]
    )
    _, _, features = tanh_layer(d=1)
    assert problem.system(9).features(features).shape == (11, 7)
    with pytest.raises(InputError, match="takes 1"):
        BoundaryProblem("", operator, ((0, 1), (0, 1)), np.ravel, np.ravel).system()


NONLINEAR = {
    "square": lambda u: lambda x: u(x) ** 2,
    "burgers": lambda u: lambda x: u(x) * partial(u, 0)(x) - laplacian(u)(x),
    "cubic": lambda u: lambda x: laplacian(u)(x) + 1e-3 * u(x) ** 3,
    "modulus": lambda u: lambda x: partial(u, 0)(x).abs(),
    "affine": lambda u: lambda x: laplacian(u)(x) + 1.0,
    "positive part": lambda u: lambda x: torch.relu(u(x)),
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_nonlinear_operators_are_refused(name):
    with pytest.raises(InputError, match="not linear"):
        linear_operator(NONLINEAR[name], BOX)


@pytest.mark.parametrize(
    ("transform", "problem"),
    [
        (lambda u: lambda x: u(x).sum(dim=1), "returns"),
        (lambda u: lambda x: u(x).flip(1) if u(x).shape[1] > 1 else u(x), "mixes"),
        (lambda u: lambda x: u(x) / (x[:, :1] * 0), "finite"),
        (lambda u: lambda x: u(x[:, 3:4]), "fails"),
        (lambda u: 3.0, "fails"),
    ],
)
def test_broken_operators_are_refused(transform, problem):
    with pytest.raises(InputError, match=problem):
        linear_operator(transform, BOX)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: named_operator("burgers"), "nonlinear"),
        (lambda: named_operator("Allen-Cahn"), "linearise"),
        (lambda: named_operator("wave"), "choose one of identity"),
        (lambda: named_operator("poisson", wavenumber=2.0), "does not take"),
        (lambda: helmholtz(math.nan), "wavenumber"),
        (lambda: heat("thick"), "diffusivity"),
        (lambda: PROBLEMS["poisson"].system(kappa=-1.0), "kappa"),
        (lambda: box_points([(1.0, 0.0)], 4), "domain"),
        (lambda: box_points([(0.0, 1.0)], 4, "sobol"), "points"),
        (lambda: box_points([(0.0, 1.0)], 4, "random"), "generator"),
    ],
)
def test_bad_input_is_told_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as told:
        call()
    assert "\n" not in str(told.value)


def test_named_operators():
    assert {named_operator(name).name for name in OPERATORS} == set(OPERATORS)
    assert named_operator("helmholtz", wavenumber=2).formula == "Δu + 4u"


def test_heat_without_space_is_the_derivative_in_time():
    x = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(heat(0.5)(torch.sin)(x), torch.cos(x), atol=1e-15)
