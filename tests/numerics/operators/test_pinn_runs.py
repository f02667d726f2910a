"""Training of PINNs: what a run records is the operator's Gram matrix and its floor."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.operators import PROBLEMS
from epsrank.numerics.pruning import prune
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank

BASE = {"width": 8, "depth": 2, "steps": 20, "measure_every": 10, "device": "cpu", "n_train": 25}


def config(**changes):
    return RunConfig(**(BASE | {"task": "poisson-1d"} | changes))


CASES = {
    "poisson-1d": {},
    "poisson": {"task": "poisson"},
    "helmholtz-1d": {"task": "helmholtz-1d"},
    "helmholtz fixed bias": {"task": "helmholtz-1d", "bias": "fixed"},
    "helmholtz": {"task": "helmholtz", "network": "resnet"},
    "heat": {"task": "heat", "batch_size": 16},
    "structured": {"task": "poisson", "init": "structured"},
    "float32": {"dtype": "float32"},
    "kappa": {"boundary_weight": 3.0},
}


@pytest.mark.parametrize("name", CASES)
def test_records_are_those_of_the_operator(name):
    run = train(config(**CASES[name]))
    settings = run.config
    system = PROBLEMS[settings.task].system(
        25, kappa=settings.boundary_weight, dtype=settings.torch_dtype
    )
    model = run.network()
    record, last = run.records[-1], run.last_layer()
    loose = settings.dtype == "float32"
    assert record.loss == pytest.approx(system.loss(model), rel=1e-4 if loose else 1e-11)
    assert record.chain in {"strict", "rounding"}
    assert record.floors[0] <= record.envelope <= record.reachable <= record.loss
    features = system.features(lambda x: model.hidden(x)[-1])
    np.testing.assert_allclose(last.features, features, rtol=1e-4 if loose else 1e-12, atol=1e-12)
    rank = epsilon_rank(last.features, 1e-6, weights=system.weights, measure="volume")
    own = record.rank(-1, 1e-6)
    assert (own.lower, own.upper) == (rank.lower, rank.upper) or loose
    assert len(record.layers) == settings.depth
    assert record.layers[0].n_samples == len(system.x)
    # The test loss is the error of the solution itself.
    task = run.task
    error = (model(task.x_test) - task.y_test).square().mean().item()
    assert record.test_loss == pytest.approx(error, rel=1e-5 if loose else 1e-12)


@pytest.mark.parametrize("task", ["poisson-1d", "helmholtz-1d"])
def test_the_chain_of_a_trained_pinn_is_certified(task):
    run = train(config(task=task, width=6, steps=60))
    found = run.certificate(-1, 1e-4)
    assert found.holds, found.reason
    assert float(found.loss) == pytest.approx(run.records[-1].loss, rel=1e-12)


def test_training_reduces_the_error_of_the_solution():
    run = train(config(width=12, depth=1, steps=200, measure_every=200, learning_rate=2e-2))
    assert run.records[-1].test_loss < 0.05 * run.records[0].test_loss


def test_runs_resume_to_the_same_numbers(tmp_path):
    whole = train(config(batch_size=9))
    train(config(batch_size=9), tmp_path / "run", stop_after=7)
    again = train(config(batch_size=9), tmp_path / "run", resume=True)
    assert [r.to_json() for r in again.records] == [r.to_json() for r in whole.records]


def test_another_boundary_weight_is_other_data():
    first, second = (load_task("heat", n_train=9, boundary_weight=k) for k in (None, 3.0))
    assert first.fingerprint() != second.fingerprint()
    assert "boundary weight 3" in str(second)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "relu"}, "second derivative"),
        ({"loss": "cross-entropy"}, "no classes"),
        ({"network": "cnn", "depth": 2}, "no images"),
        ({"probe": 5}, "quadrature"),
        ({"boundary_weight": -2.0}, "boundary_weight"),
        ({"task": "cosines", "boundary_weight": 1.0}, "no boundary"),
    ],
)
def test_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        train(config(**changes))


def test_what_needs_the_solution_itself_is_refused():
    with pytest.raises(InputError, match="PINN"):
        prune(train(config(steps=0)), neurons=3)


def test_the_command_reads_the_floor_of_a_pinn(tmp_path):
    folder = tmp_path / "run"
    words = "train helmholtz-1d --net 1x8 --steps 20 --n-train 25 --boundary-weight 5 --eps 1e-4"
    done = CliRunner().invoke(main, [*words.split(), "--out", str(folder)])
    assert done.exit_code == 0, done.output
    record = load_run(folder).records[-1]
    asked = CliRunner().invoke(main, ["floor", str(folder), "--eps", "1e-4", "--json"])
    found = json.loads(asked.stdout)
    assert found["loss"] == pytest.approx(record.loss, rel=1e-12)
    assert found["floor"] == pytest.approx(record.floors[0], rel=1e-9)
    assert found["reachable"] == pytest.approx(record.reachable, rel=1e-9)
    assert found["measure"] == "volume"
    refused = CliRunner().invoke(main, ["floor", str(folder), "--loss", "huber"])
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
