"""Gram matrices over batches: bounded memory, float64 sums, a rigorous bound of their rounding."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.gram.accumulated import AccumulatedGram
from epsrank.numerics.gram.batch import as_batch, diagnosis, no_sums
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.data.measure import MeasureName
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.rounding import UNDERFLOW, gamma, upward
from epsrank.theory.rank.interval import RankInterval

# Rows per float64 copy of a batch: at most 2^21 numbers, enough for full speed of the product.
_CHUNK_NUMBERS = 2**21
_CHUNK_ROWS = 1024


class StreamingGram:
    """Accumulates Φᵀ diag(w) Φ (and Φᵀ diag(w) u*) over batches, in float64.

    Memory is twice n² + nk numbers and one bounded chunk, whatever N is; no graph and no batch is
    kept. Batches of every float dtype are widened to float64 exactly, chunk by chunk.

    A sum that went through d roundings is off by at most γ_d = du/(1 − du) times the sum of the
    absolute values, in any order [Higham, §3.1]. Here d is counted: rows of a chunk, the product
    with the weight, chunks of a batch, batches, merges. Hence ‖G̃ − G‖₂ ≤ γ_d Σ w‖φ‖².
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int = 0,
        *,
        device: str | torch.device = "cpu",
        measure: MeasureName = "mean",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        n_features = as_whole(n_features, "n_features", remedy="pass the number of neurons, ≥ 1")
        n_outputs = as_whole(
            n_outputs, "n_outputs", least=0, remedy="pass the number of outputs, ≥ 0"
        )
        if measure not in get_args(MeasureName):
            raise InputError("measure", f"is {measure!r}", "choose 'mean', 'raw' or 'volume'")
        if dtype is not torch.float64:
            raise InputError(
                "dtype",
                f"is {str(dtype).removeprefix('torch.')}",
                "accumulate in torch.float64 (batches may have any float dtype)",
            )
        self.n_features = n_features
        self.n_outputs = n_outputs
        self.measure: MeasureName = measure
        try:
            self.device = torch.device(device)
            self._sums = torch.zeros(
                (n_features + n_outputs, n_features), dtype=dtype, device=self.device
            )
            self._squares = torch.zeros(n_outputs, dtype=dtype, device=self.device)
            self._mass = torch.zeros((), dtype=dtype, device=self.device)
            float(self._mass)  # the meta device holds shapes only
        except (RuntimeError, AssertionError, TypeError) as error:
            raise no_sums(device, error) from None
        self.n_samples = 0
        self._depth = 0
        self._weighted = False
        self._dtypes: set[str] = set()

    def update(self, features: Any, weights: Any = None, target: Any = None) -> None:
        """Add one batch: G ← G + Σ w_i φ(x_i)φ(x_i)ᵀ.

        A batch that is refused leaves everything as it was.
        """
        with torch.no_grad():
            batch, weight, goal = as_batch(
                features, weights, target, self.n_features, self.n_outputs
            )
            if weight is None and self.measure == "volume":
                raise InputError(
                    "weights", "are missing in 'volume' measure", "pass quadrature weights"
                )
            sums = torch.zeros_like(self._sums)
            squares, mass = torch.zeros_like(self._squares), torch.zeros_like(self._mass)
            negative = torch.zeros((), dtype=torch.bool, device=self.device)
            rows = max(1, min(_CHUNK_ROWS, _CHUNK_NUMBERS // (self.n_features + self.n_outputs)))
            for start in range(0, batch.shape[0], rows):
                stop = start + rows
                phi = self._widened(batch[start:stop])
                both, weighted = phi, phi
                if goal is not None:
                    u = self._widened(goal[start:stop])
                    both = torch.cat([phi, u], dim=1)
                if weight is None:
                    mass += phi.shape[0]
                else:
                    w = self._widened(weight[start:stop])
                    negative |= (w < 0).any()
                    mass += w.sum()
                    weighted = phi * w[:, None]
                sums += both.T @ weighted
                if goal is not None:
                    squares += (u.square() if weight is None else u.square() * w[:, None]).sum(0)
            sums += self._sums
            squares += self._squares
            mass += self._mass
            sane = torch.isfinite(sums).all() & torch.isfinite(squares).all() & torch.isfinite(mass)
            # The one synchronisation with the device, before anything is changed.
            if not bool(sane & ~negative):
                raise InputError(*diagnosis(batch, weight, goal))
            self._sums, self._squares, self._mass = sums, squares, mass
        n_rows = batch.shape[0]
        # Rows of a chunk, two products, chunks of the batch.
        within = min(rows, n_rows) + 2 + -(-n_rows // rows)
        # And one more, for the sum of both.
        self._depth = max(self._depth, within) + 1
        self.n_samples += n_rows
        self._weighted |= weight is not None
        self._dtypes.add(str(batch.dtype).removeprefix("torch."))

    def merge(self, other: StreamingGram) -> StreamingGram:
        """Add what another accumulator has seen (data of another worker, device or epoch)."""
        mine = (self.n_features, self.n_outputs, self.measure)
        theirs = (other.n_features, other.n_outputs, other.measure)
        if mine != theirs:
            raise InputError(
                "other",
                f"accumulates (n, k, measure) = {theirs}, this one {mine}",
                "merge accumulators of the same layer and measure",
            )
        sums = self._sums + other._sums.to(self.device)
        if not bool(torch.isfinite(sums).all()):
            raise InputError("other", "makes the sums overflow float64", "rescale the features")
        self._sums = sums
        self._squares = self._squares + other._squares.to(self.device)
        self._mass = self._mass + other._mass.to(self.device)
        self._depth = max(self._depth, other._depth) + 1
        self.n_samples += other.n_samples
        self._weighted |= other._weighted
        self._dtypes |= other._dtypes
        return self

    def gram(self) -> AccumulatedGram:
        """Return G̃ in the measure, with its error bound; on the CPU, as NumPy arrays."""
        if self.n_samples == 0:
            raise InputError("batches", "are missing: nothing was accumulated", "call update first")
        mass = float(self._mass)
        if mass == 0:
            raise InputError(
                "weights", "are all zero", "give at least one sample a positive weight"
            )
        n = self.n_features
        sums = self._sums.cpu().numpy()
        divisor = mass if self.measure == "mean" else 1.0
        # Halved before they are added: the sum of two entries may be beyond the range.
        values = (sums[:n] / 2 + sums[:n].T / 2) / divisor
        moments = sums[n:].T / divisor
        square = math.fsum(self._squares.tolist()) / divisor
        # Symmetrising and dividing: two more; a rounded Σ w in the divisor counts twice its depth.
        inexact = self.measure == "mean" and self._weighted
        depth = self._depth + 2 + (2 * self._depth if inexact else 0)
        factor = gamma(depth)
        # γ bounds the error by the true trace, and tr G ≤ tr G̃/(1 − γ).
        relative = math.inf if factor >= 1 else factor / (1 - factor)
        trace = float(np.trace(values))
        return AccumulatedGram(
            values=values,
            error=upward(relative * trace + n * UNDERFLOW),
            moments=moments.copy() if self.n_outputs else None,
            # Σ w‖φ‖‖u*‖ ≤ √(tr G)·‖u*‖, by Cauchy and Schwarz.
            moments_error=upward(relative * math.sqrt(trace) * math.sqrt(square) + UNDERFLOW)
            if self.n_outputs
            else 0.0,
            target_norm_squared=square,
            target_error=upward(relative * square + UNDERFLOW) if self.n_outputs else 0.0,
            mass=mass,
            measure=self.measure,
            dtype=next(iter(self._dtypes)) if len(self._dtypes) == 1 else "mixed",
            n_samples=self.n_samples,
        )

    def rank(self, eps: float, *, relative: bool = False) -> RankInterval:
        """ε-rank of everything seen so far, certified against the rounding of the sums."""
        return self.gram().rank(eps, relative=relative)

    def state_dict(self) -> dict[str, Any]:
        """Return everything accumulated, as tensors on the CPU and plain values."""
        return {
            "sums": self._sums.detach().cpu().clone(),
            "squares": self._squares.detach().cpu().clone(),
            "mass": self._mass.detach().cpu().clone(),
            "n_samples": self.n_samples,
            "depth": self._depth,
            "weighted": self._weighted,
            "dtypes": sorted(self._dtypes),
            "measure": self.measure,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace everything accumulated by a saved state."""
        missing = sorted(self.state_dict().keys() - state.keys())
        if missing:
            raise InputError("state", f"lacks {', '.join(missing)}", "pass a state_dict()")
        sums = torch.as_tensor(state["sums"])
        if tuple(sums.shape) != tuple(self._sums.shape) or state["measure"] != self.measure:
            raise InputError(
                "state",
                f"has sums of shape {tuple(sums.shape)} in {state['measure']!r} measure, but here "
                f"they are {tuple(self._sums.shape)} in {self.measure!r}",
                "load it into an accumulator of the same layer",
            )
        if sums.dtype != torch.float64:
            raise InputError("state", f"has {sums.dtype} sums", "pass a state_dict() as it was")
        self._sums = sums.to(self.device, copy=True)
        self._squares = torch.as_tensor(state["squares"]).to(self.device, copy=True)
        self._mass = torch.as_tensor(state["mass"]).to(self.device, copy=True)
        self.n_samples = int(state["n_samples"])
        self._depth = int(state["depth"])
        self._weighted = bool(state["weighted"])
        self._dtypes = set(state["dtypes"])

    def __repr__(self) -> str:
        return (
            f"StreamingGram(n_features={self.n_features}, n_outputs={self.n_outputs}, "
            f"measure={self.measure!r}, device={str(self.device)!r}, n_samples={self.n_samples})"
        )

    def _widened(self, rows: Tensor) -> Tensor:
        """Return rows in float64 on the accumulator's device, exactly."""
        return rows.to(device=self.device).to(dtype=torch.float64)
