"""Rows of one batch from what the head is given, and from what the model makes of it (F7)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from epsrank.numerics.monitor.heads.affine import AffineMap
from epsrank.numerics.monitor.heads.insertion import RANKS
from epsrank.numerics.monitor.heads.rows import HeadRows
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.words import plural

# Most weights of a head whose outputs are scaled one by one (a Gram matrix of that order), and most
# numbers of all rows then.
_MOST_BLOCK_WEIGHTS = 4096
_MOST_BLOCK_NUMBERS = 2**25

# Why the outputs of a sample have rows of their own.
_SCALED = "has outputs that are scaled one by one"
_MIXED = "gives what is mixed on the way to the outputs"
_ONE_OF_MANY = "gives one number that is a part of several outputs of a sample"

# Roundings of what surrounds the sum over the features.
_ROUNDINGS = 64


def head_rows(
    found: AffineMap, entered: list[Tensor], weight: Matrix, bias: Vector | None
) -> HeadRows:
    """Return the rows of one batch; what disagrees with the model's own outputs is refused."""
    phi = torch.cat([part.reshape(-1, part.shape[-1]) for part in entered]).cpu()
    n, k = weight.shape
    if phi.shape[1] != n:
        raise InputError(
            "head", f"has weights for {plural(n, 'feature')} and takes {phi.shape[1]}", RANKS
        )
    beta = None if bias is None else bias[None, :]
    found = replace(
        found,
        outputs=found.outputs.cpu(),
        offset=None if found.offset is None else found.offset.cpu(),
        source=None if found.source is None else found.source.cpu(),
        slope=None if found.slope is None else found.slope.cpu(),
    )
    if found.source is not None:
        rows = _of_single(found, phi, weight, beta)
    else:
        rows = _of_pooled(found, phi, weight, beta, k)
    _refuse_other_outputs(rows)
    return rows


def _of_single(found: AffineMap, phi: Tensor, weight: Matrix, bias: Matrix | None) -> HeadRows:
    """Return rows where every output depends on one entry of what the head gives."""
    assert found.source is not None
    k = weight.shape[1]
    source, slope = found.source, found.slope
    dead = torch.zeros_like(source, dtype=torch.bool) if slope is None else slope == 0
    axis = _classes(torch.where(dead, -1, source % k))
    columns, row = _rows_of(source % k, axis), _rows_of(source // k, axis)
    alive = ~_rows_of(dead, axis)
    # An output that does not depend on the head here (D = 0) takes its place from the others.
    chosen = torch.where(alive, columns, -1).amax(0)
    if bool((chosen < 0).any()):
        raise InputError("head", "does not reach some of the outputs of these samples", RANKS)
    place = torch.where(alive, row, -1).amax(1)
    fits = (columns == chosen) & (row == place[:, None])
    if not bool((fits | ~alive).all()):
        problem = "gives what is put together anew on the way to the output"
        raise InputError("head", problem, RANKS)
    features = phi[place.clamp(min=0)]
    own = weight[:, chosen.numpy()]
    beta = None if bias is None else bias[:, chosen.numpy()]
    outputs = _rows_of(found.outputs, axis)
    part = "" if own.shape == weight.shape and not (chosen.diff() != 1).any() else _part(chosen)
    base = HeadRows(
        features, own, beta, None, None, outputs, 1, found.outputs.shape, axis,
        f"u = {part}φW + b" if bias is not None else f"u = {part}φW",
    )  # fmt: skip
    if slope is None or found.offset is None:
        return base
    if axis is None and source.ndim > 1 and bool((source == source[..., :1]).all()):
        # One number that is a part of several outputs of a sample, such as the value of a state.
        base = replace(
            base, outputs=found.outputs.flatten(0, -2), copies=source.shape[-1], apart=_ONE_OF_MANY
        )
    scale, offset = _rows_of(slope, axis), _rows_of(found.offset, axis)
    if bool((scale == 1).all()):
        if not bool(offset.any()):
            return base
        return replace(base, offset=offset, form=f"{base.form} + r")
    same = bool((scale == scale[:, :1]).all())
    if same:
        d = scale[:, :1]
        form = _scaled(base.form, d, offset)
        return replace(base, features=features.double() * d, units=d, offset=offset, form=form)
    return _blocks(replace(base, form=_scaled(base.form, scale, offset)), scale, offset)


def _part(chosen: Tensor) -> str:
    numbers = [int(column) for column in chosen]
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        ends = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        return f"column{'s' * (len(numbers) > 1)} {ends} of "
    return f"{plural(len(numbers), 'column')} of "


def _scaled(form: str, scale: Tensor, offset: Tensor) -> str:
    low, high = float(scale.min()), float(scale.max())
    body = form.removeprefix("u = ")
    shift = " + r" if bool(offset.any()) else ""
    if low == high:
        return f"u = {low:.4g}·({body}){shift}"
    return f"u = D·({body}){shift}, D from {low:.3g} to {high:.3g}"


def _blocks(base: HeadRows, scale: Tensor, offset: Tensor) -> HeadRows:
    """Return a row for every output of a sample, in a space of n·k features."""
    n, k = base.weight.shape
    _refuse_large(n * k, len(base) * k)
    phi = base.features.double()
    blocks = torch.zeros(len(base), k, k, n, dtype=torch.float64)
    units = torch.zeros(len(base), k, k, dtype=torch.float64)
    for column in range(k):
        blocks[:, column, column] = scale[:, column : column + 1] * phi
        units[:, column, column] = scale[:, column]
    return _stacked(base, blocks, units, offset, _SCALED)


def _stacked(base: HeadRows, blocks: Tensor, units: Tensor, offset: Tensor, apart: str) -> HeadRows:
    """Return rows of single outputs: the head as one vector."""
    n, k = base.weight.shape
    rows = blocks.shape[0] * blocks.shape[1]
    return replace(
        base,
        features=blocks.reshape(rows, k * n),
        weight=base.weight.T.reshape(-1, 1).copy(),
        bias=None if base.bias is None else base.bias.reshape(-1, 1).copy(),
        units=units.reshape(rows, k),
        offset=offset.reshape(rows, 1),
        copies=int(blocks.shape[1]),
        apart=apart,
    )


def _of_pooled(
    found: AffineMap, phi: Tensor, weight: Matrix, bias: Matrix | None, k: int
) -> HeadRows:
    """Return rows where every output depends on several entries of what the head gives."""
    assert found.slope is not None
    assert found.offset is not None
    n = phi.shape[1]
    outputs, samples = found.outputs, len(found.outputs)
    slope = found.slope.reshape(len(found.slope), samples, -1, k)  # (E, N, T, k)
    phi = phi.double().reshape(samples, -1, n)
    reached = (slope != 0).any(dim=1).any(dim=1)  # (E, k)
    form = "u = φW + b" if bias is not None else "u = φW"
    per_sample = outputs.shape[1:]
    if bool((reached.sum(1) == 1).all()):
        columns = reached.long().argmax(1).reshape(1, *per_sample).expand(outputs.shape)
        axis = _classes(columns)
        chosen = _rows_of(columns, axis)[0]
        own = weight[:, chosen.numpy()]
        beta = None if bias is None else bias[:, chosen.numpy()]
        single = slope.sum(-1).permute(1, 0, 2)  # (N, E, T): one column each
        weights = torch.stack(
            [_rows_of(single[..., t].reshape(outputs.shape), axis) for t in range(single.shape[2])],
            dim=-1,
        )  # (R, k, T)
        if bool((weights == weights[:, :1]).all()):
            share = weights[:, 0]  # (R, T)
            positions = phi.repeat_interleave(len(share) // samples, dim=0)
            features = torch.einsum("rt,rtn->rn", share, positions)
            units = share.sum(1, keepdim=True)
            offset = _rows_of(found.offset, axis)
            return HeadRows(
                features, own, beta, units, offset, _rows_of(outputs, axis), 1, outputs.shape, axis,
                f"{form}, pooled" + " + r" * bool(offset.any()),
            )  # fmt: skip
    _refuse_large(n * k, samples * len(slope) * max(1, slope.shape[2]))
    blocks = torch.einsum("entk,ntj->nekj", slope, phi)
    units = slope.sum(2).permute(1, 0, 2)
    flat = outputs.reshape(samples, -1)
    axis = 1 if outputs.ndim > 1 else None
    base = HeadRows(
        phi[:, 0], weight, bias, None, None, flat, 1, flat.shape, axis,
        f"u = D·({form.removeprefix('u = ')}) with a matrix D"
        + " + r" * bool(found.offset.any()),
    )  # fmt: skip
    return _stacked(base, blocks, units, found.offset.reshape(samples, -1), _MIXED)


def _refuse_large(weights: int, rows: int) -> None:
    if weights > _MOST_BLOCK_WEIGHTS or weights * rows > _MOST_BLOCK_NUMBERS:
        problem = f"{_SCALED}: {plural(rows, 'row')} of {plural(weights, 'feature')}"
        raise InputError("head", f"{problem} are too many", "lower max_samples, or " + RANKS)


def _classes(columns: Tensor) -> int | None:
    """Return the axis of the output along which the head's columns change; −1 is not known."""
    if columns.ndim < 2:
        return None
    known = columns[columns >= 0]
    if known.numel() == 0 or bool((known == known[0]).all()):
        # One column in all: an axis of length 1 is its own, the last one first.
        ones = [axis for axis in range(columns.ndim - 1, 0, -1) if columns.shape[axis] == 1]
        return ones[0] if ones else None
    for axis in range(columns.ndim - 1, -1, -1):
        rows = columns.movedim(axis, -1).reshape(-1, columns.shape[axis])
        most = rows.amax(0)
        if bool(((rows == most) | (rows < 0)).all()) and len(set(most.tolist())) == len(most):
            return axis
    raise InputError("head", "gives what is put together anew on the way to the output", RANKS)


def _rows_of(values: Tensor, axis: int | None) -> Tensor:
    """Return values in the shape of the output as samples × columns."""
    if axis is None:
        return values.reshape(-1, 1)
    moved = values.movedim(axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def _refuse_other_outputs(rows: HeadRows) -> None:
    """Refuse rows from which another output follows than the model gave."""
    features, weight = rows.features.double(), torch.from_numpy(rows.weight)
    u, size = features @ weight, features.abs() @ weight.abs()
    if rows.bias is not None:
        beta = torch.from_numpy(rows.bias)
        units = torch.ones(len(u), 1, dtype=torch.float64) if rows.units is None else rows.units
        u, size = u + units @ beta, size + units.abs() @ beta.abs()
    if rows.offset is not None:
        u, size = u + rows.offset, size + rows.offset.abs()
    own = rows.outputs.double()
    terms = weight.shape[0] + _ROUNDINGS
    eps = max(torch.finfo(rows.outputs.dtype).eps, torch.finfo(rows.features.dtype).eps)
    off = (u.reshape(own.shape) - own).abs()
    if not bool((off <= terms * eps * size.reshape(own.shape)).all()):
        if not bool(torch.isfinite(own).all()):
            raise InputError("outputs", "of the model are NaN or infinite", "fix the training")
        problem = f"gives outputs that differ from {rows.form} by up to {float(off.max()):.3g}"
        raise InputError("head", problem, RANKS)
