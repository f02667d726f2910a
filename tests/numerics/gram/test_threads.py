"""BLAS keeps to one thread for small matrices, and has its threads back afterwards."""

from __future__ import annotations

import threading

import pytest
import torch

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.measuring import layer_numbers as measure
from epsrank.theory.numbers import threads
from epsrank.theory.numbers.threads import SMALL, blas_for


class Library:
    """Stands for a BLAS with threads, wherever the tests run."""

    def __init__(self, num_threads):
        self.num_threads = num_threads
        self.calls = []

    def set_num_threads(self, count):
        self.calls.append(count)
        self.num_threads = count


@pytest.fixture
def libraries(monkeypatch):
    found = (Library(4), Library(1), Library(2))
    monkeypatch.setattr(threads, "_libraries", lambda: found)
    return found


def counts(libraries):
    return [library.num_threads for library in libraries]


def test_small_matrices_get_one_thread_and_large_ones_all(libraries):
    with blas_for(SMALL):
        assert counts(libraries) == [1, 1, 1]
    assert counts(libraries) == [4, 1, 2]
    with blas_for(SMALL + 1):
        assert counts(libraries) == [4, 1, 2]
    assert libraries[1].calls == []


def test_threads_come_back_after_an_exception_and_only_from_the_last_user(libraries):
    with pytest.raises(ZeroDivisionError), blas_for(8):
        1 / 0  # noqa: B018
    assert counts(libraries) == [4, 1, 2]
    inside, leave = threading.Event(), threading.Event()

    def other():
        with blas_for(8):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with blas_for(8):
        pass
    assert counts(libraries) == [1, 1, 1]
    leave.set()
    thread.join()
    assert counts(libraries) == [4, 1, 2]


def test_the_numbers_of_a_small_layer_are_made_by_one_thread(libraries, monkeypatch):
    seen = []
    numbers = measure.layer_numbers
    monkeypatch.setattr(
        measure, "layer_numbers", lambda *args: (seen.append(counts(libraries)), numbers(*args))[1]
    )
    model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    with RankMonitor(model, probe=torch.randn(50, 2), every=1) as monitor:
        monitor.step()
    assert seen == [[1, 1, 1]]
    assert counts(libraries) == [4, 1, 2]


def test_the_libraries_of_this_process_are_found():
    assert threads._libraries()
    with blas_for(1):
        assert all(library.num_threads == 1 for library in threads._libraries())
