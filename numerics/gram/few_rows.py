"""Fewer samples than neurons: ΦΦᵀ has the nonzero eigenvalues of ΦᵀΦ and is the smaller matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.linalg import blas
from torch import Tensor

from epsrank.numerics.gram.batch import as_batch, diagnosis
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Square
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, gram_error_bound, upward
from epsrank.theory.numbers.threads import SMALL

_U = UNIT_ROUNDOFF["float64"]


class FewRows(LayerAccumulator):
    """A `LayerAccumulator` that keeps a copy of the rows while N ≤ n/2, in place of their sums.

    The eigenvalues of G = ΦᵀΦ/N are those of the N × N matrix ΦΦᵀ/N and n − N zeros, so one batch
    of a wide layer costs N²n + N³ operations in place of Nn² + n³. The copy is at most half as many
    numbers as the sums. From the first row beyond on, or when the sums themselves are asked for,
    the rows are summed and let go of: everything is then as in `LayerAccumulator`.
    """

    def __init__(self, n_features: int, **settings: Any) -> None:
        super().__init__(n_features, **settings)
        self._rows: list[Tensor] | None = []

    def update(self, features: Any, weights: Tensor | None = None) -> None:
        """Add one batch; a batch that is refused leaves everything as it was."""
        if self._rows is None or weights is not None:
            self._sum()
            super().update(features, weights)
            return
        with torch.no_grad():
            batch, _, _ = as_batch(features, None, None, self.n_features, 0)
            if 2 * (self.n_samples + batch.shape[0]) > self.n_features:
                self._sum()
                super().update(features)
                return
            rows = _double(batch).to(self.device)
            if not math.isfinite(_sum_of_squares(rows)):
                raise InputError(*diagnosis(batch, None, None))
            self._rows.append(rows)
            self.n_samples += batch.shape[0]
            self._mass = float(self.n_samples)
            self._dtypes.add(str(batch.dtype).removeprefix("torch."))

    @property
    def order(self) -> int:
        """Order of the matrix whose eigenvalues are those of G."""
        return self.n_samples if self._rows else self.n_features

    def smallest(self) -> tuple[Array, float]:
        """Return the smaller one of G and ΦΦᵀ/N, in the measure, and the bound on its error.

        Where it is N × N with N < n, its eigenvalues are the N largest of G, and the others are 0.
        """
        if not self._rows:
            gram = self.gram()
            return gram.values, gram.error
        rows = self._rows[0] if len(self._rows) == 1 else torch.cat(self._rows)
        values = _outer_products(rows)
        trace = float(np.trace(values))
        # Of ΦΦᵀ, whose entries are sums over n neurons.
        error = gram_error_bound(trace, self.n_features, n_features=self.n_samples)
        if self.measure == "mean":
            values /= self.n_samples
            # One rounding of every entry: u‖|K̃|‖₂ ≤ u(tr K + E) ≤ u(tr K̃ + 2E).
            error = upward((error + _U * (1.01 * trace + 2 * error)) / self.n_samples)
            error = upward(error + self.n_samples * UNDERFLOW)
        return values, error

    @property
    def dtype(self) -> str:
        """Type of the features, ``"mixed"`` for several."""
        return next(iter(self._dtypes)) if len(self._dtypes) == 1 else "mixed"

    @property
    def mean_abs(self) -> Array:
        """Mean of |φ_j| over the samples, shape (n,); 0 exactly for a neuron that never fired."""
        if not self._rows:
            return super().mean_abs
        if self.device.type == "cpu":
            sizes = sum(np.abs(batch.numpy()).sum(axis=0) for batch in self._rows)
            return np.asarray(sizes / self.n_samples)
        total = torch.stack([batch.abs().sum(0) for batch in self._rows]).sum(0)
        return np.asarray((total / self.n_samples).cpu().numpy())

    def gram(self) -> Any:
        """Return G̃ in the measure, with its error bound."""
        self._sum()
        return super().gram()

    def forget(self, factor: float) -> None:
        """Let everything seen so far count ρ times as much."""
        self._sum()
        super().forget(factor)

    def all_reduce(self, group: Any = None) -> LayerAccumulator:
        """Return the sum over all processes of a group."""
        self._sum()
        return super().all_reduce(group)

    def _sum(self) -> None:
        """Turn the rows into sums, once and for all."""
        rows, self._rows = self._rows, None
        if not rows:
            return
        dtypes = set(self._dtypes)
        self.n_samples, self._mass = 0, 0.0
        for batch in rows:
            super().update(batch)
        # The rows kept are float64 copies; what was measured may be narrower.
        self._dtypes = dtypes


def _double(batch: Tensor) -> Tensor:
    """Return a copy of rows in float64, exactly."""
    if batch.is_cpu and batch.dtype in (torch.float32, torch.float64):
        # A copy of this size is made before PyTorch has woken its threads.
        return torch.from_numpy(batch.numpy().astype(np.float64, order="C"))
    # float8 has no way to float64 of its own.
    wide = batch.to(torch.float32) if batch.element_size() == 1 else batch
    return wide.to(torch.float64, copy=True)


def _sum_of_squares(rows: Tensor) -> float:
    """Return ‖Φ‖_F² as computed; NaN or ∞ if an entry is, or squares overflow."""
    if rows.is_cpu:
        flat = rows.numpy().ravel()
        return float(np.einsum("i,i->", flat, flat))
    return float(rows.square().sum())


def _outer_products(rows: Tensor) -> Square:
    """Return ΦΦᵀ in float64, exactly symmetric."""
    if rows.is_cpu and len(rows) <= SMALL:
        # The transpose of an array by rows is by columns, as BLAS wants it.
        upper = blas.dsyrk(1.0, rows.numpy().T, trans=1)
        return np.asarray(upper + np.triu(upper, 1).T)
    lower = torch.mm(rows, rows.T).tril()
    return np.asarray((lower + lower.tril(-1).T).cpu().numpy())
