"""The attempt to refute N4: descent on Stiefel manifolds, all subsets at once, in batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.selection.rows import subsets
from epsrank.theory.selection.subset_value import SubsetValue, dual_matrix, polish, subset_value
from epsrank.theory.words import plural

Progress = Callable[[str], None]

#: Largest n: C(12, 6) = 924 subsets of every matrix are looked at in every step.
LARGEST = 12


@dataclass(frozen=True, eq=False)
class SubsetSearch:
    """Best value found of max_S σ_min(Q_S)·√n for one (n, p), with the matrix (N4)."""

    #: The smallest value and its matrix.
    found: SubsetValue
    #: Random starts, and descent steps of each.
    restarts: int
    steps: int
    #: Time taken.
    seconds: float
    #: Where the descent ran.
    device: str

    def __str__(self) -> str:
        return (
            f"{self.found}, {plural(self.restarts, 'start')} of "
            f"{plural(self.steps, 'step')}, {self.seconds:.1f} s"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the search as plain data."""
        return {
            **self.found.to_json(),
            "restarts": self.restarts,
            "steps": self.steps,
            "seconds": self.seconds,
            "device": self.device,
        }

    def kept(self) -> dict[str, Any]:
        """Return what the search can be made of again: its bounds follow from the matrix."""
        return {
            "matrix": self.found.matrix.tolist(),
            "restarts": self.restarts,
            "steps": self.steps,
            "seconds": self.seconds,
            "device": self.device,
        }

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> SubsetSearch:
        """Return a search that was kept."""
        found = subset_value(np.array(kept["matrix"]))
        return cls(found, kept["restarts"], kept["steps"], kept["seconds"], kept["device"])


def search_subsets(
    n: int,
    p: int,
    *,
    restarts: int = 32,
    steps: int = 200,
    polished: int = 4,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> SubsetSearch:
    """Minimise max_S σ_min(Q_S) over n×p orthonormal Q, looking for a value below 1/√n (N4).

    Batched Riemannian descent on a soft maximum whose temperature falls, from random starts, every
    other one with its rows in p + 1 clusters; the best few are polished by linear programs
    (`epsrank.theory.selection.subset_value.polish`). p > n/2 is searched as n − p, which is the
    same case (`dual_matrix`).
    """
    if not 1 <= p < n <= LARGEST:
        raise InputError("p", f"is {p} for n = {n}", f"choose 1 ≤ p < n ≤ {LARGEST}")
    if min(restarts, steps, polished) < 1:
        raise InputError(
            "restarts", f"is {restarts} of {plural(steps, 'step')}", "choose 1 or more"
        )
    began = time.perf_counter()
    small = min(p, n - p)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(restarts, n, small, dtype=torch.float64, generator=generator)
    start[1::2] = _clustered(start[1::2], generator)
    matrices = _descend(start.to(device), steps).cpu().numpy()
    rows = np.concatenate(list(subsets(n, small)))
    values = [float(np.linalg.svd(q[rows], compute_uv=False)[:, -1].max()) for q in matrices]
    order = np.argsort(values, kind="stable")[:polished]
    candidates = [subset_value(polish(matrices[index])) for index in order]
    best = min(candidates, key=lambda entry: entry.value)
    if small != p:
        best = subset_value(dual_matrix(best.matrix))
    return SubsetSearch(best, restarts, steps, time.perf_counter() - began, str(device))


def _clustered(start: Tensor, generator: torch.Generator) -> Tensor:
    """Return starts whose rows fall into p + 1 clusters, as in the known cases of equality."""
    count, n, p = start.shape
    extra = torch.randint(0, p + 1, (count, n - p - 1), generator=generator)
    owners = torch.cat([torch.arange(p + 1).expand(count, p + 1), extra], dim=1)
    rows = torch.gather(start, 1, owners[:, :, None].expand(count, n, p))
    return rows + 1e-3 * start


def _descend(start: Tensor, steps: int) -> Tensor:
    """Return the batch of matrices after descent on the soft maximum of σ_min²."""
    n, p = start.shape[1:]
    rows = torch.from_numpy(np.concatenate(list(subsets(n, p)))).to(start.device)
    matrices: Tensor = torch.linalg.qr(start).Q
    for step in range(steps):
        done = step / steps
        # In units of 1/n, the size of σ_min² that is looked for; both fall by three decades.
        temperature = 0.1 * (1e-3**done) / n
        length = 0.2 * (1e-3**done)
        parts = matrices[:, rows]
        values, vectors = torch.linalg.eigh(parts.mT @ parts)
        least, vector = values[..., 0], vectors[..., 0]
        weights = torch.softmax(least / temperature, dim=1)
        images = (parts @ vector[..., None]) * weights[:, :, None, None]
        pieces = images @ vector[:, :, None, :]
        gradient = torch.zeros_like(matrices)
        flat = rows.reshape(-1)
        gradient.index_add_(1, flat, pieces.reshape(len(matrices), -1, p))
        # Horizontal part: rotations of the columns change nothing.
        gradient = gradient - matrices @ (matrices.mT @ gradient)
        # Where the gradient is 0 the step is 0, and not 0/0.
        size = torch.linalg.matrix_norm(gradient)[:, None, None].clamp_min(1e-300)
        # Back to orthonormal columns.
        matrices = torch.linalg.qr(matrices - length * gradient / size).Q
    return matrices


def save_extremal(found: Iterable[SubsetSearch], path: Path) -> None:
    """Write the extremal matrices, replacing the file as a whole."""
    from epsrank.numerics.files import write_atomically

    arrays: dict[str, Array] = {
        "n{}_p{}".format(*entry.found.matrix.shape): entry.found.matrix for entry in found
    }

    def write(part: Path) -> None:
        with part.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    write_atomically(path, write)


def all_cases(largest: int, smallest: int = 2) -> list[tuple[int, int]]:
    """Return all (n, p) with 1 ≤ p ≤ n/2 up to a size; the rest follow by duality."""
    return [(n, p) for n in range(smallest, largest + 1) for p in range(1, math.floor(n / 2) + 1)]
