"""Stiffness: how a step on one sample changes the loss of another, by gradients of samples.

Gradients are taken for so many samples at once as a stated memory allows, block against block, and
of each pair of blocks only sums by class and by distance are kept: memory does not grow with N.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from epsrank.numerics.monitor.model.passes import as_arguments
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.monitor.quantity.given import as_loss, blamed, through
from epsrank.numerics.phenomena.derivatives import (
    beside_training,
    part,
    samples_in,
    trained,
    whole,
)
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError, described
from epsrank.theory.numbers.arrays import Matrix, Vector

Kind = Literal["cos", "sign"]
Pairs = Literal["within", "between", "all"]

#: Bytes that gradients of single samples may take.
MEMORY = 2**28
# Of the float32 gradients g: itself, what vmap keeps on the way, and the unit vectors.
_COPIES = 3


class SampleGradients:
    """∇ℓ(x_i, y_i) as rows, for as many samples at once as a stated memory allows.

    The loss of one sample is that of a batch of one; `without` names parameters that are left out.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Any,
        data: QuantityData,
        *,
        memory: int = MEMORY,
        without: Collection[str] = (),
    ) -> None:
        self._model, self._loss, self._data = model, as_loss(loss), whole(data)
        every = trained(model)
        if unknown := sorted(set(without) - set(every)):
            known = ", ".join(every)
            raise InputError("without", f"names {unknown[0]!r}", f"choose among {known}")
        self._parameters = {n: p.detach() for n, p in every.items() if n not in without}
        if not self._parameters:
            raise InputError("without", "names all parameters", "leave some in")
        self.count = samples_in(self._data)
        self._look()
        self.size = sum(p.numel() for p in self._parameters.values())
        width = max(p.element_size() for p in self._parameters.values())
        # Blocks of two sets of samples are there at a time.
        one = 2 * _COPIES * self.size * width
        self.block = max(1, min(self.count, as_whole(memory, "memory") // one))

    def _look(self) -> None:
        """Refuse samples that model or loss cannot take, which transforms would not say so well."""
        first = part(self._data, torch.arange(1))
        with torch.no_grad():
            with through(self._model, first.inputs):
                outputs = first.outputs(self._model)
            self._loss(outputs, first.targets)
        # Of all samples, before any is differentiated.
        self._loss.refuse_labels(outputs, self._data.targets)

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the rows of each block with their gradients."""
        for start in range(0, self.count, self.block):
            rows = slice(start, min(start + self.block, self.count))
            yield rows, self.of(rows)

    def of(self, rows: slice) -> Tensor:
        """Return the gradients of some samples, one per row."""
        few = part(self._data, torch.arange(rows.start, rows.stop))
        try:
            found = vmap(grad(self._value), (None, 0, 0))(self._parameters, few.inputs, few.targets)
        except (InputError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as error:
            # One sample went through by itself, see `_look`.
            problem = f"cannot be differentiated sample by sample ({described(error)})"
            remedy = "avoid .item() and changes in place in forward and loss"
            raise InputError("model", problem, remedy) from error
        flat = [g.detach().reshape(rows.stop - rows.start, -1) for g in found.values()]
        gradients = torch.cat(flat, dim=1)
        # Pairs without a cosine are left out: such gradients would leave without a word.
        lost = ~torch.isfinite(gradients).all(dim=1)
        if bool(lost.any()):
            first = rows.start + int(lost.nonzero()[0])
            why = blamed(self._model, self._data, math.nan)
            if why.argument != "loss":
                raise why
            problem = f"has a gradient that is not finite, at sample {first}"
            raise InputError("model", problem, "look at that sample, or measure before it diverges")
        return gradients

    def _value(self, parameters: dict[str, Tensor], inputs: Any, target: Any) -> Tensor:
        """Return the loss of one sample, as a batch of one."""
        one = torch.utils._pytree.tree_map(_as_batch, inputs)
        given = as_arguments(one)
        outputs = functional_call(self._model, parameters, given.args, given.kwargs)
        return self._loss.of(outputs, torch.utils._pytree.tree_map(_as_batch, target))


def _as_batch(leaf: Any) -> Any:
    return leaf[None] if isinstance(leaf, Tensor) else leaf


@dataclass(frozen=True, eq=False)
class Stiffness:
    """Stiffness by pairs of classes, and by the distance of inputs within a class.

    Attributes
    ----------
    classes : tuple
        Labels.
    cos, sign : Matrix, shape (classes, classes)
        Mean cosine and mean sign of g_1·g_2 over pairs; NaN where a pair of classes has none.
    counts : Matrix
        Numbers of ordered pairs: of one set each pair counts twice.
    distances, cos_at, sign_at : Vector
        Middles of equal bins of (1 − cos(x_1, x_2))/2, and the means over pairs of one class.
    """

    #: In ascending order.
    classes: tuple[int, ...]
    cos: Matrix
    sign: Matrix
    counts: Matrix
    distances: Vector
    cos_at: Vector
    sign_at: Vector

    def mean(self, kind: Kind = "cos", pairs: Pairs = "within") -> float:
        """Return the mean over all pairs of one class, of different classes, or over both."""
        _check_names(kind, pairs)
        table = self.cos if kind == "cos" else self.sign
        same = np.eye(len(self.classes), dtype=bool)
        chosen = {"within": same, "between": ~same, "all": np.ones_like(same)}[pairs]
        weights = np.where(chosen, self.counts, 0.0)
        if not weights.sum():
            return math.nan
        return float((weights * np.nan_to_num(table)).sum() / weights.sum())

    @cached_property
    def length(self) -> float:
        """ξ: the least distance within a class at which cos stiffness reaches 0.

        By linear interpolation between bins that have pairs; ∞ where it stays positive.
        """
        known = np.isfinite(self.cos_at)
        d, s = self.distances[known], self.cos_at[known]
        if not len(d):
            return math.nan
        if s[0] <= 0:
            return float(d[0])
        below = np.flatnonzero(s <= 0)
        if not len(below):
            return math.inf
        k = int(below[0])
        return float(d[k - 1] + (d[k] - d[k - 1]) * s[k - 1] / (s[k - 1] - s[k]))


def _check_names(kind: str, pairs: str) -> None:
    if kind not in get_args(Kind):
        raise InputError("kind", f"is {kind!r}", "choose 'cos' or 'sign'")
    if pairs not in get_args(Pairs):
        raise InputError("pairs", f"is {pairs!r}", "choose 'within', 'between' or 'all'")


class _Sums:
    """Sums over pairs, by class and by distance."""

    def __init__(self, classes: int, bins: int) -> None:
        self.tables = np.zeros((3, classes, classes))
        self.rows = np.zeros((3, bins))

    def add(
        self, first: Tensor, second: Tensor, y: Tensor, z: Tensor, d: Tensor, *, same: bool
    ) -> None:
        """Add all pairs of two blocks of unit gradients; of a block with itself each pair once."""
        cos = (first @ second.T).double()
        kept = torch.isfinite(cos)
        if same:
            kept &= torch.ones_like(kept).triu(diagonal=1)
        i, j = torch.nonzero(kept, as_tuple=True)
        values = cos[i, j]
        classes, bins = self.tables.shape[-1], self.rows.shape[-1]
        # A unit vector times itself may round to beyond 1.
        parts = (torch.ones_like(values), values.clamp(-1, 1), torch.sign(values))
        place = y[i] * classes + z[j]
        alike = y[i] == z[j]
        where = (d[i, j][alike] * bins).long().clamp(0, bins - 1)
        for index, part_of in enumerate(parts):
            table = torch.bincount(place, part_of, classes * classes).reshape(classes, classes)
            self.tables[index] += table.cpu().numpy()
            self.rows[index] += torch.bincount(where, part_of[alike], bins).cpu().numpy()


def stiffness_matrix(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    other: QuantityData | None = None,
    without: Collection[str] = (),
    memory: int = MEMORY,
    bins: int = 20,
) -> Stiffness:
    """Stiffness S = E cos(g_1, g_2) and E sign(g_1·g_2) over pairs of samples, by their classes.

    g_i = ∇ℓ(x_i, y_i) is the gradient of the loss of one sample. A small step on the first sample
    lowers the loss of the second where g_1·g_2 > 0.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`; targets are labels.
    other : QuantityData, optional
        Samples to pair with those of `data`, such as ones held out (train–validation). Without
        them the pairs are those of `data` (train–train), none with itself.
    without : collection of str
        Parameters whose gradient is left out: the bias of the output layer alone makes gradients
        of one class alike before anything is learned.
    memory : int
        Bytes for gradients of single samples. Less takes longer: N samples in blocks of b take
        N²/(2b) gradients.
    bins : int
        Of the distance (1 − cos(x_1, x_2))/2.

    Returns
    -------
    Stiffness
        Matrices by class, ``mean("cos", "within")`` and the like, and the dynamical length ξ.

    Raises
    ------
    InputError
        If targets are no labels, samples have weights, or a name is unknown.

    References
    ----------
    Fort, Nowak, Jastrzębski, Narayanan, Stiffness: a new perspective on generalization in neural
    networks, arXiv:1901.09491.

    Examples
    --------
    >>> data = QuantityData(torch.ones(4, 2), torch.zeros(4, dtype=torch.long))
    >>> found = stiffness_matrix(nn.Linear(2, 3), nn.functional.cross_entropy, data)
    >>> round(found.mean("cos", "within"), 6), found.length
    (1.0, inf)
    """
    bins = as_whole(bins, "bins")
    data = whole(data)
    pair = None if other is None else whole(other)
    first, x = _labels(data), _directions(data)
    second, z = (first, x) if pair is None else (_labels(pair), _directions(pair))
    values = torch.unique(torch.cat([first, second]))
    y, w = (torch.searchsorted(values, labels) for labels in (first, second))
    sums = _Sums(len(values), bins)
    with beside_training(model):
        rows = SampleGradients(model, loss, data, memory=memory, without=without)
        columns = rows if pair is None else SampleGradients(
            model, loss, pair, memory=memory, without=without
        )  # fmt: skip
        for here, block in rows.blocks():
            u = _units(block)
            for start in range(here.start if pair is None else 0, columns.count, columns.block):
                there = slice(start, min(start + columns.block, columns.count))
                same = pair is None and there == here
                v = u if same else _units(columns.of(there))
                # Cosines of inputs may round to beyond 1.
                d = ((1 - x[here] @ z[there].T) / 2).clamp(0, 1)
                sums.add(u, v, y[here], w[there], d, same=same)
    return _result(tuple(values.tolist()), sums, both=pair is None)


def _labels(data: QuantityData) -> Tensor:
    labels = data.targets
    if isinstance(labels, Tensor) and labels.ndim == 1 and not labels.is_floating_point():
        return labels
    kind = type(labels).__name__
    if isinstance(labels, Tensor):
        kind = f"{labels.dtype} of shape {tuple(labels.shape)}"
    remedy = "pass a tensor of whole numbers, one per sample"
    raise InputError("targets", f"are no labels ({kind})", remedy)


def _directions(data: QuantityData) -> Tensor:
    """Return x/‖x‖ of each sample; inputs that are no single tensor of numbers have no distance."""
    inputs = data.inputs
    if isinstance(inputs, tuple) and len(inputs) == 1:
        inputs = inputs[0]
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        return torch.zeros(samples_in(data), 1)
    return _units(inputs.reshape(len(inputs), -1)).nan_to_num()


def _units(rows: Tensor) -> Tensor:
    """Return rows of length 1; NaN for those of length 0, which have no direction."""
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / lengths


def _result(classes: tuple[int, ...], sums: _Sums, *, both: bool) -> Stiffness:
    # Each pair of one set was met once: now in both orders.
    counts, cos, sign = (t + t.T if both else t for t in sums.tables)
    with np.errstate(invalid="ignore", divide="ignore"):
        cos, sign = cos / counts, sign / counts
        cos_at, sign_at = sums.rows[1:] / sums.rows[0]
    bins = len(sums.rows[0])
    middles = (np.arange(bins) + 0.5) / bins
    return Stiffness(classes, cos, sign, counts, middles, cos_at, sign_at)


def stiffness(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    kind: Kind = "cos",
    pairs: Pairs = "within",
    other: QuantityData | None = None,
    without: Collection[str] = (),
    memory: int = MEMORY,
) -> float:
    """Mean stiffness over pairs of samples of one class, of different ones, or of all.

    Parameters
    ----------
    model, loss, data, other, without, memory
        As in `stiffness_matrix`.
    kind : {"cos", "sign"}
        Mean of cos(g_1, g_2) or of sign(g_1·g_2).
    pairs : {"within", "between", "all"}
        Which pairs of classes.

    Returns
    -------
    float
        In [−1, 1]; NaN where no pair has gradients.

    Raises
    ------
    InputError
        If `kind` or `pairs` is none of these, or as `stiffness_matrix`.

    Examples
    --------
    >>> data = QuantityData(torch.ones(4, 2), torch.tensor([0, 0, 1, 1]))
    >>> stiffness(nn.Linear(2, 2), nn.functional.cross_entropy, data, kind="sign")
    1.0
    """
    _check_names(kind, pairs)  # before the work
    found = stiffness_matrix(model, loss, data, other=other, without=without, memory=memory)
    return found.mean(kind, pairs)


def m_coherence(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    without: Collection[str] = (),
    memory: int = MEMORY,
) -> float:
    """Coherence m·‖E g‖²/E ‖g‖² of m sample gradients: how many samples a step on one helps.

    Parameters
    ----------
    model, loss, data, without, memory
        As in `stiffness_matrix`; targets may be of any kind. One pass over the samples.

    Returns
    -------
    float
        m where all gradients are equal, 1 where they are orthogonal and of equal length, 0 at a
        stationary point; NaN where all are zero.

    Raises
    ------
    InputError
        If samples have weights, or a name is unknown.

    References
    ----------
    Chatterjee, Zielinski, Making coherence out of nothing at all, arXiv:2008.01217.

    Examples
    --------
    >>> data = QuantityData(torch.ones(4, 2), torch.zeros(4, dtype=torch.long))
    >>> round(m_coherence(nn.Linear(2, 3), nn.functional.cross_entropy, data), 4)
    4.0
    """
    with beside_training(model):
        rows = SampleGradients(model, loss, data, memory=memory, without=without)
        total, squares = torch.zeros(rows.size, dtype=torch.float64), 0.0
        for _, block in rows.blocks():
            g = block.double()
            total = total.to(g) + g.sum(dim=0)
            squares += float(g.square().sum())
    return float(total @ total) / squares if squares > 0 else math.nan
