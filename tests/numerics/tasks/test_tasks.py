"""Tasks: their formulas and measures, and files that are missing, cut short or pickled."""

import socket
import urllib.error

import numpy as np
import pytest
import torch

from epsrank.numerics.tasks import TASKS, load_task
from epsrank.numerics.tasks.functions import TARGETS, grid
from epsrank.theory.errors import InputError


@pytest.mark.parametrize("name", TARGETS)
def test_function_tasks_hold_their_function_on_their_domain(name):
    task = load_task(name, n_test=7)
    for x, y in ((task.x, task.y), (task.x_test, task.y_test)):
        np.testing.assert_allclose(y[:, 0], TARGETS[name].function(x.numpy()), atol=1e-14)
        for axis, (low, high) in enumerate(task.domain):
            assert low <= float(x[:, axis].min())
            assert float(x[:, axis].max()) <= high
    assert task.kind == "regression"
    assert task.x_test.shape == (7, task.n_inputs)
    assert TASKS[name] in str(task)


def test_cosines_is_experiment_a1():
    task = load_task("cosines", n_train=5)
    x = np.array([-1, -0.5, 0, 0.5, 1])
    np.testing.assert_array_equal(task.x[:, 0], x)
    np.testing.assert_allclose(task.y[:, 0], np.cos(x) + np.cos(2 * x) + np.cos(30 * x))
    assert (task.weights, task.measure) == (None, "mean")


def test_quadrature_task_integrates():
    task = load_task("cosines-l2")
    assert task.measure == "volume"
    assert float(task.weights.sum()) == pytest.approx(2, rel=1e-13)
    integral = 2 * (np.sin(1) + np.sin(2) / 2 + np.sin(30) / 30)
    assert float(task.weights @ task.y[:, 0]) == pytest.approx(integral, rel=1e-12)


def test_grid_is_the_next_power():
    assert grid(((0.0, 1.0), (0.0, 2.0)), 9).shape == (9, 2)
    assert grid(((0.0, 1.0), (0.0, 2.0)), 10).shape == (16, 2)
    assert grid(((0.0, 1.0),), 1).shape == (2, 1)


def test_poisson_solution_vanishes_on_the_boundary():
    task = load_task("poisson-solution", n_train=100)
    edge = (task.x.abs() == task.x.abs().max()).any(dim=1)
    assert float(task.y[edge].abs().max()) < 1e-15


def test_digits():
    task = load_task("digits")
    assert (task.n_inputs, task.n_outputs, task.image_shape) == (64, 10, (1, 8, 8))
    assert task.n_samples + len(task.x_test) == 1797
    assert (float(task.x.min()), float(task.x.max())) == (0, 1)
    assert bool((task.y.sum(dim=1) == 1).all())
    small = load_task("digits", n_train=30, n_test=20, dtype=torch.float32)
    assert (len(small.x), len(small.x_test), small.x.dtype) == (30, 20, torch.float32)
    assert "30 of 1438" in small.description


def test_seed_decides_the_split_and_nothing_global():
    before = (np.random.get_state()[1].copy(), torch.get_rng_state())
    first, again, other = (load_task("digits", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())


def save_mnist(path, **changes):
    random = np.random.default_rng(0)
    arrays = {
        "x_train": random.integers(0, 256, (40, 28, 28), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 10,
        "x_test": random.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        "y_test": np.arange(12, dtype=np.uint8) % 10,
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_mnist_from_a_file_a_folder_and_the_environment(tmp_path, monkeypatch):
    path = save_mnist(tmp_path / "mnist.npz")
    by_file = load_task("mnist", data=path)
    by_folder = load_task("mnist", data=tmp_path)
    monkeypatch.setenv("EPSRANK_DATA", str(tmp_path))
    by_environment = load_task("mnist")
    assert by_file.fingerprint() == by_folder.fingerprint() == by_environment.fingerprint()
    assert (by_file.name, by_file.notice, by_file.n_samples) == ("mnist", None, 40)
    assert by_file.image_shape == (1, 28, 28)
    assert float(by_file.x.max()) == 1
    assert load_task("mnist", data=path, n_train=5).n_samples == 5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"no archive at all"), "names"),
        (lambda path: save_mnist(path) and path.write_bytes(path.read_bytes()[:5000]), "read"),
        (lambda path: save_mnist(path, y_test=None), "lacks y_test"),
        (lambda path: save_mnist(path, y_test=np.array([{}] * 12)), "pickled Python objects"),
        (lambda path: save_mnist(path, x_train=np.zeros((40, 28, 28))), "x_train has"),
        (lambda path: save_mnist(path, y_train=np.zeros(39, int)), "y_train has"),
        (lambda path: save_mnist(path, y_train=np.full(40, 11)), "labels beyond"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path, spoil, words):
    path = tmp_path / "mnist.npz"
    spoil(path)
    with pytest.raises(InputError, match=words) as caught:
        load_task("mnist", data=path)
    assert caught.value.argument == "data"
    assert "\n" not in str(caught.value)


def test_a_damaged_member_of_the_archive(tmp_path):
    path = save_mnist(tmp_path / "mnist.npz")
    spoiled = bytearray(path.read_bytes())
    spoiled[len(spoiled) // 3] ^= 0xFF  # inside the images: the checksum no longer fits
    path.write_bytes(spoiled)
    with pytest.raises(InputError, match=r"\[x_train\], which is damaged"):
        load_task("mnist", data=path)


def test_a_named_file_never_falls_back(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSRANK_DATA", str(tmp_path / "nowhere.npz"))
    with pytest.raises(InputError) as caught:
        load_task("mnist")
    assert caught.value.argument == "EPSRANK_DATA"


def test_without_network_digits_stand_in_and_say_so(monkeypatch):
    def unreachable(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)
    task = load_task("mnist", n_train=5000, n_test=100)
    assert task.name == "digits (in place of mnist)"
    assert "not MNIST" in task.description
    assert "no route to host" in task.notice
    assert "\n" not in task.notice
    assert (task.n_inputs, len(task.x_test)) == (64, 100)


def test_mnist_from_openml(monkeypatch):
    class Bunch:
        data = np.broadcast_to(np.arange(784, dtype=np.uint8), (70_000, 784))
        target = np.array([str(i % 10) for i in range(70_000)], dtype=object)

    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *args, **kwargs: Bunch)
    task = load_task("mnist", n_train=100, n_test=50)
    assert (task.name, task.notice) == ("mnist", None)
    assert "100 of 60000" in task.description
    assert (len(task.x), len(task.x_test), task.n_inputs) == (100, 50, 784)


@pytest.mark.parametrize("error", [TimeoutError("timed out"), ValueError("md5 checksum differs")])
def test_an_openml_that_fails_in_other_ways(error, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fail)
    before = socket.getdefaulttimeout()
    assert str(error) in load_task("mnist").notice
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"name": "cosinus"}, "task"),
        ({"name": ["cosines"]}, "task"),
        ({"name": "cosines", "n_train": 0}, "n_train"),
        ({"name": "cosines", "n_test": 1.5}, "n_test"),
        ({"name": "cosines", "seed": -1}, "seed"),
        ({"name": "cosines", "seed": 2**63}, "seed"),
        ({"name": "cosines", "dtype": torch.float16}, "dtype"),
        ({"name": "cosines", "data": "file.npz"}, "data"),
        ({"name": "digits", "n_train": 5000}, "n_train"),
    ],
)
def test_bad_input_names_the_argument(given, argument):
    with pytest.raises(InputError) as caught:
        load_task(**given)
    assert caught.value.argument == argument


def test_a_task_describes_itself():
    task = load_task("step", n_train=3, n_test=2)
    assert task.to_json()["n_samples"] == 3
    assert "sign x" in task._repr_html_()
