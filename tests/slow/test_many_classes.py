"""A vocabulary of 50 257 classes: a floor within the memory of outputs and weights."""

from __future__ import annotations

import tracemalloc

import numpy as np

from epsrank import convex_floor


def test_a_vocabulary_has_a_floor():
    n_samples, n, k = 200, 30, 50_257
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(n_samples, n)), rng.integers(0, k, n_samples)
    tracemalloc.start()
    found = convex_floor(features, labels, norm=3.0, n_outputs=k)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.99 * found.attained <= found.reachable <= found.attained
    # A few times N·k + n·k numbers; one-hot rows by way of a k × k matrix would take 19 GB.
    assert peak <= 8 * 6 * (n_samples * k + n * k)
    free = convex_floor(features, labels, norm=3.0, n_outputs=k, bias="free")
    assert free.reachable <= found.attained
    assert free.gap <= 0.01 * free.attained
