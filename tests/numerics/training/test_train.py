"""What a run records is what the theory says of the network it trained."""

import re

import numpy as np
import pytest
import torch

import epsrank.numerics.training.loop
from epsrank.numerics.networks import capture
from epsrank.numerics.plots.run_figures import has_floor
from epsrank.numerics.processes.locks import only_writer
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.floor.reading import READINGS
from epsrank.theory.rank import epsilon_ranks

BASE = {"width": 12, "depth": 2, "n_train": 60, "device": "cpu"}


def config(**changes):
    return RunConfig(**(BASE | {"steps": 30, "measure_every": 10} | changes))


CASES = {
    "mean": {},
    "fixed-bias": {"bias": "fixed"},
    "float32": {"dtype": "float32"},
    "quadrature": {"task": "cosines-l2"},
    "resnet": {"network": "resnet", "depth": 3},
    "digits": {"task": "digits", "batch_size": 16, "probe": 40},
    "cnn": {"task": "digits", "network": "cnn", "depth": 3, "batch_size": 16},
}


@pytest.mark.parametrize("name", CASES)
def test_records_are_those_of_the_rebuilt_last_layer(name, tmp_path):
    settings = config(**CASES[name])
    run = train(settings, tmp_path)
    assert run.status == "complete"
    assert [record.step for record in run.records] == [0, 10, 20, 30]
    for index, record in enumerate(run.records):
        last = load_run(tmp_path).last_layer(index)
        for eps, floor in zip(settings.eps, record.floors, strict=True):
            expected = loss_floor(
                last.features,
                last.target,
                eps=eps,
                coefficients=last.coefficients,
                measure=last.measure,
                bias=settings.bias,
                bias_value=last.bias,
            )
            assert (record.loss, record.reachable, record.envelope, floor) == (
                expected.loss,
                expected.reachable,
                expected.envelope,
                expected.floor,
            )
            assert record.coefficient_norm == expected.coefficient_norm
            assert record.reading == expected.reading
        slack = 1e-12 * (1 + record.loss)
        assert record.loss >= record.reachable - slack
        assert record.reachable >= record.envelope - slack >= max(record.floors) - 2 * slack


@pytest.mark.parametrize("name", CASES)
def test_loss_is_the_integral_written_out(name):
    run = train(config(**CASES[name]))
    last, record = run.last_layer(-1), run.records[-1]
    residual = last.features @ last.coefficients + last.bias - last.target
    weights = np.ones(len(residual)) if last.measure.weights is None else last.measure.weights
    scale = weights.sum() if last.measure.name == "mean" else 1
    loss = (weights * (residual**2).sum(axis=1)).sum() / scale
    assert record.loss == pytest.approx(loss, rel=1e-12)
    tolerance = 1e-4 if run.config.dtype == "float32" else 1e-12
    assert record.training_loss == pytest.approx(loss, rel=tolerance)


@pytest.mark.parametrize("name", ["mean", "quadrature", "float32", "cnn"])
def test_ranks_of_every_layer(name):
    run = train(config(**CASES[name]))
    model, record = run.network(-1), run.records[-1]
    layers = capture(model, run._probe.x)
    assert [entry.layer for entry in record.layers] == list(range(1, run.n_layers + 1))
    for features, entry in zip(layers, record.layers, strict=True):
        weights = run._probe.weights
        expected = epsilon_ranks(
            features.double().numpy(), run.config.eps, weights=weights, measure=entry.measure
        )
        for rank, want in zip(entry.ranks, expected, strict=True):
            assert (rank.eps, rank.lower, rank.upper) == (want.eps, want.lower, want.upper)
        np.testing.assert_array_equal(entry.spectrum, expected[0].spectrum)
        assert entry.n_features == features.shape[1]


def test_training_lowers_the_loss_and_raises_the_rank():
    run = train(config(width=30, depth=2, steps=400, measure_every=400, learning_rate=5e-3))
    first, last = run.records
    assert last.loss < first.loss / 3
    assert last.rank().lower > first.rank().upper


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "lbfgs"])
def test_first_update_is_the_formula(optimizer):
    """One step from the gradient of the loss written out, for the optimisers with a formula."""
    run = train(config(optimizer=optimizer, steps=1, learning_rate=0.01))
    before, after = run.network(0), run.network(1)
    x, y = run.task.x, run.task.y
    ((before(x) - y) ** 2).sum(dim=1).mean().backward()
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        gradient = old.grad
        if optimizer in ("sgd", "momentum"):
            expected = old - 0.01 * gradient
        elif optimizer in ("adam", "adamw"):
            decay = 0.01 * 0.01 if optimizer == "adamw" else 0.0
            expected = old * (1 - decay) - 0.01 * gradient / (gradient.abs() + 1e-8)
        else:
            return
        torch.testing.assert_close(new, expected, rtol=0, atol=1e-12)


def test_line_search_makes_lbfgs_better_than_one_gradient_step():
    losses = [
        train(config(width=40, n_train=150, optimizer=name, init="structured", steps=80))
        .records[-1]
        .loss
        for name in ("lbfgs", "adam")
    ]
    assert losses[0] < losses[1] / 10


def test_cross_entropy_has_no_squared_error_floor():
    run = train(config(task="digits", loss="cross-entropy", batch_size=16))
    record, last = run.records[-1], run.last_layer(-1)
    assert (record.envelope, record.chain, record.floors) == (None, None, (None, None, None))
    # L2: certified, and near what can be attained.
    floor = convex_floor(
        last.features, last.target, coefficients=last.coefficients, bias="feature",
        bias_value=last.bias, tolerance=1e-4,
    )  # fmt: skip
    assert 0.98 * floor.reachable <= record.reachable <= floor.attained + floor.evaluation_error
    assert record.reading in READINGS
    assert not has_floor(run)
    logits = last.outputs
    right = logits[np.arange(len(logits)), last.target.argmax(axis=1)]
    loss = (np.log(np.exp(logits).sum(axis=1)) - right).mean()
    assert record.loss == pytest.approx(loss, rel=1e-12)
    norm = np.sqrt((last.coefficients**2).sum() + (last.bias**2).sum())
    assert record.coefficient_norm == pytest.approx(norm, rel=1e-12)
    assert 0 <= record.test_accuracy <= 1


def test_batches_estimate_the_integral_without_bias():
    session = epsrank.numerics.training.loop._Session(
        config(task="cosines-l2", batch_size=20), *_task_and_device("cosines-l2")
    )
    with torch.no_grad():
        whole = float(session.objective(session.model))
        parts = [float(session.objective(session.model, session._batch(k))) for k in range(3)]
    assert np.mean(parts) == pytest.approx(whole, rel=1e-12)
    assert {len(session._batch(k)) for k in range(3)} == {20}


def _task_and_device(name):
    from epsrank.numerics.tasks import load_task

    return load_task(name, n_train=60), torch.device("cpu")


def test_same_seed_same_numbers_other_seed_others():
    runs = [train(config(seed=seed, batch_size=7)) for seed in (3, 3, 4)]
    tables = [run.table() for run in runs]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    assert runs[0].spectra().equals(runs[1].spectra())


def test_global_generators_are_untouched():
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()
    train(config(task="digits", batch_size=8, init="structured", probe=20))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_table_and_folder(tmp_path):
    run = train(config(), tmp_path / "deep" / "run")
    table = run.table()
    assert table.num_rows == 4
    for name in ("step", "loss", "reachable", "envelope", "floor_1e-06", "reading"):
        assert name in table.column_names
    assert "rank_lower_layer2_1e-06" in table.column_names
    names = {path.name for path in run.out.iterdir()}
    assert names == {
        "config.toml",
        "epsrank.json",
        "history.parquet",
        "spectra.parquet",
        "weights.safetensors",
        "checkpoints",
        "state",
    }
    assert len(list((run.out / "checkpoints").iterdir())) == 4
    assert run.spectra().num_rows == 8


def test_load_run_gives_everything_back(tmp_path):
    run = train(config(), tmp_path)
    again = load_run(tmp_path)
    assert again.to_json() == run.to_json()
    assert again.table().equals(run.table())
    assert again.task.fingerprint() == run.task.fingerprint()
    one, two = run.last_layer(1), again.last_layer(1)
    assert np.array_equal(one.features, two.features)
    assert np.array_equal(one.coefficients, two.coefficients)
    assert str(again.records[0].rank()) in str(again.records[0])


def test_without_out_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = train(config())
    assert run.out is None
    assert run.last_layer(0).features.shape == (60, 12)
    assert len(list(tmp_path.iterdir())) == 1
    del run
    assert list(tmp_path.iterdir()) == []


def test_a_folder_has_one_writer_at_a_time(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(InputError, match="where another process is writing; wait until it has"),
    ):
        train(config(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert train(config(steps=1), tmp_path).status == "complete"


def test_progress_is_told_of_every_step():
    calls = []
    train(config(), progress=lambda step, total, record: calls.append((step, total, record)))
    assert [step for step, _, _ in calls] == list(range(31))
    assert [step for step, _, record in calls if record is not None] == [0, 10, 20, 30]
    assert {total for _, total, _ in calls} == {30}


def test_no_steps_at_all():
    run = train(config(steps=0))
    assert (run.status, [record.step for record in run.records]) == ("complete", [0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": "sgd", "learning_rate": 1e6, "activation": "relu"}, "the loss is"),
        ({"optimizer": "sgd", "learning_rate": 1e300}, "not finite|the loss is"),
        ({"init": "normal", "init_scale": 1e200, "activation": "relu"}, "not finite"),
    ],
)
def test_divergence_is_a_value_with_a_cause(changes, words, tmp_path):
    run = train(config(steps=200, **changes), tmp_path)
    assert run.status == "diverged"
    assert re.search(words, run.cause)
    again = load_run(tmp_path)
    assert (again.status, again.cause) == ("diverged", run.cause)
    assert again.to_json() == run.to_json()
    resumed = train(run.config, tmp_path, resume=True)
    assert resumed.to_json() == run.to_json()


def test_dead_neurons_are_measured():
    run = train(config(init="uniform", init_scale=1e-320, activation="relu", steps=1))
    record = run.records[0]
    assert record.rank().upper == 0
    assert record.loss > record.reachable
    assert not record.layers[0].spectrum.any()


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"task": "digits", "network": "cnn", "depth": 2, "n_train": 9999}, "n_train"),
        ({"network": "cnn", "depth": 2}, "network"),
        ({"probe": 61}, "probe"),
        ({"task": "cosines-l2", "probe": 10}, "probe"),
        ({"loss": "cross-entropy"}, "loss"),
    ],
)
def test_settings_that_do_not_fit_the_task(changes, argument, tmp_path):
    with pytest.raises(InputError) as caught:
        train(config(**changes), tmp_path / "run")
    assert caught.value.argument == argument
    assert not (tmp_path / "run").exists()


def test_missing_measurement():
    run = train(config(steps=1))
    with pytest.raises(InputError, match="2 measurements"):
        run.last_layer(5)
    with pytest.raises(KeyError):
        run.records[0].rank(layer=9)
