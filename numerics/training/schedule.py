"""When a run is measured."""

from __future__ import annotations

# Measurements per decade at first, and in all over the evenly spaced rest; ours.
_PER_DECADE = 16
_EVEN = 100


def measurement_steps(steps: int, every: int | str) -> list[int]:
    """Return the steps at which a run is measured, 0 and the last one always among them.

    ``auto`` takes the union of a geometric sequence (16 a decade: the early phase changes on a
    logarithmic clock) and an even one of 100 (so that a late plateau or drop is never a single
    point between two far ones).

    Parameters
    ----------
    steps : int
        Number of updates of the run.
    every : int or "auto"
        Updates between measurements.

    Returns
    -------
    list of int
        Increasing steps from 0 to `steps`.
    """
    if isinstance(every, int):
        chosen = set(range(0, steps, every))
    else:
        chosen = set(range(0, steps, max(1, steps // _EVEN)))
        k, step = 0, 1
        while step < steps:
            chosen.add(step)
            k += 1
            step = round(10 ** (k / _PER_DECADE))
    return sorted(chosen | {0, steps})
