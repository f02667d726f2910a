"""From when on something holds for good: by the definition, and whatever spikes come after."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.stages.passages import lasting


def naive_lasting(steps, holds):
    """Ask every later stretch [s, 2s], and the last ones together with what came just before."""
    least = min(max(5, len(steps) // 20), len(steps))
    for at, step in enumerate(steps):
        stretches = []
        for begin in range(at, len(steps)):
            inside = [
                h
                for s, h in zip(steps, holds, strict=True)
                if steps[begin] <= s <= 2 * steps[begin]
            ]
            more = holds[begin : begin + max(least, len(inside))]
            short = len(steps) - begin < least
            stretches.append(
                2 * sum(more) > len(more) or (short and 2 * sum(holds[-least:]) > least)
            )
        if holds[at] and all(stretches):
            return step
    return np.inf


@pytest.mark.parametrize("size", [2, 4, 5, 7, 30])
def test_a_passage_for_good_is_that_of_the_definition(size):
    draw = np.random.default_rng(size)
    for _ in range(40):
        steps = np.sort(draw.choice(1000, size, replace=False)).astype(float)
        crossing, share = draw.integers(size + 1), draw.choice([0.0, 0.1, 0.4])
        holds = (np.arange(size) >= crossing) ^ (draw.random(size) < share)
        assert lasting(steps, holds).by == naive_lasting(steps, list(holds))


@pytest.mark.parametrize("crossing", [0, 20, 200, 1500, 5000, 5990])
def test_spikes_move_no_passage(crossing):
    steps, draw = np.arange(0.0, 6001, 10), np.random.default_rng(crossing)
    for _ in range(20):
        spikes = (draw.random(steps.size) < 0.1) & (steps > crossing + 100)
        assert lasting(steps, (steps >= crossing) & ~spikes).by == crossing
