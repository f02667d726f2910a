"""Burgers and Allen–Cahn: references of known accuracy, residuals, runs without a floor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.networks import MLP
from epsrank.numerics.operators import PROBLEMS, allen_cahn, burgers, partial
from epsrank.numerics.operators.references import allen_cahn_solution, burgers_solution
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank

RNG = np.random.default_rng(0)
POINTS = np.column_stack([RNG.uniform(-1, 1, 500), RNG.uniform(0, 1, 500)])


def test_burgers_is_known_to_rounding():
    fine = burgers_solution(POINTS, nodes=240)
    assert np.abs(burgers_solution(POINTS) - fine).max() < 1e-13
    assert 1e-13 < np.abs(burgers_solution(POINTS, nodes=60) - fine).max() < 1e-8
    # A value that is printed in the literature's figures: the steepest slope, −152.00516 at
    # t = 1.6037/π (Basdevant et al. 1986).
    h = 1e-5
    time = 1.6037 / np.pi
    ends = burgers_solution(np.array([[-h, time], [h, time]]))
    assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(-152.00516, rel=1e-4)


def test_allen_cahn_is_known_to_a_millionth():
    near_corners = np.column_stack([np.linspace(0.98, 1, 60), np.full(60, 0.003)])
    points = np.concatenate([POINTS, near_corners])
    usual = allen_cahn_solution(points)
    change = np.abs(allen_cahn_solution(points, modes=1024, steps=500) - usual)
    assert change.max() < 1e-6
    start = np.column_stack([POINTS[:, 0], np.zeros(500)])
    expected = start[:, 0] ** 2 * np.cos(np.pi * start[:, 0])
    # The corner does not fit: u_xx jumps there, and the series of 2047 sines cuts off 2e-7.
    np.testing.assert_allclose(allen_cahn_solution(start), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["burgers", "allen-cahn"])
def test_solutions_solve_their_equations(name):
    """Sixth-order differences, away from the layers, where those are far below the terms."""
    u = PROBLEMS[name].solution
    grid = [(x, t) for x in np.linspace(-0.95, 0.95, 21) for t in np.linspace(0.1, 0.9, 9)]
    points = np.array([p for p in grid if abs(p[0]) > 0.25 and abs(abs(p[0]) - 0.5) > 0.15])
    h, weights = 2e-3, np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
    second = np.array([2, -27, 270, -490, 270, -27, 2]) / 180

    def combine(stencil, axis):
        shifts = [points + k * h * np.eye(2)[axis] for k in range(-3, 4)]
        return sum(w * u(shift) for w, shift in zip(stencil, shifts, strict=True))

    u_x, u_t, u_xx = combine(weights, 0) / h, combine(weights, 1) / h, combine(second, 0) / h**2
    value = u(points)
    if name == "burgers":
        terms = [u_t, value * u_x, -0.01 / np.pi * u_xx]
    else:
        terms = [u_t, -1e-4 * u_xx, -5 * value, 5 * value**3]
    size = sum(np.abs(term) for term in terms).max()
    assert np.abs(sum(terms)).max() < 1e-4 * size
    assert np.abs(sum(terms[:-1])).max() > 1e-2 * size


def test_residuals_are_their_formulas():
    torch.manual_seed(0)
    model, x = MLP(2, 6, 2).double(), torch.from_numpy(POINTS[:40])
    u, u_x, u_t = model(x), partial(model, 0)(x), partial(model, 1)(x)
    u_xx = partial(partial(model, 0), 0)(x)
    torch.testing.assert_close(burgers()(model)(x), u_t + u * u_x - 0.01 / np.pi * u_xx)
    torch.testing.assert_close(allen_cahn()(model)(x), u_t - 1e-4 * u_xx - 5 * u + 5 * u**3)


@pytest.mark.parametrize("name", ["burgers", "allen-cahn"])
def test_data_agree_with_the_solution(name):
    problem, system = PROBLEMS[name], PROBLEMS[name].system(100)
    edge = ~system.stacked.inside.numpy()
    points = system.x.numpy()[edge]
    np.testing.assert_allclose(problem.boundary(points), problem.solution(points), atol=1e-7)
    root = np.sqrt(problem.kappa)
    np.testing.assert_allclose(system.target[edge, 0], root * problem.boundary(points))


@pytest.mark.parametrize("name", ["burgers", "allen-cahn"])
def test_runs_have_ranks_and_no_floor(name, tmp_path):
    config = RunConfig(
        task=name, width=8, steps=20, measure_every=10, n_train=49, device="cpu", eps=(1e-6, 1e-2)
    )
    run = train(config, tmp_path / "run")
    record, model = run.records[-1], run.network()
    system = PROBLEMS[name].system(49)
    assert record.loss == pytest.approx(system.loss(model), rel=1e-10)
    assert record.loss < run.records[0].loss
    assert record.floors == (None, None)
    assert (record.reachable, record.envelope, record.reading, record.chain) == (None,) * 4
    assert "linear operator" in record.reason
    inside = system.stacked.inside
    with torch.no_grad():
        features = model.hidden(system.x[inside])[-1].numpy()
    own = epsilon_rank(features, 1e-2, weights=system.weights[inside.numpy()], measure="volume")
    assert record.rank(-1, 1e-2).lower == own.lower
    assert record.layers[-1].n_samples == 49
    with pytest.raises(InputError, match="nonlinear"):
        system.features(lambda x: model.hidden(x)[-1])
    for ask in (run.last_layer, run.certificate):
        with pytest.raises(InputError, match="no floor"):
            ask()


def test_the_commands_say_why_there_is_no_floor(tmp_path):
    from click.testing import CliRunner

    from epsrank.cli import main

    folder = str(tmp_path / "run")
    words = "train burgers --net 1x6 --steps 5 --n-train 25 --device cpu --out"
    done = CliRunner().invoke(main, [*words.split(), folder])
    assert done.exit_code == 0, done.output
    assert "u u_x" in done.output
    ranks = CliRunner().invoke(main, ["rank", folder])
    assert ranks.exit_code == 0, ranks.output
    floor = CliRunner().invoke(main, ["floor", folder])
    assert floor.exit_code == 2
    assert len(floor.stderr.splitlines()) == 1


def test_the_test_points_hold_the_solution():
    task = load_task("burgers", n_train=25, n_test=30)
    expected = burgers_solution(task.x_test.numpy())[:, None]
    np.testing.assert_allclose(task.y_test.numpy(), expected, atol=1e-15)
