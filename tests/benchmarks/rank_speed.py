"""Speed of the ε-rank as ratios against the alternatives, interleaved in one run.

Run `make bench`, or `python tests/benchmarks/rank_speed.py [--rounds R] [--threads T] [--json]`.
Each alternative is timed once per round, in turn, so that a noisy machine slows all of them alike;
the figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
import scipy.linalg as sl
from scipy.linalg import blas
from threadpoolctl import threadpool_limits

from theory import epsilon_rank, epsilon_ranks

Action = Callable[[], Any]

# NumPy's and SciPy's BLAS each have threads that spin for a while after their work: let them rest,
# or whoever comes second pays.
_REST = 0.2


def interleaved(actions: dict[str, Action], rounds: int) -> dict[str, float]:
    """Return the median seconds of each action, timed in turn over several rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            time.sleep(_REST)
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def layers(n_samples: int, width: int) -> dict[str, np.ndarray[Any, Any]]:
    """Feature matrices at both ends of what layers do, and one in the middle."""
    generator = np.random.default_rng(0)
    x = np.linspace(-1, 1, n_samples)[:, None]
    rotation = np.linalg.qr(generator.standard_normal((width, width)))[0]
    gaussian = generator.standard_normal((n_samples, width))
    return {
        "full rank (Gaussian)": gaussian,
        "low rank (tanh of 1-D inputs)": np.tanh(
            x * generator.uniform(-30, 30, width) + generator.uniform(-30, 30, width)
        ),
        "half (12 decades of eigenvalues)": gaussian
        @ (rotation * 10.0 ** -np.linspace(0, 6, width)),
    }


def product(features: np.ndarray[Any, Any], copy: np.ndarray[Any, Any]) -> Action:
    """One general float64 product AᵀB (2Nn² operations), by the BLAS that the rank uses."""
    return lambda: blas.dgemm(1.0, features.T, copy.T, trans_b=1)


def against_alternatives(rounds: int) -> list[dict[str, Any]]:
    """epsilon_rank on 20 000 × 1024 against one AᵀA product and the singular values."""
    rows = []
    for name, features in layers(20_000, 1024).items():
        copy = features.copy()
        actions: dict[str, Action] = {
            "epsilon_rank": lambda f=features: epsilon_rank(f, 1e-6),
            "epsilon_rank and spectrum": lambda f=features: epsilon_rank(f, 1e-6).spectrum,
            "five thresholds": lambda f=features: epsilon_ranks(f, [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]),
            "AᵀA, general product (dgemm)": product(features, copy),
            "AᵀA, NumPy (dsyrk)": lambda f=features: f.T @ f,
            "AᵀA and eigvalsh, unverified": lambda f=features: np.linalg.eigvalsh(f.T @ f),
        }
        seconds = interleaved(actions, rounds)
        seconds |= interleaved({"singular values": lambda f=features: sl.svdvals(f)}, 3)
        rank = epsilon_rank(features, 1e-6)
        base = seconds["epsilon_rank"]
        rows.append(
            {
                "features": name,
                "rank": [rank.lower, rank.upper],
                "route": rank.route,
                "seconds": seconds,
                "ratio": {key: value / base for key, value in seconds.items()},
            }
        )
    return rows


def exact_routes(rounds: int) -> dict[str, float]:
    """Exact ranks, everything included."""
    features = np.random.default_rng(0).standard_normal((1000, 100))
    return interleaved(
        {
            "exact 1000×50": lambda: epsilon_rank(features[:, :50], 1e-6, exact=True),
            "exact 1000×100": lambda: epsilon_rank(features, 1e-6, exact=True),
        },
        rounds,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with threadpool_limits(options.threads):
        rows = against_alternatives(options.rounds)
        exact = exact_routes(options.rounds)
    if options.json:
        print(json.dumps({"rows": rows, "exact_seconds": exact}, indent=1))
        return
    print(f"NumPy {np.__version__}, SciPy {scipy.__version__}, {platform.machine()}")
    print("20 000 × 1024 float64, ε = 1e-6, medians; ratio = alternative / epsilon_rank\n")
    for row in rows:
        print(f"{row['features']}: ε-rank {row['rank']}, route {row['route']}")
        for key, value in row["seconds"].items():
            print(f"  {key:32s} {value:8.3f} s   {row['ratio'][key]:6.2f}")
    for key, value in exact.items():
        print(f"{key:34s} {value:8.3f} s")


if __name__ == "__main__":
    main()
