"""What is summed per layer: the Gram matrix with forgetting, and the mean size of every neuron."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.gram.accumulated import AccumulatedGram
from epsrank.numerics.gram.batch import as_batch, diagnosis, no_sums
from epsrank.numerics.gram.products import BLOCK, Precision, partial_sums
from epsrank.theory.data.inputs import as_eps, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    gamma,
    product_underflow,
    upward,
)
from epsrank.theory.rank.interval import RankInterval

_U = UNIT_ROUNDOFF["float64"]


class LayerAccumulator:
    """Accumulates G = Σ_t ρ^(T−t) Φ_tᵀΦ_t and Σ_t ρ^(T−t) |φ_j| over batches, in float64.

    T counts the calls of `forget` and t those before a batch came; without any, G = Σ ΦᵀΦ. In
    ``mean`` measure both are divided by the mass Σ_t ρ^(T−t) N_t.

    The error is accounted for as it arises: of every partial sum over K rows γ_K tr(Φ_tᵀΦ_t), of
    every addition and every multiplication with ρ one u·tr G̃, so ‖G̃ − G‖₂ ≤ `gram().error`.
    Memory: at most three n × n matrices and one bounded block; no batch is kept, and no graph.
    """

    def __init__(
        self,
        n_features: int,
        *,
        device: str | torch.device = "cpu",
        measure: Literal["mean", "raw"] = "mean",
        eps: float | None = None,
        relative: bool = False,
    ) -> None:
        n_features = as_whole(n_features, "n_features", remedy="pass the number of neurons, ≥ 1")
        if measure not in ("mean", "raw"):
            raise InputError("measure", f"is {measure!r}", "choose 'mean' or 'raw'")
        self.n_features = n_features
        self.measure: Literal["mean", "raw"] = measure
        self.eps, self.relative = (None if eps is None else as_eps(eps)), relative
        try:
            self.device = torch.device(device)
            self._sizes = torch.zeros(n_features, dtype=torch.float64, device=self.device)
            float(self._sizes[0])  # the meta device holds shapes only
        except (RuntimeError, AssertionError, TypeError) as error:
            raise no_sums(device, error) from None
        self._sums: Tensor | None = None  # 0 until there is something to sum
        self.n_samples = 0
        self._mass = 0.0
        self._mass_error = 0.0  # of the mass, relative
        self._error = 0.0  # of the unnormalised sums
        self._trace = 0.0  # of the unnormalised sums, as computed
        self._dtypes: set[str] = set()

    @property
    def order(self) -> int:
        """Order of the matrix that has the eigenvalues of G."""
        return self.n_features

    @property
    def _lower(self) -> Tensor:
        """The lower triangle of the sums; what stands above it is arbitrary."""
        if self._sums is None:
            self._sums = self._sizes.new_zeros((self.n_features,) * 2)
        return self._sums

    @property
    def mass(self) -> float:
        """Σ_t ρ^(T−t) N_t: the number of samples, forgotten ones counted less."""
        return self._mass

    def update(self, features: Any, weights: Tensor | None = None) -> None:
        """Add one batch: G ← G + Φᵀdiag(w)Φ. A batch that is refused leaves everything as it was.

        Weights are numbers w_i > 0, which add up to the mass; without any, all are 1.
        """
        with torch.no_grad():
            batch, _, _ = as_batch(features, None, None, self.n_features, 0)
            dtype = str(batch.dtype).removeprefix("torch.")
            if batch.element_size() == 1:
                batch = batch.to(torch.float32)  # exactly; float8 has no arithmetic of its own
            root = None
            if weights is not None:
                root = weights.to(batch.device, torch.float64).sqrt()[:, None]
                batch = batch.to(torch.float64) * root
            precision = self._precision(batch)
            sums, sizes = partial_sums(batch, precision, self.device)
            if root is not None:
                sizes = (batch.abs() * root).sum(0).to(self.device)
            trace = float(sums.diagonal().sum())
            # NaN, ∞ and overflow anywhere show on the diagonal, since |G_ij| ≤ √(G_ii·G_jj).
            if not math.isfinite(self._trace + trace):
                if precision == "float32" and bool(torch.isfinite(batch).all()):
                    raise InputError(
                        "features", "have squares beyond the range of float32", "rescale them"
                    )
                raise InputError(*diagnosis(batch, None, None))
            self._sums = sums if self._sums is None else self._sums.add_(sums)
            self._sizes += sizes
            self._count(batch.shape[0], trace, precision, weights)
            self._dtypes.add(dtype)

    def _count(
        self, n_rows: int, trace: float, precision: Precision, weights: Tensor | None
    ) -> None:
        """Account for the rounding of a batch."""
        step = BLOCK[precision]
        within = gamma(min(step, n_rows) + 1, UNIT_ROUNDOFF[precision])
        lost = self.n_features * n_rows * product_underflow(precision)
        additions = gamma(-(-n_rows // step) + 1)
        # True trace from the computed one: tr ≤ (tr̃ + lost)/(1 − γ).
        bound = upward((trace + lost) / (1 - within - additions))
        self._error = upward(self._error + (within + additions + within * additions) * bound + lost)
        self._add_rounding()
        self.n_samples += n_rows
        if weights is not None:
            # φ√w is off by a root and a product, and an entry of G by two of these.
            self._error = upward(self._error + 4.1 * _U * bound)
            self._mass += float(weights.double().sum())
            self._mass_error = upward(self._mass_error + gamma(n_rows + 1))
            return
        # Whole numbers up to 2^53 are added without rounding; forgetting makes others of them.
        exact = self._mass_error == 0 and self._mass + n_rows < 2**53
        self._mass += n_rows
        self._mass_error = 0.0 if exact else upward(self._mass_error + _U)

    def _add_rounding(self) -> None:
        # One rounding of every entry of S̃: u‖|S̃|‖₂ ≤ u(tr S + E) ≤ u(tr S̃ + 2E).
        self._trace = float(self._lower.diagonal().sum())
        self._error = upward(self._error + _U * (1.01 * self._trace + 2 * self._error) + UNDERFLOW)

    def _precision(self, batch: Tensor) -> Precision:
        """Choose where a batch is multiplied."""
        if self.eps is None or batch.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            return "float64"
        theta = self.eps
        if self.relative:
            if self._trace == 0:
                return "float64"
            # λ_1 ≥ ‖G‖_F² / tr G
            # Of the lower triangle, whose entries off the diagonal stand for two.
            squares = 2 * self._lower.tril().square().sum() - self._lower.diagonal().square().sum()
            theta *= float(squares) / self._trace / self._mass
        norm = float(torch.linalg.vector_norm(batch, dtype=torch.float32))
        # What float32 adds to the bound, in the mean: an eighth of ε leaves room for other batches.
        share = gamma(BLOCK["float32"] + 1, UNIT_ROUNDOFF["float32"]) * norm**2 / batch.shape[0]
        return "float32" if share <= theta / 8 else "float64"

    def forget(self, factor: float) -> None:
        """Let everything seen so far count ρ times as much."""
        number = isinstance(factor, (int, float)) and not isinstance(factor, bool)
        if not (number and 0 <= factor <= 1):
            raise InputError("forgetting", f"is {factor!r}", "pass a number from 0 to 1")
        if factor == 1 or self.n_samples == 0:
            return
        self._lower.mul_(factor)
        self._sizes *= factor
        self._mass *= factor
        # What is left of a mass near the end of the range would have no digits of its own.
        if factor == 0 or self._mass < 1e-290:
            self._sums = None
            self._sizes.zero_()
            self._mass = self._mass_error = self._error = self._trace = 0.0
            self.n_samples = 0
            self._dtypes.clear()
            return
        self._mass_error = upward(self._mass_error + _U)
        self._error = upward(self._error * factor)
        self._add_rounding()

    def gram(self) -> AccumulatedGram:
        """Return G̃ in the measure, with its error bound; on the CPU, as NumPy arrays."""
        mass = self._some_mass()
        lower = self._lower.tril()
        values = (lower + lower.tril(-1).T).cpu().numpy()
        error, trace = self._error, self._trace
        if self.measure == "mean":
            values /= mass
            off = upward(self._mass_error + _U)
            error = upward((error + (1.01 * trace + 2 * error) * off) / (mass * (1 - off)))
        return AccumulatedGram(
            values=values,
            error=upward(error + self.n_features * UNDERFLOW),
            moments=None,
            moments_error=0.0,
            target_norm_squared=0.0,
            target_error=0.0,
            mass=mass,
            measure=self.measure,
            dtype=next(iter(self._dtypes)) if len(self._dtypes) == 1 else "mixed",
            n_samples=self.n_samples,
        )

    @property
    def mean_abs(self) -> Array:
        """Mean of |φ_j| over the samples, shape (n,); 0 exactly for a neuron that never fired."""
        return np.asarray((self._sizes / self._some_mass()).cpu().numpy())

    def _some_mass(self) -> float:
        if self._mass == 0:
            raise InputError("batches", "are missing: nothing was accumulated", "call update first")
        return self._mass

    def rank(self, eps: float, *, relative: bool = False) -> RankInterval:
        """ε-rank of everything seen so far, certified against the rounding of the sums."""
        return self.gram().rank(eps, relative=relative)

    def all_reduce(self, group: Any = None) -> LayerAccumulator:
        """Return the sum over all processes of a group; this accumulator stays as it is.

        Every process of the group has to call it. Processes that saw no samples add nothing.
        """
        total = copy.deepcopy(self)
        return total if not _distributed() else total._reduce(group)

    def _reduce(self, group: Any) -> LayerAccumulator:
        import torch.distributed as dist

        size = dist.get_world_size(group)
        # Processes add up numbers, and no names: one flag for each dtype, and one for all others.
        kinds = [*UNIT_ROUNDOFF, "another"]
        seen = {name if name in UNIT_ROUNDOFF else "another" for name in self._dtypes}
        added = torch.tensor(
            [self._mass, self._error, self.n_samples], dtype=torch.float64, device=self.device
        )
        largest = torch.tensor(
            [self._mass_error, *(float(kind in seen) for kind in kinds)],
            dtype=torch.float64,
            device=self.device,
        )
        for tensor in (self._lower, self._sizes, added):
            dist.all_reduce(tensor, group=group)
        dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=group)
        self._mass, error, samples = added.tolist()
        self._error, self.n_samples = upward(error), int(samples)
        inexact, *flags = largest.tolist()
        # A sum of positive terms is relatively no worse than its worst term, and its additions.
        self._mass_error = upward(inexact + size * _U) if inexact else 0.0
        # Processes are added one to another: as many roundings at most, in whatever order.
        for _ in range(size):
            self._add_rounding()
        self._dtypes = {kind for kind, flag in zip(kinds, flags, strict=True) if flag}
        return self

    def __repr__(self) -> str:
        return (
            f"LayerAccumulator(n_features={self.n_features}, measure={self.measure!r}, "
            f"device={str(self.device)!r}, n_samples={self.n_samples})"
        )


def _distributed() -> bool:
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized()
